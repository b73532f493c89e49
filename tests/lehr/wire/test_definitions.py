"""Study definitions: the right ones in every form, and what is said of the wrong ones."""

import copy
import json
import threading

import httpx
import pytest
import uvicorn

from lehr.wire.definitions import parse_space
from lehr.wire.space import Choice, Range, RangeTest, admits, is_conditional, resolve, searched
from lehr.wire.studies import StudyDefinition, path_of
from lehr_service.app import create_app
from lehr_service.settings import Settings

EXAMPLE = {
    "name": "fashion-cnn",
    "task": "fashion_mnist_cnn",
    "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last"},
    "search_space": {
        "optimizer": {
            "sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": True}},
            "momentum": {
                "learning_rate": {"low": 0.0001, "high": 0.5, "log": True},
                "momentum": {"low": 0.5, "high": 0.99},
                "nesterov": [True, False],
            },
            "adam": {"learning_rate": {"range_test": {}}, "beta_1": 0.9},
            "adamw": {
                "learning_rate": {"low": 1.0e-5, "high": 0.01, "log": True},
                "weight_decay": {"low": 1.0e-6, "high": 0.1, "log": True},
            },
        },
        "schedule": {
            "constant": {},
            "exponential": {
                "decay_steps": {"epochs": 2},
                "decay_rate": {"low": 0.5, "high": 0.99},
                "staircase": [True, False],
            },
            "piecewise_constant": {
                "boundaries": [0.4, 0.6, 0.8],
                "factors": [1.0, 0.1, 0.01, 0.001],
            },
            "cosine": {"alpha": {"low": 0.0, "high": 0.1}},
            "cosine_restarts": {
                "first_decay": 0.2,
                "t_mul": [1.0, 2.0],
                "m_mul": {"low": 0.5, "high": 1.0},
            },
        },
        "warmup": {"low": 0.0, "high": 0.1},
        "parameters": {"batch_size": [32, 64, 128], "dropout": {"low": 0.0, "high": 0.5}},
    },
    "training": {"epochs": 10, "seed": 7},
    "sampler": {"name": "tpe", "seed": 7},
    "pruner": {"name": "median", "warmup_steps": 3},
    "limits": {
        "max_trials": 50,
        "max_parallel": 8,
        "max_failed": 10,
        "max_epochs": 400,
        "timeout": "2h",
        "target": 0.93,
    },
    "retry": {"max_attempts": 3},
    "weight": 1.0,
    "labels": {"team": "vision"},
}

GONE = object()


def edited(edits):
    """The example with values set, or taken out, at dotted places."""
    changed = copy.deepcopy(EXAMPLE)
    for place, value in edits.items():
        *parents, last = place.split(".")
        holder = changed
        for parent in parents:
            holder = holder[parent]
        if value is GONE:
            del holder[last]
        else:
            holder[last] = value
    return changed


def spaced(**changes):
    """The edit of a definition's search space to a small one with changes."""
    return {"search_space": {"optimizer": {"sgd": {"learning_rate": 0.1}}} | changes}


def scheduled(name, **arguments):
    return spaced(schedule={name: arguments})


def several(**edits):
    goals = [
        {"metric": "loss", "direction": "minimize"},
        {"metric": "size", "direction": "minimize"},
    ]
    plain = {"objective": GONE, "objectives": goals, "pruner": "none", "limits.target": None}
    return plain | edits


SGD = "search_space.optimizer.sgd"
RATE = f"{SGD}.learning_rate"
PIECES = "search_space.schedule.piecewise_constant"
X = "search_space.parameters.x"
INFINITY = float("inf")
NAN = float("nan")
HUGE = 10**400

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
        {"search_space.optimisers": "known are optimizer, schedule, warmup or parameters"},
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
    # search space: shape
    "no search space": ({"search_space": GONE}, {"search_space": "required"}),
    "search space null": ({"search_space": None}, {"search_space": "must be a mapping"}),
    "search space list": ({"search_space": []}, {"search_space": "must be a mapping"}),
    "no optimizer": ({"search_space": {}}, {"search_space.optimizer": "one or more of sgd"}),
    "optimizer by name only": (
        {"search_space": {"optimizer": "adam"}},
        {"search_space.optimizer": "must be a mapping"},
    ),
    "empty schedule": (spaced(schedule={}), {"search_space.schedule": "one or more of constant"}),
    "schedule null": (spaced(schedule=None), {"search_space.schedule": "must be a mapping"}),
    "parameters a list": (spaced(parameters=[]), {"search_space.parameters": "mapping"}),
    "unknown optimizer": (
        {"search_space.optimizer.adan": {}},
        {"search_space.optimizer.adan": "unknown optimizer; known are sgd, momentum"},
    ),
    "unknown schedule": (
        {"search_space.schedule.cosin": {}},
        {"search_space.schedule.cosin": "unknown schedule; known are constant"},
    ),
    "unknown argument": (
        {f"{SGD}.beta_1": 0.9},
        {f"{SGD}.beta_1": "unknown argument; sgd takes learning_rate"},
    ),
    "argument of constant": (
        {"search_space.schedule.constant.alpha": 0.1},
        {"search_space.schedule.constant.alpha": "constant takes no arguments"},
    ),
    "missing learning rate": ({RATE: GONE}, {RATE: "required: initial learning rate"}),
    "missing decay rate": (
        {"search_space.schedule.exponential.decay_rate": GONE},
        {"search_space.schedule.exponential.decay_rate": "required"},
    ),
    "arguments in a list": ({SGD: [0.1]}, {SGD: "{} takes the defaults"}),
    # search space: ranges
    "low above high": ({f"{RATE}.low": 2.0}, {f"{RATE}.low": "must not be above high"}),
    "log from 0": (
        {"search_space.warmup": {"low": 0.0, "high": 0.1, "log": True}},
        {"search_space.warmup.low": "must be above 0 as log is true"},
    ),
    "rate from 0": ({f"{RATE}.low": 0}, {f"{RATE}.low": "must be greater than 0"}),
    "both ends wrong": (
        {RATE: {"low": 0, "high": -1}},
        {f"{RATE}.low": "greater than 0", f"{RATE}.high": "greater than 0"},
    ),
    "no high": ({f"{RATE}.high": GONE}, {f"{RATE}.high": "needs both low and high"}),
    "empty mapping": ({RATE: {}}, {f"{RATE}.low": "required", f"{RATE}.high": "required"}),
    "step with log": ({f"{RATE}.step": 0.1}, {f"{RATE}.step": "log or step, not both"}),
    "step of 0": (
        spaced(parameters={"x": {"low": 0, "high": 1, "step": 0}}),
        {f"{X}.step": "above 0"},
    ),
    "step far too small": (
        spaced(parameters={"x": {"low": 0, "high": 1, "step": 1e-300}}),
        {f"{X}.step": "too small for the range"},
    ),
    "int with 0.5": (
        spaced(parameters={"x": {"low": 0.5, "high": 2, "int": True}}),
        {f"{X}.low": "whole number as int is true"},
    ),
    "int with a step of 0.5": (
        spaced(parameters={"x": {"low": 0, "high": 2, "int": True, "step": 0.5}}),
        {f"{X}.step": "whole number above 0"},
    ),
    "int and log from 0": (
        spaced(parameters={"x": {"low": 0, "high": 2, "int": True, "log": True}}),
        {f"{X}.low": "above 0"},
    ),
    "int beyond what a float holds": (
        spaced(parameters={"x": {"low": 0, "high": 2**53 + 1, "int": True}}),
        {f"{X}.high": "2**53"},
    ),
    "log as text": ({f"{RATE}.log": "yes"}, {f"{RATE}.log": "true or false"}),
    "range of a flag": (
        {"search_space.optimizer.momentum.nesterov": {"low": 0, "high": 1}},
        {"search_space.optimizer.momentum.nesterov": "give a value or a list"},
    ),
    "bound as text": ({f"{RATE}.low": "1e-3"}, {f"{RATE}.low": "without quotes"}),
    "bound as boolean": ({f"{RATE}.low": True}, {f"{RATE}.low": "finite number"}),
    "bound NaN": ({f"{RATE}.low": NAN}, {f"{RATE}.low": "finite number"}),
    "bound infinite": ({f"{RATE}.high": INFINITY}, {f"{RATE}.high": "finite number"}),
    "bound of 400 digits": ({f"{RATE}.high": HUGE}, {f"{RATE}.high": "finite number"}),
    # search space: constants and choices
    "rate as text": ({RATE: "1e-3"}, {RATE: "without quotes"}),
    "rate as boolean": ({RATE: True}, {RATE: "finite number"}),
    "rate null": ({RATE: None}, {RATE: "finite number"}),
    "rate NaN": ({RATE: NAN}, {RATE: "finite number"}),
    "rate of 400 digits": ({RATE: HUGE}, {RATE: "finite number"}),
    "rate negative": ({RATE: -0.1}, {RATE: "greater than 0"}),
    "flag as a number": (
        {"search_space.optimizer.momentum.nesterov": 1},
        {"search_space.optimizer.momentum.nesterov": "true or false"},
    ),
    "empty choice": ({RATE: []}, {RATE: "from 1 to 1000 values"}),
    "long choice": (spaced(parameters={"x": list(range(1001))}), {X: "from 1 to 1000 values"}),
    "choice with a twin": ({RATE: [0.1, 0.2, 0.1]}, {f"{RATE}.2": "in the choice already"}),
    "choice with a wrong value": ({RATE: [0.1, -1]}, {f"{RATE}.1": "greater than 0"}),
    "beta_1 of 1.5": (
        {"search_space.optimizer.adam.beta_1": 1.5},
        {"search_space.optimizer.adam.beta_1": "less than 1"},
    ),
    "beta_1 of 1.5 in a range": (
        {"search_space.optimizer.adam.beta_1": {"low": 0.5, "high": 1.5}},
        {"search_space.optimizer.adam.beta_1.high": "less than 1"},
    ),
    "unknown word": (
        scheduled("one_cycle", anneal="square"),
        {"search_space.schedule.one_cycle.anneal": "one of cosine, linear"},
    ),
    "parameter null": (spaced(parameters={"x": None}), {X: "a number, true, false, text"}),
    "parameter NaN": (spaced(parameters={"x": NAN}), {X: "a number"}),
    "parameter of 400 digits": (spaced(parameters={"x": HUGE}), {X: "a number"}),
    "parameter nested": (spaced(parameters={"x": [[[1]]]}), {f"{X}.0": "a list of these"}),
    "parameter mapping": (spaced(parameters={"x": {"units": 3}}), {f"{X}.units": "unknown key"}),
    "parameter's name": (
        spaced(parameters={"batch size": 3}),
        {"search_space.parameters.batch size": "letters, digits or _"},
    ),
    "parameter's taken name": (
        spaced(parameters={"optimizer": 3}),
        {"search_space.parameters.optimizer": "are taken"},
    ),
    # search space: lengths
    "length of 1.5": (
        {"search_space.warmup": 1.5},
        {"search_space.warmup": "fraction of training from 0 to 1"},
    ),
    "range of lengths to 1.5": (
        {"search_space.warmup": {"low": 0, "high": 1.5}},
        {"search_space.warmup.high": "fraction of training from 0 to 1"},
    ),
    "epochs and updates": (
        {"search_space.schedule.exponential.decay_steps": {"epochs": 1, "updates": 5}},
        {"search_space.schedule.exponential.decay_steps": "one key, epochs or updates"},
    ),
    "updates of 1.5": (
        {"search_space.warmup": {"updates": 1.5}},
        {"search_space.warmup.updates": "whole number"},
    ),
    "negative epochs": (
        {"search_space.warmup": {"epochs": -1}},
        {"search_space.warmup.epochs": "at least 0"},
    ),
    "decay over 0 epochs": (
        {"search_space.schedule.exponential.decay_steps": {"epochs": 0}},
        {"search_space.schedule.exponential.decay_steps.epochs": "greater than 0"},
    ),
    # search space: vectors
    "one factor too few": ({f"{PIECES}.factors": [1.0, 0.1]}, {f"{PIECES}.factors": "one element"}),
    "factors mismatch in one of the choices": (
        {f"{PIECES}.boundaries": [[0.4, 0.6, 0.8], [0.5]]},
        {f"{PIECES}.factors": "one element more than boundaries"},
    ),
    "boundaries that fall": (
        {f"{PIECES}.boundaries": [0.4, 0.8, 0.6]},
        {f"{PIECES}.boundaries": "must rise, got 0.6 after 0.8"},
    ),
    "boundaries that may fall": (
        {f"{PIECES}.boundaries": [0.4, {"low": 0.3, "high": 0.7}, 0.8]},
        {f"{PIECES}.boundaries": "must rise"},
    ),
    "boundaries empty": ({f"{PIECES}.boundaries": []}, {f"{PIECES}.boundaries": "from 1 to 1000"}),
    "boundaries not a list": (
        {f"{PIECES}.boundaries": 0.5},
        {f"{PIECES}.boundaries": "a list of at least one element"},
    ),
    "factor as text": (
        {f"{PIECES}.factors": [1.0, "0.1", 0.01, 0.001]},
        {f"{PIECES}.factors.1": "without quotes"},
    ),
    # search space: range tests
    "range test of beta_1": (
        {"search_space.optimizer.adam.beta_1": {"range_test": {}}},
        {"search_space.optimizer.adam.beta_1.range_test": "only a learning_rate"},
    ),
    "range test of a parameter": (
        spaced(parameters={"learning_rate": {"range_test": {}}}),
        {"search_space.parameters.learning_rate.range_test": "only a learning_rate"},
    ),
    "range test from end to start": (
        {RATE: {"range_test": {"start": 1, "end": 0.1}}},
        {f"{RATE}.range_test.start": "below end"},
    ),
    "range test with an unknown key": (
        {RATE: {"range_test": {"steps": 5}}},
        {f"{RATE}.range_test.steps": "known are start, end, updates, seeds or reuse"},
    ),
    "range test from 0": (
        {RATE: {"range_test": {"start": 0}}},
        {f"{RATE}.range_test.start": "at least 1e-12"},
    ),
    "range test of few updates": (
        {RATE: {"range_test": {"updates": 19}}},
        {f"{RATE}.range_test.updates": "at least 20"},
    ),
    "range test with a list of seeds": (
        {RATE: {"range_test": {"seeds": [0, 1]}}},
        {f"{RATE}.range_test.seeds": "a whole number"},
    ),
    "range test that is perhaps reused": (
        {RATE: {"range_test": {"reuse": "no"}}},
        {f"{RATE}.range_test.reuse": "true or false"},
    ),
    "range test and a range": ({f"{RATE}.range_test": {}}, {RATE: "{range_test: {}}"}),
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
}


@pytest.fixture(scope="module")
def http(tmp_path_factory):
    """A server for all tests of this module: none of them may leave a study behind."""
    app = create_app(Settings(home=tmp_path_factory.mktemp("home")))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client
    server.should_exit = True
    thread.join(20)


def post(http, definition, **query):
    # httpx's own json= refuses NaN, and a client need not.
    headers = {"content-type": "application/json"}
    return http.post("/v1/studies", content=json.dumps(definition), headers=headers, params=query)


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


BRANCHES = ("optimizer", "schedule")


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
