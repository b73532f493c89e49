"""Schedules against a second formula in numpy."""

from collections.abc import Callable

import numpy as np
import pytest

from lehr.schedules import SCHEDULES, build

from .arguments import Schedule, updates

# The second formulas: (u, lr, n, e) -> rates, with u an array of updates from the end of warm-up,
# n the updates that remain after warm-up and e the updates an epoch.
Second = Callable[[np.ndarray, float, int, int], np.ndarray]


def second_restarts(first: int, t_mul: float, m_mul: float, alpha: float) -> Second:
    def rates(u: np.ndarray, lr: float, n: int, e: int) -> np.ndarray:
        lengths = first * t_mul ** np.arange(60 if t_mul > 1 else len(u))
        starts = np.concatenate([[0.0], np.cumsum(lengths)])
        cycle = np.searchsorted(starts, u, side="right") - 1
        phase = (u - starts[cycle]) / lengths[cycle]
        left = m_mul**cycle * np.cos(np.pi / 2 * phase) ** 2
        return lr * alpha + lr * (1 - alpha) * left

    return rates


def second_one_cycle(peak: float, div: float, final: float, cosine: bool) -> Second:
    def rates(u: np.ndarray, lr: float, n: int, e: int) -> np.ndarray:
        knots = [0, round(peak * n), n]
        if not cosine:
            return np.interp(u, knots, [lr / div, lr, lr / div / final])
        phase = np.interp(u, knots, [-np.pi, 0, np.pi])
        floor = np.where(u < knots[1], lr / div, lr / div / final)
        return floor + (lr - floor) * (1 + np.cos(phase)) / 2

    return rates


def second_stable(warmup: int, decay: int, fall: Callable[[np.ndarray], np.ndarray]) -> Second:
    def rates(u: np.ndarray, lr: float, n: int, e: int) -> np.ndarray:
        rise = np.minimum(u, warmup) / warmup
        return lr * rise * fall(np.clip((u - n + decay) / decay, 0, 1))

    return rates


def second_polynomial(u: np.ndarray, lr: float, n: int, e: int) -> np.ndarray:
    top = np.where(u == 0, 30, 30 * np.ceil(u / 30))
    return 0.002 + (lr - 0.002) * ((top - u) / top) ** 1.5


def second_staircase(u: np.ndarray, lr: float, n: int, e: int) -> np.ndarray:
    return np.repeat(lr * 0.7 ** np.arange(len(u)), 2 * e)[: len(u)]


def second_per_epoch(u: np.ndarray, lr: float, n: int, e: int) -> np.ndarray:
    factors = np.full(len(u) // e + 1, 0.9)
    factors[0] = lr
    return np.repeat(np.cumprod(factors), e)[: len(u)]


def second_hold(u: np.ndarray, lr: float, n: int, e: int) -> np.ndarray:
    epoch = np.repeat(np.arange(len(u) // e + 1), e)[: len(u)]
    return np.where(epoch < 3, lr, lr * np.exp(-0.2 * (epoch - 2)))


SECOND: list[tuple[Schedule, Second]] = [
    ({"name": "constant"}, lambda u, lr, n, e: np.full(len(u), lr)),
    ({"name": "reduce_on_plateau"}, lambda u, lr, n, e: np.full(len(u), lr)),
    (
        {
            "name": "piecewise_constant",
            "boundaries": [updates(7), updates(20)],
            "factors": [0.5, 2, 0],
        },
        lambda u, lr, n, e: lr * (0.5 + 1.5 * (u > 7) - 2 * (u > 20)),
    ),
    (
        {"name": "exponential", "decay_steps": 0.5, "decay_rate": 0.3},
        lambda u, lr, n, e: np.exp(np.log(lr) + np.log(0.3) * u / round(n / 2)),
    ),
    (
        {
            "name": "exponential",
            "decay_steps": {"epochs": 2},
            "decay_rate": 0.7,
            "staircase": True,
        },
        second_staircase,
    ),
    (
        {"name": "inverse_time", "decay_steps": updates(9), "decay_rate": 0.5},
        lambda u, lr, n, e: 18 * lr / (18 + u),
    ),
    (
        {
            "name": "inverse_time",
            "decay_steps": updates(9),
            "decay_rate": 0.5,
            "staircase": True,
        },
        lambda u, lr, n, e: 2 * lr / (2 + np.floor_divide(u, 9)),
    ),
    (
        {
            "name": "polynomial",
            "decay_steps": updates(30),
            "end_learning_rate": 0.002,
            "power": 1.5,
            "cycle": True,
        },
        second_polynomial,
    ),
    (
        {"name": "polynomial", "power": 3},
        lambda u, lr, n, e: lr * (np.maximum(n - u, 0) / n) ** 3,
    ),
    (
        {"name": "linear", "end_learning_rate": 0.001},
        lambda u, lr, n, e: np.interp(u, [0, n], [lr, 0.001]),
    ),
    (
        {"name": "cosine", "alpha": 0.1},
        lambda u, lr, n, e: lr * (0.1 + 0.9 * np.cos(np.pi / 2 * np.minimum(u, n) / n) ** 2),
    ),
    (
        {"name": "cosine_restarts", "first_decay": updates(5)},
        second_restarts(5, 2.0, 1.0, 0.0),
    ),
    (
        {
            "name": "cosine_restarts",
            "first_decay": updates(2),
            "t_mul": 3,
            "m_mul": 0.8,
            "alpha": 0.1,
        },
        second_restarts(2, 3.0, 0.8, 0.1),
    ),
    (
        {"name": "cosine_restarts", "first_decay": updates(7), "t_mul": 1, "m_mul": 0.9},
        second_restarts(7, 1.0, 0.9, 0.0),
    ),
    ({"name": "hold_then_exponential", "hold": {"epochs": 2.5}, "decay": 0.2}, second_hold),
    ({"name": "per_epoch_decay", "decay": 0.1}, second_per_epoch),
    ({"name": "one_cycle"}, second_one_cycle(0.3, 25, 1e4, cosine=True)),
    (
        {
            "name": "one_cycle",
            "peak": 0.5,
            "div_factor": 4,
            "final_div_factor": 10,
            "anneal": "linear",
        },
        second_one_cycle(0.5, 4, 10, cosine=False),
    ),
    (
        {"name": "warmup_stable_decay", "warmup": updates(4), "decay": updates(11)},
        second_stable(4, 11, lambda x: 1 - x),
    ),
    (
        {
            "name": "warmup_stable_decay",
            "warmup": updates(4),
            "decay": updates(11),
            "shape": "cosine",
            "alpha": 0.2,
        },
        second_stable(4, 11, lambda x: 0.2 + 0.8 * np.cos(np.pi / 2 * x) ** 2),
    ),
    (
        {
            "name": "warmup_stable_decay",
            "warmup": updates(4),
            "decay": updates(11),
            "shape": "one_minus_sqrt",
        },
        second_stable(4, 11, lambda x: 1 - x**0.5),
    ),
    ({"name": "batch_growth"}, lambda u, lr, n, e: np.full(len(u), lr)),
]


@pytest.mark.parametrize("warmup", [0, 1, 13])
@pytest.mark.parametrize(("epochs", "per_epoch"), [(10, 10), (3, 37), (31, 4)])
@pytest.mark.parametrize(("schedule", "second"), SECOND)
def test_second_formula(
    schedule: Schedule, second: Second, epochs: int, per_epoch: int, warmup: int
) -> None:
    total = epochs * per_epoch
    curve = build(
        schedule,
        learning_rate=0.05,
        epochs=epochs,
        updates_per_epoch=per_epoch,
        warmup=updates(warmup),
    )
    rise = 0.05 * np.arange(warmup) / max(1, warmup)
    after = second(np.arange(2 * total - warmup), 0.05, total - warmup, per_epoch)
    np.testing.assert_allclose(
        curve.rates(0, 2 * total), np.concatenate([rise, after]), rtol=1e-11, atol=1e-15
    )


def test_second_formulas_cover_every_schedule() -> None:
    assert {schedule["name"] for schedule, _ in SECOND} == set(SCHEDULES)
