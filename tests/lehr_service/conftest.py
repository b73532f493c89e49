"""A scripted researcher and scripted workers, over real HTTP."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lehr.wire.studies import StudyDefinition
from lehr_service.operations.studies import new_study
from lehr_service.settings import Settings
from lehr_service.storage import studies
from lehr_service.storage.session import Database


def definition(**changes: Any) -> dict[str, Any]:
    """A small valid study definition."""
    return {
        "name": "study",
        "task": "task",
        "objective": {"metric": "val_accuracy", "direction": "maximize"},
        "search_space": {
            "optimizer": {
                "sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": True}},
                "adam": {"learning_rate": {"low": 1e-5, "high": 0.1, "log": True}},
            },
            "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}},
        },
        "training": {"epochs": 4},
        "sampler": {"name": "random", "seed": 1},
        "pruner": {"name": "none"},
    } | changes


TWO_GOALS: dict[str, Any] = {
    "objective": None,
    "objectives": [
        {"metric": "val_accuracy", "direction": "maximize"},
        {"metric": "size", "direction": "minimize"},
    ],
}
"""Changes that make of a definition one with two objectives."""


class Simulated:
    """A worker that trains nothing: it sends what the test says."""

    def __init__(
        self, http: httpx.Client, name: str = "worker", tasks: Any = None, abilities: Any = ()
    ) -> None:
        self.http, self.name, self.abilities = http, name, list(abilities)
        self.tasks = {"task": {}} if tasks is None else tasks
        self.register()

    def register(self) -> None:
        facts = {"name": self.name, "tasks": self.tasks}
        if self.abilities:
            facts["abilities"] = self.abilities
        answer = self.http.post("/v1/workers", json=facts)
        assert answer.status_code == 201, answer.text
        self.id = answer.json()["id"]

    def claim(self, request_id: str | None = None, wait: float = 0) -> dict[str, Any] | None:
        body = {"request_id": request_id or str(uuid.uuid4()), "wait": wait}
        answer = self.http.post(f"/v1/workers/{self.id}/claim", json=body)
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.status_code == 200 else None

    def send(self, lease: dict[str, Any], what: str, **body: Any) -> httpx.Response:
        return self.http.post(f"/v1/attempts/{lease['token']}/{what}", json=body)

    def report(self, lease: dict[str, Any], step: int, value: float | None) -> dict[str, Any]:
        answer = self.send(lease, "reports", reports=[{"step": step, "value": value}])
        assert answer.status_code == 200, answer.text
        verdict: dict[str, Any] = answer.json()
        return verdict

    def complete(self, lease: dict[str, Any], **body: Any) -> dict[str, Any]:
        answer = self.send(lease, "complete", **body)
        assert answer.status_code == 200, answer.text
        trial: dict[str, Any] = answer.json()
        return trial

    def heartbeat(self, *leases: dict[str, Any]) -> httpx.Response:
        tokens = {"attempts": [lease["token"] for lease in leases]}
        return self.http.post(f"/v1/workers/{self.id}/heartbeat", json=tokens)

    def run_one(self, value: float = 0.5) -> dict[str, Any] | None:
        """Claim a trial and complete it with a value."""
        lease = self.claim()
        return None if lease is None else self.complete(lease, value=value)


def create(http: httpx.Client, **changes: Any) -> dict[str, Any]:
    answer = http.post("/v1/studies", json=definition(**changes))
    assert answer.status_code == 201, answer.text
    study: dict[str, Any] = answer.json()
    return study


@pytest.fixture(name="definition")
def definition_fixture() -> Callable[..., dict[str, Any]]:
    return definition


@pytest.fixture(name="several")
def several_fixture() -> dict[str, Any]:
    return dict(TWO_GOALS)


@pytest.fixture(name="simulated")
def simulated_fixture() -> type[Simulated]:
    return Simulated


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Open, with this version's tables."""
    found = Database(Settings(database_url=database_url).url)
    found.migrate()
    yield found
    found.close()


@pytest.fixture
def study_ids(database: Database) -> Callable[[int], list[int]]:
    """Stores so many new studies."""

    def stored(count: int) -> list[int]:
        definitions = [
            StudyDefinition.model_validate(definition(name=f"s{n}")) for n in range(count)
        ]
        with database.write() as connection:
            return [
                studies.add(connection, studies.columns(new_study(each, 0.0)))
                for each in definitions
            ]

    return stored


@pytest.fixture(name="create")
def create_fixture() -> Callable[..., dict[str, Any]]:
    return create


def fill(
    url: str, definition: dict[str, Any], trials: int, steps: int, *, eventful: bool = False
) -> None:
    """Write a study of complete trials into a database that has its tables.

    The second of two objectives is the first and up to 1 more: less of it costs something.
    Of ten trials of an eventful study one was pruned at its first step, and one failed.
    """
    import random

    from sqlalchemy import insert

    from lehr.wire.studies import StudyDefinition
    from lehr_service.operations.studies import new_study
    from lehr_service.storage import studies, tables
    from lehr_service.storage.session import Database

    draw, now = random.Random(7), 1.7e9
    study = new_study(StudyDefinition.model_validate(definition), now)
    row = studies.columns(study) | {"state": "completed", "finished_at": now + trials}
    ends = ["complete"] * (8 if eventful else 10) + ["pruned", "fail"] * eventful
    states = [ends[number % 10] for number in range(trials)]
    row |= {state: states.count(state) for state in set(states)}
    row |= {"epochs": trials * steps, "revision": trials, "reason": "done"}
    worker_id = f"{study.name:0>32}"[:32]
    worker = {"id": worker_id, "name": "w", "tasks": {}, "devices": [], "versions": {}}
    worker |= {"registered_at": now, "heard_at": now, "deadline": now, "lost": True}
    new, attempts, reports = [], [], []
    several = len(study.definition.goals) > 1
    for number in range(trials):
        optimizer = draw.choice(["sgd", "adam"])
        params = {
            "optimizer": optimizer,
            f"{optimizer}.learning_rate": 10 ** draw.uniform(-3, -1),
            "schedule": "cosine",
            "cosine.alpha": draw.uniform(0, 0.1),
        }
        value = draw.random()
        start, state = now + number, states[number]
        done = {"complete": steps, "pruned": min(steps, 1), "fail": 0}[state]
        both = [value, value + draw.random()] if several else None
        new.append(
            {"number": number, "state": state, "params": params, "objective_values": both}
            | {"value": None if several or state != "complete" else value}
            | {"attempts": 1, "steps": done, "worker": "w", "revision": number + 1}
            | {"created_at": start, "started_at": start, "finished_at": start + 1}
        )
        attempts.append(
            {
                "token": f"{study.name}-{number}",
                "trial": number,
                "attempt": 1,
                "worker_id": worker_id,
            }
            | {"request_id": str(number), "outcome": "error" if state == "fail" else state}
            | {"started_at": start, "finished_at": start + 1}
        )
        reports += [
            {"trial": number, "attempt": 1, "step": step, "value": value * (step + 1) / steps}
            | {"learning_rate": 0.1 / (step + 1), "metrics": {"loss": 1.0 / (step + 1)}}
            | {"verdict": "continue", "reason": "", "revision": number + 1, "reported_at": start}
            for step in range(done)
        ]
    database = Database(url)
    with database.write() as connection:
        study_id = studies.add(connection, row)
        connection.execute(insert(tables.workers), [worker])
        for table, rows in ((tables.trials, new), (tables.attempts, attempts)):
            connection.execute(insert(table), [r | {"study_id": study_id} for r in rows])
        for start in range(0, len(reports), 50_000):
            some = reports[start : start + 50_000]
            connection.execute(insert(tables.reports), [r | {"study_id": study_id} for r in some])
    database.close()


@pytest.fixture(scope="session")
def large_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with studies of 10,000 trials: ``large``, ``eventful``, ``two`` objectives."""
    file: Path = tmp_path_factory.mktemp("large") / "lehr.db"
    shutil.copy(sqlite_template, file)
    url = f"sqlite:///{file}"
    fill(url, definition(name="large"), 10_000, 2)
    fill(url, definition(name="eventful"), 10_000, 2, eventful=True)
    fill(url, definition(name="two", **TWO_GOALS), 10_000, 0)
    return file


@pytest.fixture
def large_study(
    serve: Callable[..., Any], large_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> httpx.Client:
    """A server of its own with that file."""
    file = tmp_path_factory.mktemp("large") / "lehr.db"
    shutil.copy(large_template, file)
    http: httpx.Client = serve(database_url=f"sqlite:///{file}").http
    return http
