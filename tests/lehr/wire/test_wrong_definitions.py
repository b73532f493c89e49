"""What is said of wrong study definitions: what, and where."""

import pytest

from .conftest import post
from .example import EXAMPLE, GONE, HUGE, NAN, PIECES, RATE, X, edited, scheduled, several, spaced
from .wrong_spaces import WRONG_SPACES

WRONG = {
    # names
    "no name": ({"name": GONE}, {"name": "required"}),
    "empty name": ({"name": ""}, {"name": "must match"}),
    "name of capitals": ({"name": "Fashion"}, {"name": "[a-z0-9._-]{1,100}"}),
    "name with a line": ({"name": "a\n"}, {"name": "must match"}),
    "long name": ({"name": "a" * 101}, {"name": "must match"}),
    "name that is a number": ({"name": 5}, {"name": "string"}),
    "task with a space": ({"task": "my task"}, {"task": "must match"}),
    "no task": ({"task": GONE}, {"task": "required"}),
    # unknown fields
    "unknown field": ({"serch_space": {}}, {"serch_space": "unknown field"}),
    "unknown in objective": ({"objective.goal": 1}, {"objective.goal": "unknown field"}),
    "unknown in training": ({"training.batch_size": 1}, {"training.batch_size": "unknown field"}),
    "unknown in limits": ({"limits.trials": 1}, {"limits.trials": "unknown field"}),
    "unknown in retry": ({"retry.attempts": 1}, {"retry.attempts": "unknown field"}),
    "unknown in the space": (
        {"search_space.optimisers": {}},
        {"search_space.optimisers": "known are optimizer, schedule, warmup and parameters"},
    ),
    "unknown in a range": ({f"{RATE}.lo": 1}, {f"{RATE}.lo": "low, high, log, step or int"}),
    # objectives
    "no objective": ({"objective": GONE}, {"objective": "either objective or objectives"}),
    "both objectives": (
        several(objective={"metric": "loss", "direction": "minimize"}),
        {"objectives": "either objective or objectives"},
    ),
    "one objective in a list": (
        {"objective": GONE, "objectives": [EXAMPLE["objective"]]},
        {"objectives": "at least 2"},
    ),
    "wrong direction": ({"objective.direction": "max"}, {"objective.direction": "'maximize'"}),
    "wrong select": ({"objective.select": "first"}, {"objective.select": "mean_of_last_"}),
    "mean of none": ({"objective.select": "mean_of_last_0"}, {"objective.select": "must match"}),
    "the same metric twice": (
        several(objectives=[EXAMPLE["objective"], EXAMPLE["objective"]]),
        {"objectives.1.metric": "is an objective already"},
    ),
    "several objectives and a pruner": (
        several(pruner="median"),
        {"pruner.name": "exclude pruning: use none"},
    ),
    "several objectives and a target": (
        several(**{"limits.target": 1}),
        {"limits.target": "single objective"},
    ),
    "several objectives and cmaes": (several(sampler="cmaes"), {"sampler.name": "try nsga2"}),
    "three rules at once": (
        several(sampler="cmaes", pruner="median", **{"limits.target": 1}),
        {"sampler.name": "nsga2", "pruner.name": "use none", "limits.target": "single"},
    ),
    # training
    "no epochs": ({"training": {}}, {"training.epochs": "required"}),
    "0 epochs": ({"training.epochs": 0}, {"training.epochs": "greater than or equal to 1"}),
    "epochs as text": ({"training.epochs": "10"}, {"training.epochs": "integer"}),
    "epochs true": ({"training.epochs": True}, {"training.epochs": "integer"}),
    "epochs of 400 digits": ({"training.epochs": HUGE}, {"training.epochs": "1000000"}),
    "seed negative": ({"training.seed": -1}, {"training.seed": "per_trial"}),
    "seed per study": ({"training.seed": "per_study"}, {"training.seed": "per_trial"}),
    # samplers
    "unknown sampler": ({"sampler": "bohb"}, {"sampler.name": "tpe, random, gp"}),
    "sampler without name": ({"sampler": {}}, {"sampler.name": "must be tpe"}),
    "sampler a list": ({"sampler": []}, {"sampler": "mapping with a name"}),
    "unknown sampler option": (
        {"sampler.gamma": 5},
        {"sampler.gamma": "the sampler tpe takes seed, n_startup_trials"},
    ),
    "sampler option out of range": ({"sampler.seed": -1}, {"sampler.seed": "at least 0"}),
    "sampler option too large": (
        {"sampler.n_ei_candidates": 10**9},
        {"sampler.n_ei_candidates": "at most 10000"},
    ),
    "sampler option as text": ({"sampler.seed": "7"}, {"sampler.seed": "whole number"}),
    "sampler option in both spellings": (
        {"sampler.n_startup_trials": 3, "sampler.startup_trials": 4},
        {"sampler.startup_trials": "give it once"},
    ),
    "too many reference points": (
        several(
            sampler={"name": "nsga3", "dividing_parameter": 10_000},
            objectives=[{"metric": name, "direction": "minimize"} for name in "abc"],
        ),
        {"sampler.dividing_parameter": "reference points"},
    ),
    "tpe in groups without multivariate": (
        {"sampler": {"name": "tpe", "multivariate": False, "group": True}},
        {"sampler": "multivariate"},
    ),
    "grid with a range": (
        {"sampler": "grid"} | spaced(parameters={"x": {"low": 0, "high": 1}}),
        {X: "grid needs a list, or a range with a step"},
    ),
    "brute force with log": (
        {"sampler": "brute_force"}
        | spaced(parameters={"x": {"low": 1, "high": 8, "int": True, "log": True}}),
        {X: "without log"},
    ),
    "grid with a range of a piece": (
        {"sampler": "grid"}
        | scheduled(
            "piecewise_constant",
            boundaries=[{"epochs": {"low": 1, "high": 2}}],
            factors=[1, 0.1],
        ),
        {f"{PIECES}.boundaries.0.epochs": "grid needs a list"},
    ),
    "grid with branches": (
        {
            "sampler": "grid",
            "search_space": {
                "optimizer": {
                    "sgd": {"learning_rate": [0.1, 0.2]},
                    "adam": {"learning_rate": 0.1},
                }
            },
        },
        {"sampler.name": "use brute_force"},
    ),
    "grid too large": (
        {"sampler": "grid"} | spaced(parameters={"x": {"low": 0, "high": 200_000, "int": True}}),
        {"sampler.name": "200001 points"},
    ),
    # pruners
    "unknown pruner": ({"pruner": "asha"}, {"pruner.name": "successive_halving"}),
    "unknown pruner option": (
        {"pruner.patience": 3},
        {"pruner.patience": "the pruner median takes n_startup_trials"},
    ),
    "option of none": ({"pruner": {"name": "none", "x": 1}}, {"pruner.x": "takes no options"}),
    "pruner option out of range": (
        {"pruner": {"name": "hyperband", "reduction_factor": 1}},
        {"pruner.reduction_factor": "at least 2"},
    ),
    "halving left out too often": (
        {"pruner": {"name": "successive_halving", "min_early_stopping_rate": 10**9}},
        {"pruner.min_early_stopping_rate": "at most 30"},
    ),
    "no percentile": ({"pruner": "percentile"}, {"pruner.percentile": "required"}),
    "percentile of 101": (
        {"pruner": {"name": "percentile", "percentile": 101}},
        {"pruner.percentile": "at most 100"},
    ),
    "no patience": ({"pruner": "patient"}, {"pruner.patience": "required"}),
    "patient of an unknown one": (
        {"pruner": {"name": "patient", "patience": 1, "wrapped_pruner": {"name": "asha"}}},
        {"pruner.wrapped_pruner.name": "must be none, median"},
    ),
    "patient of a patient one": (
        {
            "pruner": {
                "name": "patient",
                "patience": 1,
                "wrapped_pruner": {"name": "patient", "patience": 1},
            }
        },
        {"pruner.wrapped_pruner.name": "must be none, median"},
    ),
    "patient of an option out of range": (
        {
            "pruner": {
                "name": "patient",
                "patience": 1,
                "wrapped_pruner": {"name": "median", "n_min_trials": 0},
            }
        },
        {"pruner.wrapped_pruner.n_min_trials": "at least 1"},
    ),
    "threshold without bounds": ({"pruner": "threshold"}, {"pruner": "needs lower or upper"}),
    "threshold upside down": (
        {"pruner": {"name": "threshold", "lower": 2, "upper": 1}},
        {"pruner.lower": "must not be above upper"},
    ),
    # limits and the rest
    "0 trials": ({"limits.max_trials": 0}, {"limits.max_trials": "greater than or equal to 1"}),
    "parallel as text": ({"limits.max_parallel": "8"}, {"limits.max_parallel": "integer"}),
    "negative max_failed": ({"limits.max_failed": -1}, {"limits.max_failed": "equal to 1"}),
    "half an epoch": ({"limits.max_epochs": 0.5}, {"limits.max_epochs": "integer"}),
    "timeout of 2x": ({"limits.timeout": "2x"}, {"limits.timeout": '"90s", "2h"'}),
    "timeout of 0": ({"limits.timeout": 0}, {"limits.timeout": "above 0"}),
    "timeout negative": ({"limits.timeout": "-2h"}, {"limits.timeout": "seconds"}),
    "timeout true": ({"limits.timeout": True}, {"limits.timeout": "seconds"}),
    "timeout of 400 digits": ({"limits.timeout": HUGE}, {"limits.timeout": "10 years"}),
    "target as text": ({"limits.target": "1e-3"}, {"limits.target": "number"}),
    "target true": ({"limits.target": True}, {"limits.target": "number"}),
    "target NaN": ({"limits.target": NAN}, {"limits.target": "finite"}),
    "0 attempts": ({"retry.max_attempts": 0}, {"retry.max_attempts": "equal to 1"}),
    "weight of 0": ({"weight": 0}, {"weight": "greater than 0"}),
    "weight as text": ({"weight": "2"}, {"weight": "number"}),
    "weight of 400 digits": ({"weight": HUGE}, {"weight": "number"}),
    "label that is a number": ({"labels.team": 5}, {"labels.team": "string"}),
    "labels a list": ({"labels": ["vision"]}, {"labels": "mapping"}),
    "too many labels": ({"labels": {str(i): "" for i in range(101)}}, {"labels": "at most 100"}),
    # several at once
    "seven wrong fields": (
        {
            "name": "A",
            "objective.direction": "up",
            f"{RATE}.low": 2.0,
            "search_space.optimizer.adam.beta_1": 1.5,
            "search_space.schedule.cosin": {},
            "training.epochs": 0,
            "limits.timeout": "2x",
        },
        {
            "name": "must match",
            "objective.direction": "minimize",
            f"{RATE}.low": "above high",
            "search_space.optimizer.adam.beta_1": "less than 1",
            "search_space.schedule.cosin": "unknown schedule",
            "training.epochs": "equal to 1",
            "limits.timeout": "seconds",
        },
    ),
} | WRONG_SPACES


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_definition_hears_what_is_wrong_where(http, case):
    edits, expected = WRONG[case]
    answer = post(http, edited(edits))
    assert answer.status_code == 422, answer.text
    fields = answer.json()["error"]["fields"]
    assert sorted(f["path"] for f in fields) == sorted(expected)
    for field in fields:
        assert expected[field["path"]] in field["message"]
    assert http.get("/v1/studies").json()["items"] == []


def test_the_first_error_names_all_fields_in_its_message(http):
    edits, expected = WRONG["seven wrong fields"]
    message = post(http, edited(edits)).json()["error"]["message"]
    assert all(path in message for path in expected)
