"""What a study's range tests test, and which tests are equal."""

import pytest

from lehr.wire.range_tests import RangeTestState
from lehr.wire.space import Choice, Range, RangeTest, middle
from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import Outcome
from lehr_service.domain.range_test import ending, planned


def define(adam, parameters=None, **more):
    space = {
        "optimizer": {
            "sgd": {"learning_rate": 0.1},
            "adam": {"learning_rate": {"range_test": {}}} | adam,
            "lion": {"learning_rate": {"range_test": {"seeds": 1, "reuse": False}}},
        },
        "schedule": {"cosine": {"alpha": {"low": 0.0, "high": 0.1}}},
        "parameters": parameters or {},
    }
    objective = {"metric": "loss", "direction": "minimize"}
    return StudyDefinition.model_validate(
        {"name": "s", "task": "t", "objective": objective, "training": {"epochs": 2}}
        | {"search_space": space}
        | more
    )


def key(adam, parameters=None, **more):
    return planned(define(adam, parameters, **more))[0].key


def test_each_optimizer_with_a_range_test_has_one():
    adam, lion = planned(
        define(
            {"beta_1": [0.8, 0.9, 0.95], "beta_2": 0.99, "epsilon": 1e-7},
            {"batch_size": [32, 64], "width": {"low": 8, "high": 128, "log": True, "int": True}},
        )
    )
    assert (adam.number, adam.optimizer, adam.reuse) == (0, "adam", True)
    assert (lion.number, lion.optimizer, lion.reuse) == (1, "lion", False)
    assert adam.setup == {
        "optimizer": {"name": "adam", "beta_2": 0.99},
        "parameters": {"batch_size": 32, "width": 32},
        "start": 1e-6,
        "end": 1.0,
        "updates": 200,
        "seeds": [0, 1, 2, 3],
    }
    assert lion.setup["seeds"] == [0]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (Choice((1, 2, 3)), 2),
        (Choice((True, False)), True),
        (Choice(("a", "b", "c", "d")), "b"),
        (Range(0.0, 0.5), 0.25),
        (Range(1e-4, 1e-2, log=True), pytest.approx(1e-3)),
        (Range(1, 64, log=True, integer=True), 8),
        (Range(3, 3, log=True, integer=True), 3),
        (Range(1, 6, step=2, integer=True), 3),
        (Range(0.0, 0.5, step=0.2), pytest.approx(0.2)),
        (Range(-1e300, 1e300), 0.0),
        (Range(1e300, 1e300, log=True), 1e300),
        (RangeTest(1e-6, 1.0), pytest.approx(1e-3)),
    ],
)
def test_what_is_searched_is_tested_at_its_middle(value, found):
    assert middle(value) == found


def test_what_makes_no_difference_to_a_test_makes_none_to_its_key():
    known = key({})
    assert key({"beta_1": 0.9, "amsgrad": False, "weight_decay": None}) == known
    assert key({"beta_1": [0.8, 0.9, 0.95]}) == known
    assert key({}, name="other", training={"epochs": 9, "seed": 3}, sampler="random") == known
    reused = {"learning_rate": {"range_test": {"reuse": False, "seeds": 4, "start": 1e-6}}}
    assert key(reused) == known


@pytest.mark.parametrize(
    "changed",
    [
        ({"beta_1": 0.8},),
        ({"weight_decay": 0.1},),
        ({"learning_rate": {"range_test": {"start": 1e-5}}},),
        ({}, {"batch_size": 32}),
    ],
)
def test_what_makes_a_difference_does(changed):
    assert key(*changed) != key({})
    assert key({}, task="u") != key({})


def test_an_end_says_what_becomes_of_the_test():
    assert ending(Outcome.LOST, 1, 2, "unheard")[0] is RangeTestState.WAITING
    assert ending(Outcome.PREEMPTED, 2, 2, None)[0] is RangeTestState.WAITING
    assert ending(Outcome.DIVERGED, 0, 2, "nan")[0] is RangeTestState.COMPLETE
    lost = ending(Outcome.LOST, 2, 2, "unheard")
    assert lost == (RangeTestState.FAILED, "its worker was lost 2 times (max_attempts)")
    failed = ending(Outcome.OUT_OF_MEMORY, 0, 2, "8 GB")
    assert failed == (RangeTestState.FAILED, "out of memory: 8 GB")
