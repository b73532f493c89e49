"""What is said of wrong arguments, and how lengths are resolved."""

import math
from typing import Any

import pytest

from lehr.schedules import REQUIRED, SCHEDULES, build, resolve_length

from .arguments import Schedule, updates

EXPONENTIAL = {"name": "exponential", "decay_steps": 0.5, "decay_rate": 0.9}
PIECEWISE = {"name": "piecewise_constant", "boundaries": [0.5], "factors": [1, 0.1]}


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({}, "name: must be one of constant, "),
        ({"name": "cosin"}, "name: must be one of constant, .* got 'cosin'"),
        ({"name": ["cosine"]}, "name: must be one of"),
        ({"name": "constant", "decay": 1}, "decay: unknown argument of constant; .*no arguments"),
        ({"name": "cosine", "beta": 1}, "beta: unknown argument of cosine; .* decay_steps, alpha"),
        ({"name": "exponential", "decay_rate": 0.9}, "decay_steps: required by exponential"),
        ({**EXPONENTIAL, "decay_rate": 0}, "decay_rate: must be greater than 0, got 0"),
        ({**EXPONENTIAL, "decay_rate": 1.1}, "decay_rate: must be at most 1, got 1.1"),
        ({**EXPONENTIAL, "decay_rate": math.nan}, "decay_rate: must be a finite number"),
        ({**EXPONENTIAL, "decay_rate": 10**400}, "decay_rate: must be a finite number"),
        ({**EXPONENTIAL, "decay_rate": True}, "decay_rate: must be a finite number"),
        ({**EXPONENTIAL, "decay_rate": "0.9"}, "decay_rate: must be a finite number"),
        ({**EXPONENTIAL, "staircase": 1}, "staircase: must be true or false"),
        ({**EXPONENTIAL, "decay_steps": 0.0}, "decay_steps: must be greater than 0"),
        ({**EXPONENTIAL, "decay_steps": updates(0)}, "decay_steps: must be greater than 0"),
        ({**EXPONENTIAL, "decay_steps": 1000}, "decay_steps: must be a fraction of training"),
        ({**EXPONENTIAL, "decay_steps": None}, "decay_steps: must be a fraction of training"),
        ({**EXPONENTIAL, "decay_steps": {}}, "decay_steps: must have exactly one key"),
        ({**EXPONENTIAL, "decay_steps": {"steps": 5}}, "decay_steps: must have exactly one key"),
        ({**EXPONENTIAL, "decay_steps": updates(1.5)}, "decay_steps: must have a whole number"),
        ({**EXPONENTIAL, "decay_steps": {"epochs": -1}}, "decay_steps: must have from 0 to"),
        ({**EXPONENTIAL, "decay_steps": {"epochs": 1e300}}, "decay_steps: must have from 0 to"),
        ({**PIECEWISE, "factors": [1]}, "factors: must have one element more than boundaries"),
        ({**PIECEWISE, "factors": [1, -1]}, r"factors\[1\]: must be at least 0, got -1"),
        ({**PIECEWISE, "factors": 1}, "factors: must be a list"),
        ({**PIECEWISE, "boundaries": []}, "boundaries: must be a list of at least one"),
        ({**PIECEWISE, "boundaries": [2]}, r"boundaries\[0\]: must be a fraction of training"),
        (
            {**PIECEWISE, "boundaries": [0.5, 0.5], "factors": [1, 2, 3]},
            "boundaries: must rise, got 0.5 after 0.5",
        ),
        (
            {**PIECEWISE, "boundaries": [0.5, {"epochs": 1}], "factors": [1, 2, 3]},
            r"boundaries: must rise, got \[50, 10\] updates",
        ),
        ({"name": "one_cycle", "anneal": "cos"}, "anneal: must be one of cosine, linear"),
        ({"name": "one_cycle", "anneal": []}, "anneal: must be one of cosine, linear"),
        ({"name": "one_cycle", "div_factor": 0.5}, "div_factor: must be at least 1"),
        ({"name": "reduce_on_plateau", "factor": 1}, "factor: must be less than 1"),
        ({"name": "reduce_on_plateau", "patience": 1.5}, "patience: must be a whole number"),
    ],
)
def test_bad_schedule(schedule: Schedule, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        build(schedule, learning_rate=0.1, epochs=10, updates_per_epoch=10)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", math.inf),
        ("learning_rate", math.nan),
        ("learning_rate", True),
        ("epochs", 0),
        ("epochs", 1.5),
        ("updates_per_epoch", 0),
        ("warmup", 1.5),
        ("warmup", {"epochs": -1}),
        ("direction", "max"),
    ],
)
def test_bad_training(argument: str, value: Any) -> None:
    training = {"learning_rate": 0.1, "epochs": 10, "updates_per_epoch": 10, argument: value}
    with pytest.raises(ValueError, match=f"^{argument}: must "):
        build({"name": "constant"}, **training)


def test_negative_update_is_refused() -> None:
    curve = build({"name": "constant"}, learning_rate=0.1, epochs=1, updates_per_epoch=1)
    with pytest.raises(ValueError, match=r"^update: must be at least 0"):
        curve(-1)


def test_resolve_length() -> None:
    def resolve(length: Any) -> int:
        return resolve_length(length, epochs=4, updates_per_epoch=25)

    assert [resolve(length) for length in (0, 0.25, 1, 1.0)] == [0, 25, 100, 100]
    assert resolve({"epochs": 2.5}) == 62
    assert resolve({"updates": 7}) == 7
    with pytest.raises(ValueError, match="fraction of training"):
        resolve(1.01)


def test_default_of_every_argument_is_admitted() -> None:
    for type_ in SCHEDULES.values():
        for name, argument in type_.arguments.items():
            if argument.default not in (REQUIRED, None):
                argument.check(name, argument.default)
