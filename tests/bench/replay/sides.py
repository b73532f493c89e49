"""Searches to replay: plain Optuna, this project's search alone, and the whole lane."""

from __future__ import annotations

import math
import tempfile
import uuid
from pathlib import Path
from typing import Any

import optuna
from fastapi.testclient import TestClient

from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import Outcome, TrialState
from lehr_service.app import create_app
from lehr_service.search import Mirror
from lehr_service.search.quiet import quiet
from lehr_service.search.space import suggest
from lehr_service.settings import Settings

_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


class Plain:
    """Optuna as its manual has it: one study, one sampler, one pruner."""

    def __init__(self, definition: StudyDefinition, sampler: Any, pruner: Any) -> None:
        self._space = definition.space
        self._epochs = definition.training.epochs
        direction = definition.goals[0].direction
        self._study = optuna.create_study(direction=direction, sampler=sampler, pruner=pruner)
        self._trials: dict[int, optuna.Trial] = {}

    def ask(self) -> tuple[int, dict[str, Any]]:
        with quiet():
            trial = self._study.ask()
            self._trials[trial.number] = trial
            return trial.number, suggest(trial, self._space)

    def report(self, number: int, step: int, value: float) -> bool:
        self._trials[number].report(value, step)
        return self._trials[number].should_prune()

    def diverge(self, number: int, step: int) -> None:
        """It reports on, for no budget, until the pruner ends it; without one it fails."""
        pruned = any(self.report(number, s, math.nan) for s in range(step, self._epochs))
        self.end(number, "pruned" if pruned else "failed")

    def end(self, number: int, how: str, value: float | None = None) -> None:
        state = optuna.trial.TrialState[_STATES[how].name]
        self._study.tell(self._trials.pop(number), value, state)


class Searched:
    """The mirror that a lane asks, without lane and database."""

    def __init__(self, definition: StudyDefinition, seed: int) -> None:
        self._mirror = Mirror(definition, definition.name, seed)

    def ask(self) -> tuple[int, dict[str, Any]]:
        asked = self._mirror.ask()
        return asked.number, asked.params

    def report(self, number: int, step: int, value: float) -> bool:
        self._mirror.report(number, step, value)
        return self._mirror.judge(number).word == "prune"

    def diverge(self, number: int, step: int) -> None:
        self._mirror.tell(number, TrialState.FAIL, None, Outcome.DIVERGED)

    def end(self, number: int, how: str, value: float | None = None) -> None:
        self._mirror.tell(number, _STATES[how], None if value is None else [value])
        self._mirror.take_changes()


class Served:
    """The real server in this process, lanes and database included, asked as a worker asks it."""

    def __init__(self, definition: StudyDefinition, seed: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        settings = Settings(home=Path(self._folder.name), lease_seconds=3600.0)
        self._http = TestClient(create_app(settings), base_url="http://127.0.0.1")
        self._http.__enter__()
        body = definition.model_dump(mode="json", exclude_none=True)
        self._post("/v1/studies", body | {"sampler": body["sampler"] | {"seed": seed}})
        registration = {"name": "replay", "tasks": {definition.task: {}}}
        self._worker = self._post("/v1/workers", registration)["id"]
        self._tokens: dict[int, str] = {}

    def _post(self, path: str, body: Any) -> Any:
        answer = self._http.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    def ask(self) -> tuple[int, dict[str, Any]]:
        request = {"request_id": str(uuid.uuid4())}
        lease = self._post(f"/v1/workers/{self._worker}/claim", request)
        self._tokens[lease["trial"]["number"]] = lease["token"]
        return lease["trial"]["number"], lease["trial"]["params"]

    def report(self, number: int, step: int, value: float) -> bool:
        body = {"reports": [{"step": step, "value": value}]}
        answer = self._post(f"/v1/attempts/{self._tokens[number]}/reports", body)
        return bool(answer["verdict"] == "prune")

    def diverge(self, number: int, step: int) -> None:
        self._post(f"/v1/attempts/{self._tokens.pop(number)}/fail", {"outcome": "diverged"})

    def end(self, number: int, how: str, value: float | None = None) -> None:
        token = self._tokens.pop(number)
        if how == "complete":
            self._post(f"/v1/attempts/{token}/complete", {"value": value})

    def close(self) -> None:
        self._http.__exit__(None, None, None)
        self._folder.cleanup()
