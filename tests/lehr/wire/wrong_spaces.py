"""Edits that make a search space wrong, and what is said of each place."""

from .example import GONE, HUGE, INFINITY, NAN, PIECES, RATE, SGD, X, scheduled, spaced

WRONG_SPACES = {
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
        {f"{RATE}.range_test.steps": "known are start, end, updates, seeds and reuse"},
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
}
