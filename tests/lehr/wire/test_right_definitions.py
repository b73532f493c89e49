"""Right definitions in every form."""

import pytest

from lehr.wire.space import Choice, Range, RangeTest, searched
from lehr.wire.studies import StudyDefinition, path_of

from .conftest import post
from .example import edited, scheduled, several, spaced

BRANCHES = ("optimizer", "schedule")
RIGHT = {
    "the example": ({}, None),
    "a constant": (spaced(), {}),
    "an argument that may be null": (
        spaced(optimizer={"sgd": {"learning_rate": 0.1, "clipnorm": [None, 1.0]}}),
        {"sgd.clipnorm": Choice((None, 1.0))},
    ),
    "a choice": (
        spaced(optimizer={"sgd": {"learning_rate": [0.1, 1]}}),
        {"sgd.learning_rate": Choice((0.1, 1))},
    ),
    "a stepped range": (
        spaced(parameters={"x": {"low": 0, "high": 1, "step": 0.25}}),
        {"x": Range(0.0, 1.0, False, 0.25)},
    ),
    "a range of integers": (
        spaced(parameters={"x": {"low": 1, "high": 64, "int": True, "log": True}}),
        {"x": Range(1, 64, True, None, True)},
    ),
    "integers where the argument is one": (
        spaced(optimizer={"muon": {"learning_rate": 0.1, "ns_steps": {"low": 1, "high": 9}}}),
        {"muon.ns_steps": Range(1, 9, integer=True)},
    ),
    "a range test with bounds": (
        spaced(optimizer={"sgd": {"learning_rate": {"range_test": {"start": 1e-4, "end": 0.5}}}}),
        {"sgd.learning_rate": RangeTest(1e-4, 0.5, updates=200, seeds=4, reuse=True)},
    ),
    "a range test with all there is": (
        spaced(
            optimizer={
                "sgd": {
                    "learning_rate": {
                        "range_test": {
                            "start": 1e-5,
                            "end": 10,
                            "updates": 100,
                            "seeds": 2,
                            "reuse": False,
                        }
                    }
                }
            }
        ),
        {"sgd.learning_rate": RangeTest(1e-5, 10.0, updates=100, seeds=2, reuse=False)},
    ),
    "a length in epochs": (
        spaced(warmup={"epochs": {"low": 0, "high": 2}}),
        {"warmup.epochs": Range(0.0, 2.0)},
    ),
    "a length in updates": (
        scheduled("cosine", decay_steps={"updates": [100, 200]}),
        {"cosine.decay_steps.updates": Choice((100, 200))},
    ),
    "a choice of lengths": (
        spaced(warmup=[0.1, {"epochs": 1}, {"updates": 50}]),
        {"warmup": Choice((0.1, {"epochs": 1}, {"updates": 50}))},
    ),
    "a vector with ranges in it": (
        scheduled(
            "piecewise_constant",
            boundaries=[{"low": 0.2, "high": 0.4}, 0.8],
            factors=[1.0, {"low": 0.01, "high": 0.5, "log": True}, 0.001],
        ),
        {
            "piecewise_constant.boundaries.0": Range(0.2, 0.4),
            "piecewise_constant.factors.1": Range(0.01, 0.5, True),
        },
    ),
    "a choice of vectors": (
        scheduled("piecewise_constant", boundaries=[[0.5], [0.8]], factors=[[1, 0.1], [1, 0.5]]),
        {
            "piecewise_constant.boundaries": Choice(([0.5], [0.8])),
            "piecewise_constant.factors": Choice(([1, 0.1], [1, 0.5])),
        },
    ),
    "a choice of lists": (
        spaced(parameters={"widths": [[64, 32], [128]]}),
        {"widths": Choice(([64, 32], [128]))},
    ),
    "no arguments": (spaced(schedule={"linear": None}), {}),
    "several objectives": (several(), None),
    "a sampler by its name": ({"sampler": "nsga3"}, None),
    "a threshold of one side": ({"pruner": {"name": "threshold", "lower": 0.1}}, None),
    "a patient pruner": (
        {"pruner": {"name": "patient", "patience": 2, "wrapped_pruner": "median"}},
        None,
    ),
    "a grid": ({"sampler": "grid"} | spaced(parameters={"x": [1, 2]}), {"x": Choice((1, 2))}),
    "brute force over branches": (
        {
            "sampler": "brute_force",
            "search_space": {
                "optimizer": {
                    "sgd": {"learning_rate": [0.1, 0.2]},
                    "adam": {"learning_rate": 0.1},
                }
            },
        },
        None,
    ),
}


@pytest.mark.parametrize("case", RIGHT)
def test_a_right_definition_is_valid_and_validation_stores_nothing(http, case):
    edits, expected = RIGHT[case]
    sent = edited(edits)
    answer = post(http, sent, validate_only=True)
    assert answer.status_code == 200, answer.text
    model = StudyDefinition.model_validate(sent)
    assert answer.json()["definition"] == model.model_dump(mode="json")
    assert StudyDefinition.model_validate_json(model.model_dump_json()) == model
    if expected is not None:
        branches = {n: v for n, v in searched(model.space).items() if n not in BRANCHES}
        assert branches == expected
        assert all(path_of(model.space, name) for name in branches)
    assert http.get("/v1/studies").json()["items"] == []
