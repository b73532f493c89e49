"""Schedules against learning rates recorded from Keras's."""

import json
from pathlib import Path
from typing import Any

import pytest

from lehr.schedules import build

from .arguments import Schedule, golden_exponential, golden_piecewise, golden_polynomial, updates

GOLDEN = json.loads(Path(__file__).with_name("golden_learning_rates.json").read_text())


def golden_inverse_time(staircase: bool) -> Schedule:
    return {
        "name": "inverse_time",
        "decay_steps": updates(1000),
        "decay_rate": 0.5,
        "staircase": staircase,
    }


COSINE = {"name": "cosine", "decay_steps": updates(1000)}
GOLDEN_SCHEDULES: dict[str, tuple[Schedule, dict[str, Any]]] = {
    "exp(.1,1000,.9)": (golden_exponential(1000, 0.9, False), {}),
    "exp stair(.1,1000,.9)": (golden_exponential(1000, 0.9, True), {}),
    "exp(.1,10,.5)": (golden_exponential(10, 0.5, False), {}),
    "exp stair(.1,10,.5)": (golden_exponential(10, 0.5, True), {}),
    "piecewise 40k/60k/80k keras bounds": (golden_piecewise(40000, 60000, 80000), {}),
    "piecewise hook (39999,59999,79999)": (golden_piecewise(39999, 59999, 79999), {}),
    "cosine(.1,1000)": (COSINE, {}),
    "cosine(.1,1000,alpha=.01)": ({**COSINE, "alpha": 0.01}, {}),
    "cosine warm(0->.1,100;1000)": (COSINE, {"warmup": updates(100)}),
    "cosine restarts(.1,100,t2,m.9)": (
        {"name": "cosine_restarts", "first_decay": updates(100), "t_mul": 2.0, "m_mul": 0.9},
        {},
    ),
    "poly(.1,1000,.001,p2)": (golden_polynomial(1000, 0.001, power=2), {}),
    "poly linear(.1,1000,1e-4)": (golden_polynomial(1000, 1e-4), {}),
    "poly cycle(.1,100,.01,p1)": (golden_polynomial(100, 0.01, cycle=True), {}),
    "invtime(.1,1000,.5)": (golden_inverse_time(False), {}),
    "invtime stair(.1,1000,.5)": (golden_inverse_time(True), {}),
    "hold10_exp": (
        {"name": "hold_then_exponential"},
        {"learning_rate": 0.001, "updates_per_epoch": 1},
    ),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_recorded_values(case: str) -> None:
    schedule, training = GOLDEN_SCHEDULES[case]
    given = {"learning_rate": 0.1, "epochs": 50, "updates_per_epoch": 1100, **training}
    curve = build(schedule, **given)
    for update, rate in GOLDEN[case].items():
        assert curve(int(update)) == pytest.approx(rate, abs=1e-7, rel=0), update
