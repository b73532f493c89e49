"""Search spaces: their names, how they are resolved, what they admit."""

import pytest

from lehr.wire.definitions import parse_space
from lehr.wire.space import Choice, Range, RangeTest, admits, is_conditional, resolve, searched
from lehr.wire.studies import path_of

from .example import EXAMPLE, HUGE, NAN


def test_the_examples_parameters_have_the_names_of_the_contract():
    space = parse_space(EXAMPLE["search_space"])
    assert list(searched(space)) == [
        "optimizer",
        "sgd.learning_rate",
        "momentum.learning_rate",
        "momentum.momentum",
        "momentum.nesterov",
        "adam.learning_rate",
        "adamw.learning_rate",
        "adamw.weight_decay",
        "schedule",
        "exponential.decay_rate",
        "exponential.staircase",
        "cosine.alpha",
        "cosine_restarts.t_mul",
        "cosine_restarts.m_mul",
        "warmup",
        "batch_size",
        "dropout",
    ]
    assert is_conditional(space)
    assert searched(space)["adam.learning_rate"] == RangeTest(1e-6, 1.0)


def test_names_lead_back_to_their_places():
    space = parse_space(EXAMPLE["search_space"])
    for name in searched(space):
        holder = EXAMPLE["search_space"]
        for part in path_of(space, name):
            holder = holder[part]


def test_resolve_asks_in_order_and_only_for_chosen_branches():
    space = parse_space(EXAMPLE["search_space"])
    answers = {
        "optimizer": "momentum",
        "momentum.learning_rate": 0.1,
        "momentum.momentum": 0.9,
        "momentum.nesterov": True,
        "schedule": "exponential",
        "exponential.decay_rate": 0.75,
        "exponential.staircase": False,
        "warmup": 0.05,
        "batch_size": 64,
        "dropout": 0.25,
    }
    asked = []

    def suggest(name, value):
        asked.append(name)
        assert admits(value, answers[name]) is None
        return answers[name]

    resolved = resolve(space, suggest)
    assert asked == list(answers)
    assert resolved.optimizer == {
        "name": "momentum",
        "learning_rate": 0.1,
        "momentum": 0.9,
        "nesterov": True,
    }
    assert resolved.schedule == {
        "name": "exponential",
        "decay_steps": {"epochs": 2},
        "decay_rate": 0.75,
        "staircase": False,
    }
    assert (resolved.warmup, resolved.parameters) == (0.05, {"batch_size": 64, "dropout": 0.25})


def test_resolve_fills_vectors_and_lengths():
    raw = {
        "optimizer": {"sgd": {"learning_rate": 0.1}},
        "schedule": {
            "piecewise_constant": {
                "boundaries": [{"epochs": {"low": 1, "high": 2}}, {"epochs": 3}],
                "factors": [1.0, {"low": 0.1, "high": 0.5}, 0.01],
            }
        },
    }
    resolved = resolve(
        parse_space(raw),
        lambda name, value: value.low if isinstance(value, Range) else value.values[0],
    )
    assert resolved.schedule == {
        "name": "piecewise_constant",
        "boundaries": [{"epochs": 1.0}, {"epochs": 3}],
        "factors": [1.0, 0.1, 0.01],
    }
    assert (resolved.warmup, resolved.parameters) == (0.0, {})


def test_without_a_schedule_the_rate_is_constant():
    space = parse_space({"optimizer": {"sgd": {"learning_rate": 0.1}}})
    assert resolve(space, lambda name, value: value.values[0]).schedule == {"name": "constant"}


@pytest.mark.parametrize(
    ("value", "given", "problem"),
    [
        (Range(0.0, 1.0), 0.5, None),
        (Range(0.0, 1.0), 1, None),
        (Range(0.0, 1.0), 1.5, "from 0 to 1"),
        (Range(0.0, 1.0), "0.5", "a number"),
        (Range(0.0, 1.0), True, "a number"),
        (Range(0.0, 1.0), NAN, "from 0 to 1"),
        (Range(0.0, 1.0), HUGE, "from 0 to 1"),
        (Range(1, 8, integer=True), 2, None),
        (Range(1, 8, integer=True), 2.5, "a whole number"),
        (RangeTest(1e-4, 1.0), 2, "from 0.0001 to 1"),
        (Choice((1, 2)), 2, None),
        (Choice((1, 2)), True, "one of 1, 2"),
        (Choice((True, False)), 1, "one of True, False"),
        (Choice(([1], [2])), [2], None),
        (Choice(({"epochs": 1}, 0.5)), {"epochs": 1}, None),
    ],
)
def test_values_given_for_a_trial_are_held_against_the_space(value, given, problem):
    found = admits(value, given)
    assert found is None if problem is None else problem in found
