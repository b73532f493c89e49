"""Schedules as tests write them."""

from typing import Any

Schedule = dict[str, Any]


def updates(count: int) -> dict[str, int]:
    return {"updates": count}


def golden_exponential(steps: int, rate: float, staircase: bool) -> Schedule:
    return {
        "name": "exponential",
        "decay_steps": updates(steps),
        "decay_rate": rate,
        "staircase": staircase,
    }


def golden_piecewise(*boundaries: int) -> Schedule:
    return {
        "name": "piecewise_constant",
        "boundaries": [updates(boundary) for boundary in boundaries],
        "factors": [1, 0.1, 0.01, 0.001],
    }


def golden_polynomial(steps: int, end: float, power: float = 1.0, cycle: bool = False) -> Schedule:
    return {
        "name": "polynomial",
        "decay_steps": updates(steps),
        "end_learning_rate": end,
        "power": power,
        "cycle": cycle,
    }
