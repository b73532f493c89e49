"""Two ways to run the same story: through mirrors and a table of rows, and through plain Optuna."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import optuna

from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import TrialState
from lehr_service.search import Mirror, TrialSnapshot
from lehr_service.search.samplers import trial_seed

SEED = 7
Trace = list[Any]

CONDITIONAL = {
    "optimizer": {
        "sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": True}},
        "adam": {"learning_rate": {"range_test": {}}, "beta_1": [0.9, 0.95]},
    },
    "schedule": {
        "constant": {},
        "exponential": {
            "decay_steps": {"epochs": {"low": 1, "high": 3, "int": True}},
            "decay_rate": {"low": 0.5, "high": 0.99},
        },
    },
    "warmup": {"low": 0.0, "high": 0.1},
    "parameters": {
        "widths": [[8], [8, 16], [32]],
        "dropout": {"low": 0.0, "high": 0.5, "step": 0.2},
        "layers": {"low": 1, "high": 6, "step": 2, "int": True},
    },
}
GRID = {
    "optimizer": {"sgd": {"learning_rate": [0.1, 0.01]}},
    "parameters": {
        "x": {"low": 0, "high": 2, "int": True},
        "y": {"low": 0, "high": 1, "step": 0.4},
    },
}
TREE = {
    "optimizer": {
        "sgd": {"learning_rate": [0.1, 0.01]},
        "adam": {"learning_rate": [0.1, 0.01], "beta_1": [0.9, 0.95]},
    },
    "parameters": {"x": {"low": 0.1, "high": 0.7, "step": 0.3}},
}


def define(space: dict[str, Any], **fields: Any) -> StudyDefinition:
    objective = {"objective": {"metric": "loss", "direction": "minimize"}}
    return StudyDefinition.model_validate(
        {"name": "s", "task": "t", "search_space": space, "training": {"epochs": 9}}
        | ({} if "objectives" in fields else objective)
        | fields
    )


def suggest_conditional(trial: optuna.Trial) -> dict[str, Any]:
    params: dict[str, Any] = {
        "optimizer": trial.suggest_categorical("optimizer", ["sgd", "adam"]),
    }
    if params["optimizer"] == "sgd":
        params["sgd.learning_rate"] = trial.suggest_float("sgd.learning_rate", 0.001, 1.0, log=True)
    else:
        params["adam.learning_rate"] = trial.suggest_float(
            "adam.learning_rate", 1e-6, 1.0, log=True
        )
        params["adam.beta_1"] = trial.suggest_categorical("adam.beta_1", [0.9, 0.95])
    params["schedule"] = trial.suggest_categorical("schedule", ["constant", "exponential"])
    if params["schedule"] == "exponential":
        params["exponential.decay_steps.epochs"] = trial.suggest_int(
            "exponential.decay_steps.epochs", 1, 3
        )
        params["exponential.decay_rate"] = trial.suggest_float("exponential.decay_rate", 0.5, 0.99)
    params["warmup"] = trial.suggest_float("warmup", 0.0, 0.1)
    widths = trial.suggest_categorical("widths", ["[8]", "[8, 16]", "[32]"])
    params["widths"] = json.loads(widths)
    params["dropout"] = trial.suggest_float("dropout", 0.0, 0.4, step=0.2)
    params["layers"] = trial.suggest_int("layers", 1, 5, step=2)
    return params


def suggest_grid(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "optimizer": trial.suggest_categorical("optimizer", ["sgd"]),
        "sgd.learning_rate": trial.suggest_categorical("sgd.learning_rate", [0.1, 0.01]),
        "x": trial.suggest_int("x", 0, 2),
        "y": trial.suggest_float("y", 0.0, 0.8, step=0.4),
    }


def suggest_tree(trial: optuna.Trial) -> dict[str, Any]:
    params = {"optimizer": trial.suggest_categorical("optimizer", ["sgd", "adam"])}
    name = params["optimizer"]
    params[f"{name}.learning_rate"] = trial.suggest_categorical(
        f"{name}.learning_rate", [0.1, 0.01]
    )
    if name == "adam":
        params["adam.beta_1"] = trial.suggest_categorical("adam.beta_1", [0.9, 0.95])
    params["x"] = trial.suggest_float("x", 0.1, 0.7, step=0.3)
    return params


class PlainSide:
    """Optuna as its manual has it, but for a sampler of its own for each trial."""

    def __init__(
        self,
        definition: StudyDefinition,
        sampler: Callable[[int, int], Any],
        pruner: Any,
        suggest: Callable[[optuna.Trial], dict[str, Any]],
    ) -> None:
        directions = [goal.direction for goal in definition.goals]
        self._study = optuna.create_study(study_name="s", directions=directions, pruner=pruner)
        self._sampler, self._suggest = sampler, suggest
        self._trials: dict[int, optuna.Trial] = {}

    def enqueue(self, params: dict[str, Any]) -> None:
        texts = {"widths": json.dumps(params["widths"])} if "widths" in params else {}
        self._study.enqueue_trial(params | texts)

    def ask(self) -> tuple[int, dict[str, Any]]:
        trials = self._study.get_trials(deepcopy=False)
        waiting = [t.number for t in trials if t.state.name == "WAITING"]
        number = min(waiting, default=len(trials))
        self._study.sampler = self._sampler(SEED, trial_seed(SEED, number))
        trial = self._study.ask()
        self._trials[trial.number] = trial
        return trial.number, self._suggest(trial)

    def report(self, number: int, step: int, value: float) -> bool:
        if len(self._study.directions) > 1:
            return False
        self._trials[number].report(value, step)
        return self._trials[number].should_prune()

    def tell(self, number: int, state: TrialState, values: list[float] | None) -> None:
        told = optuna.trial.TrialState[state.name]
        with contextlib.suppress(RuntimeError):  # grid and brute force try to stop a loop
            self._study.tell(number, values, told)


class MirrorSide:
    """Mirrors over rows of JSON; ``turn`` makes the mirror that acts next."""

    def __init__(
        self, definition: StudyDefinition, turn: Callable[[MirrorSide], Mirror] | None = None
    ) -> None:
        self.definition = definition
        self.rows: dict[int, str] = {}
        self.revisions: dict[int, int] = {}
        self.study_attrs = "{}"
        self.revision = 0
        self.mirror = self.new()
        self._turn = turn

    def new(self) -> Mirror:
        return Mirror(self.definition, "s", SEED)

    def snapshots(self, since: int) -> Iterator[TrialSnapshot]:
        for number in sorted(n for n, r in self.revisions.items() if r > since):
            row = json.loads(self.rows[number])
            reports = {int(step): value for step, value in row.pop("reports").items()}
            yield TrialSnapshot(**row | {"state": TrialState(row["state"]), "reports": reports})

    def catch_up(self, mirror: Mirror) -> Mirror:
        mirror.load(self.snapshots(mirror.revision), json.loads(self.study_attrs))
        mirror.revision = self.revision
        return mirror

    def _acting(self) -> Mirror:
        if self._turn is not None:
            self.mirror = self._turn(self)
        return self.mirror

    def _store(self, number: int, **fields: Any) -> None:
        changes = self.mirror.take_changes()
        self.revision += 1
        if changes.study is not None:
            self.study_attrs = json.dumps(changes.study)
        fresh = {
            "number": number,
            "state": "waiting",
            "params": None,
            "fixed_params": {},
            "values": None,
            "reports": {},
            "attrs": {},
        }
        row = json.loads(self.rows[number]) if number in self.rows else fresh
        reports = row["reports"] | fields.pop("reports", {})
        self.rows[number] = json.dumps(row | fields | {"reports": reports}, sort_keys=True)
        self.revisions[number] = self.revision
        for changed, attrs in changes.trials.items():
            row = json.loads(self.rows[changed])
            self.rows[changed] = json.dumps(row | {"attrs": attrs}, sort_keys=True)
            self.revisions[changed] = self.revision
        self.mirror.revision = self.revision

    def enqueue(self, params: dict[str, Any]) -> None:
        self._store(self._acting().enqueue(params), fixed_params=params)

    def ask(self) -> tuple[int, dict[str, Any]]:
        waiting = [n for n, row in self.rows.items() if json.loads(row)["state"] == "waiting"]
        asked = self._acting().ask(min(waiting, default=None))
        self._store(asked.number, params=asked.params, state="running")
        return asked.number, asked.params

    def report(self, number: int, step: int, value: float) -> bool:
        mirror = self._acting()
        mirror.report(number, step, value)
        decision = mirror.judge(number)
        self._store(number, reports={str(step): None if value != value else value})
        assert decision.reason
        return decision.word == "prune"

    def tell(self, number: int, state: TrialState, values: list[float] | None) -> None:
        self._acting().tell(number, state, values)
        self._store(number, state=state.value, values=values)


class Restarts:
    """A turn that throws the mirror away, one time in four."""

    def __init__(self) -> None:
        self._chance = random.Random(1)

    def __call__(self, side: MirrorSide) -> Mirror:
        return side.catch_up(side.new()) if self._chance.random() < 0.25 else side.mirror


class Replicas:
    """A turn that lets one of two mirrors act, each of which sees changed rows only."""

    def __init__(self) -> None:
        self._chance = random.Random(2)
        self._mirrors: list[Mirror] = []

    def __call__(self, side: MirrorSide) -> Mirror:
        if not self._mirrors:
            self._mirrors = [side.new(), side.new()]
        return side.catch_up(self._chance.choice(self._mirrors))


def loss(params: dict[str, Any], step: int) -> float:
    """A value that depends on the parameters only, so that both sides see the same."""
    chance = random.Random(json.dumps([params, step], sort_keys=True))
    return 1.0 / (1 + step) + chance.random()


def play(side: Any, trials: int, enqueued: list[dict[str, Any]], objectives: int = 1) -> Trace:
    """Up to three trials in parallel, some enqueued, some failed, pruned where told so."""
    chance, trace, running = random.Random(3), [], {}
    enqueued, asked = list(enqueued), 0
    while asked < trials or running:
        if enqueued and chance.random() < 0.1:
            side.enqueue(enqueued.pop())
        elif asked < trials and (not running or (len(running) < 3 and chance.random() < 0.3)):
            number, params = side.ask()
            trace.append((number, params, list(params)))
            running[number], asked = (params, 0), asked + 1
        else:
            number = chance.choice(sorted(running))
            step_or_none = advance(side, number, *running[number], chance, trace, objectives)
            params = running.pop(number)[0]
            if step_or_none is not None:
                running[number] = (params, step_or_none)
    return trace


def advance(
    side: Any,
    number: int,
    params: dict[str, Any],
    step: int,
    chance: random.Random,
    trace: Trace,
    objectives: int,
) -> int | None:
    """One more epoch of a trial, or its end; the next step, None at the end."""
    if chance.random() < 0.03:
        side.tell(number, TrialState.FAIL, None)
        return None
    pruned = side.report(number, step, loss(params, step))
    trace.append((number, step, pruned))
    if pruned:
        side.tell(number, TrialState.PRUNED, None)
        return None
    if step == 8:
        side.tell(number, TrialState.COMPLETE, [loss(params, 9 + i) for i in range(objectives)])
        return None
    return step + 1
