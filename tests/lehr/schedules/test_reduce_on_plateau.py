"""The schedule that follows the observed values, and its state."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lehr.schedules import build

from .arguments import updates


def plateau(warmup: Any = 0.0, **arguments: Any) -> Any:
    return build(
        {"name": "reduce_on_plateau", "patience": 2, "factor": 0.5, **arguments},
        learning_rate=1.0,
        epochs=20,
        updates_per_epoch=10,
        warmup=warmup,
    )


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_value_that_is_no_number_is_no_improvement(value: float | None) -> None:
    curve = plateau()
    curve.observe(value)
    assert curve(0) == 1
    curve.observe(value)
    assert curve(0) == 0.5
    curve.observe(3.0)
    curve.observe(value)
    assert curve(0) == 0.5
    curve.observe(2.0)
    curve.observe(1.9)
    assert curve(0) == 0.5


def test_whole_numbers_give_float_rates() -> None:
    constant = build({"name": "constant"}, learning_rate=1, epochs=1, updates_per_epoch=1)
    floored = build(
        {"name": "reduce_on_plateau", "patience": 0, "min_learning_rate": 1},
        learning_rate=2,
        epochs=1,
        updates_per_epoch=1,
    )
    floored.observe(None)
    assert [type(curve(0)) for curve in (constant, floored)] == [float, float]


def test_plateau_does_not_judge_epochs_of_warmup() -> None:
    curve = plateau(warmup={"epochs": 2})
    for _ in range(3):
        curve.observe(0.0)
    assert curve.state() == {
        "epochs": 3,
        "learning_rate": 1.0,
        "best": 0.0,
        "wait": 0,
        "cooldown": 0,
    }
    curve.observe(0.0)
    curve.observe(0.0)
    assert [curve(10), curve(20)] == [0.5, 0.5]


@given(
    before=st.lists(st.none() | st.floats(-1, 1) | st.just(math.nan), max_size=12),
    after=st.lists(st.none() | st.floats(-1, 1) | st.just(math.nan), max_size=12),
    cooldown=st.integers(0, 3),
    warmup=st.integers(0, 40),
)
@settings(deadline=None)
def test_restored_plateau_continues_identically(
    before: list[float | None], after: list[float | None], cooldown: int, warmup: int
) -> None:
    original = plateau(updates(warmup), cooldown=cooldown)
    for value in before:
        original.observe(value)
    resumed = plateau(updates(warmup), cooldown=cooldown)
    resumed.restore(json.loads(json.dumps(original.state(), allow_nan=False)))
    for value in after:
        original.observe(value)
        resumed.observe(value)
        assert resumed.state() == original.state()
        assert resumed(warmup) == original(warmup)


def test_state_of_another_schedule_is_refused() -> None:
    pure = build({"name": "cosine"}, learning_rate=1, epochs=1, updates_per_epoch=1)
    pure.observe(1.0)
    assert pure.state() == {}
    pure.restore({})
    with pytest.raises(ValueError, match=r"^state: must have the keys"):
        plateau().restore({})
    with pytest.raises(ValueError, match=r"^state: must have the keys"):
        pure.restore(plateau().state())
