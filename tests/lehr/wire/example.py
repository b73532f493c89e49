"""An example of all that a study definition can hold, and edits of it."""

import copy

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
