"""Who creates studies, enqueues points and interferes, while everything falls apart."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from typing import Any

from lehr import Client
from lehr.errors import Conflict, LehrError, NotFound, ServerUnreachable, Unavailable

from .workers import TASK

_RANGE = {"low": 0.001, "high": 1.0, "log": True}
_SPACE = {
    "optimizer": {"sgd": {"learning_rate": _RANGE}, "adam": {"learning_rate": _RANGE}},
    "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}},
}
_FINITE = {
    "optimizer": {"sgd": {"learning_rate": [0.001, 0.01, 0.1, 1.0]}},
    "schedule": {"constant": {}, "cosine": {"alpha": [0.0, 0.1]}},
    "parameters": {"batch_size": [32, 64]},
}
_POINTS = 24  # of each of these two
_FLAT = {
    "optimizer": {"sgd": {"learning_rate": [0.001, 0.01, 0.1, 1.0]}},
    "parameters": {"batch_size": [32, 64], "units": [8, 16, 32]},
}
_TESTED = {"optimizer": {"adam": {"learning_rate": {"range_test": {"updates": 60, "seeds": 2}}}}}
_BOTH = [
    {"metric": "val_accuracy", "direction": "maximize"},
    {"metric": "seconds", "direction": "minimize"},
]

KINDS: dict[str, dict[str, Any]] = {
    "tpe": {
        "sampler": {"name": "tpe", "seed": 1, "n_startup_trials": 5},
        "pruner": {"name": "median", "n_startup_trials": 5, "n_warmup_steps": 1},
        "limits": {"max_trials": 40, "max_parallel": 8},
    },
    "random": {"sampler": {"name": "random"}, "limits": {"max_trials": 40}},
    "halving": {
        "sampler": {"name": "qmc", "seed": 3},
        "pruner": {"name": "successive_halving"},
        "limits": {"max_trials": 30, "max_parallel": 6},
    },
    "grid": {
        "search_space": _FLAT,
        "sampler": {"name": "grid"},
        "labels": {"points": str(_POINTS)},
        "retry": {"max_attempts": 100},
    },
    "brute": {
        "search_space": _FINITE,
        "sampler": {"name": "brute_force", "seed": 5},
        "labels": {"points": str(_POINTS)},
        "limits": {"max_parallel": 5},
        "retry": {"max_attempts": 100},
    },
    "several": {
        "objectives": _BOTH,
        "sampler": {"name": "nsga2", "seed": 2, "population_size": 10},
        "limits": {"max_trials": 30},
    },
    "epochs": {"sampler": {"name": "random"}, "limits": {"max_epochs": 120}},
    "tested": {
        "search_space": _TESTED,
        "sampler": {"name": "random"},
        "limits": {"max_trials": 10, "max_parallel": 3},
        "retry": {"max_attempts": 100},
    },
    "timed": {"sampler": {"name": "random"}, "limits": {"max_parallel": 4, "timeout": 3600}},
}


class Researcher(threading.Thread):
    """Keeps one study of each kind under way until it is told to leave."""

    def __init__(self, servers: str, seed: int) -> None:
        super().__init__(name="researcher")
        self.told: list[dict[str, Any]] = []
        self.leaving = threading.Event()
        self._random = random.Random(seed)
        self._client = Client(servers, timeout=3, retry_seconds=10, sleep=self.leaving.wait)
        self._studies: dict[str, str] = {}  # by kind
        self._created = 0

    def run(self) -> None:
        with self._client:
            while not self.leaving.is_set():
                for kind in KINDS:
                    try:
                        self._look_after(kind)
                    except (ServerUnreachable, Unavailable, NotFound, Conflict):
                        continue  # what came of it is seen in the next round
                    except LehrError as error:
                        self.told.append(
                            {"what": "surprise", "error": repr(error), "said": str(error)}
                        )
                self.leaving.wait(0.3)

    def _look_after(self, kind: str) -> None:
        if self.leaving.is_set():
            return
        name = self._studies.get(kind)
        if name is None or self._client.study(name).state.is_finished:
            self._create(kind)
        elif kind in ("tpe", "random") and self._random.random() < 0.1:
            self._interfere(name)
        if self._random.random() < 0.05:
            self._drain_somebody()

    def _create(self, kind: str) -> None:
        self._created += 1
        name = f"{kind}-{self._created}"
        definition: dict[str, Any] = {
            "name": name,
            "task": TASK,
            "search_space": _SPACE,
            "training": {"epochs": 4},
            "pruner": {"name": "none"},
        } | KINDS[kind]
        if "objectives" not in definition:
            definition["objective"] = _BOTH[0]
        self._client.create_study(definition)
        self._studies[kind] = name
        if kind in ("tpe", "halving"):
            for optimizer in ("sgd", "adam"):
                params = {"optimizer": optimizer, f"{optimizer}.learning_rate": 0.25}
                trial = self._client.enqueue(name, params)
                self.told.append(
                    {
                        "what": "enqueued",
                        "study": name,
                        "trial": trial.number,
                        "params": params,
                    }
                )

    def _interfere(self, name: str) -> None:
        match self._random.choice(["pause", "stop_trial", "cancel"]):
            case "pause":
                self._client.pause(name)
                self.leaving.wait(0.5)
                while not self.leaving.is_set():
                    with suppress(ServerUnreachable, Unavailable):
                        self._client.resume(name)
                        return
            case "stop_trial":
                running = list(self._client.trials(name, state="running", limit=1))
                if running:
                    self._client.stop_trial(name, running[0].number)
            case "cancel" if self._random.random() < 0.3:
                self._client.cancel(name)

    def _drain_somebody(self) -> None:
        workers = list(self._client.workers())
        if workers:
            self._client.drain(self._random.choice(workers).id)

    def leave(self) -> None:
        """Stop creating studies, and let none stay paused."""
        self.leaving.set()
        self.join(30)
