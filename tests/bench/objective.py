"""The objective of the service benchmark: six parameters, 20 reports, no training time."""

from __future__ import annotations

import math
from typing import Any

STEPS = 20
TASK = "bench"

SPACE: dict[str, Any] = {
    "optimizer": {
        "momentum": {
            "learning_rate": {"low": 1e-4, "high": 1.0, "log": True},
            "momentum": {"low": 0.5, "high": 0.99},
        }
    },
    "parameters": {
        "batch_size": [32, 64, 128],
        "dropout": {"low": 0.0, "high": 0.5},
        "width": {"low": 8, "high": 256, "int": True, "log": True},
        "weight_decay": {"low": 1e-6, "high": 1e-2, "log": True},
    },
}


def definition(name: str, sampler: dict[str, Any], trials: int | None, **more: Any) -> Any:
    """A lehr study on the objective."""
    return {
        "name": name,
        "task": TASK,
        "objective": {"metric": "loss", "direction": "minimize"},
        "search_space": SPACE,
        "training": {"epochs": STEPS},
        "sampler": sampler,
        "pruner": {"name": "median"},
        "limits": {} if trials is None else {"max_trials": trials},
    } | more


def suggest(trial: Any) -> dict[str, Any]:
    """The same space, asked of an Optuna trial."""
    return {
        "momentum.learning_rate": trial.suggest_float("momentum.learning_rate", 1e-4, 1, log=True),
        "momentum.momentum": trial.suggest_float("momentum.momentum", 0.5, 0.99),
        "batch_size": trial.suggest_categorical("batch_size", [32, 64, 128]),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "width": trial.suggest_int("width", 8, 256, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
    }


def loss(params: dict[str, Any], step: int) -> float:
    """A curve that falls to where the parameters and luck let it, with a little noise."""
    rate, floor = math.log10(params["momentum.learning_rate"]), 0.0
    floor += 0.2 * (rate + 2.0) ** 2 + 2.0 * (params["momentum.momentum"] - 0.9) ** 2
    floor += 0.5 * params["dropout"] + 0.05 * abs(math.log2(params["width"] / 64))
    floor += 0.02 * (math.log10(params["weight_decay"]) + 4) ** 2
    floor += 0.5 * (1e4 * floor % 1.0)  # luck, so that about half of the trials are pruned early
    noise = math.sin(1e4 * (floor + step))
    return floor + math.exp(-(step + 1) / 5) + 0.003 * noise
