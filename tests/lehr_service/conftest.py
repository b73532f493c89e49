"""A scripted researcher and scripted workers, over real HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest


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
    } | changes


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


@pytest.fixture(name="simulated")
def simulated_fixture() -> type[Simulated]:
    return Simulated


@pytest.fixture(name="create")
def create_fixture() -> Callable[..., dict[str, Any]]:
    return create
