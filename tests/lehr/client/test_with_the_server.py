"""The client against the real server."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

import lehr
from lehr import Client
from lehr.errors import (
    Conflict,
    Invalid,
    LeaseLost,
    NotFound,
    WaitTimedOut,
    WorkerUnknown,
)
from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import Trial
from lehr.wire.workers import Completion, NewReport, Registration

from .scripted_server import Time


def registration(name: str, task: str = "digits_mlp") -> Registration:
    return Registration(name=name, tasks={task: {}}, devices=["cpu"])


def test_a_study_from_its_definition_to_its_best_trial(
    client: Client, definition: dict[str, Any]
) -> None:
    name = definition["name"]
    definition |= {"limits": {"max_trials": 2}, "task": "full_story"}
    assert client.create_study(definition, validate_only=True).name == name
    with pytest.raises(NotFound):
        client.study(name)
    study = client.create_study(StudyDefinition.model_validate(definition))
    assert client.create_study(definition).created_at == study.created_at
    with pytest.raises(Conflict, match="another study"):
        client.create_study(definition | {"weight": 2.0})
    assert name in [s.name for s in client.studies("active")]
    with pytest.raises(NotFound) as raised:
        client.best(name)
    assert raised.value.code == "no_complete_trial"

    assert client.enqueue(name, {"sgd.learning_rate": 0.5}).number == 0
    worker = client.register(registration("a worker", "full_story"))
    for number, value in enumerate([0.25, 0.75]):
        lease = client.claim(worker.id, uuid4(), wait=5)
        assert lease is not None
        assert lease.trial.number == number
        assert client.heartbeat(worker.id, [lease.token]).stop == []
        report = NewReport(step=0, value=value, learning_rate=0.5, metrics={"loss": math.inf})
        assert client.report(lease.token, [report]).verdict == "continue"
        client.save_checkpoint(lease.token, b"weights")
        assert client.load_checkpoint(lease.token) == b"weights"
        assert client.complete(lease.token, Completion()).value == value
        with pytest.raises(LeaseLost):
            client.report(lease.token, [NewReport(step=1, value=1.0)])
    assert client.claim(worker.id, uuid4()) is None

    assert client.wait_for(name, timeout=10).counts.complete == 2
    best = client.best(name)
    assert isinstance(best, Trial)
    assert (best.number, best.value) == (1, 0.75)
    assert [t.number for t in client.trials(name, order_by="-value")] == [1, 0]
    assert client.trial(name, 0).history[0].worker == "a worker"
    assert [r.metrics for r in client.reports(name, 0)] == [{"loss": None}]
    client.delete_study(name)
    with pytest.raises(NotFound):
        client.study(name)


def test_a_study_is_steered(client: Client, definition: dict[str, Any]) -> None:
    name = client.create_study(definition).name
    assert client.pause(name).state == "paused"
    assert client.resume(name).state == "active"
    changed = client.change_study(name, limits={"max_trials": 9}, weight=3.0, labels={"a": "b"})
    assert changed.definition.limits.max_trials == 9
    assert (changed.definition.weight, changed.definition.labels) == (3.0, {"a": "b"})
    with pytest.raises(Conflict, match="active"):
        client.delete_study(name)
    assert client.cancel(name).state == "cancelled"
    with pytest.raises(Conflict, match="cannot resume"):
        client.resume(name)


def test_a_wrong_definition_names_every_wrong_field(
    client: Client, definition: dict[str, Any]
) -> None:
    with pytest.raises(Invalid) as raised:
        client.create_study(definition | {"training": {"epochs": 0}, "colour": "red"})
    assert {field.path for field in raised.value.fields} == {"training.epochs", "colour"}
    assert "\n  training.epochs: " in str(raised.value)


def test_waiting_for_a_study_ends_with_the_timeout(server: str, definition: dict[str, Any]) -> None:
    clock = Time()
    with Client(server, sleep=clock.sleep, now=clock.now) as client:
        client.create_study(definition)

        def at_last(_study: Any) -> bool:
            clock.seconds += 59.95
            return False

        with pytest.raises(WaitTimedOut, match="is active after 60 s"):
            client.wait_for(definition["name"], until=at_last, timeout=60)


def test_a_stopped_trial_and_a_drained_worker_hear_of_it(
    client: Client, definition: dict[str, Any]
) -> None:
    name = definition["name"]
    client.create_study(definition | {"task": "stopped"})
    worker = client.register(registration("w", "stopped"))
    lease = client.claim(worker.id, uuid4(), wait=5)
    assert lease is not None
    client.stop_trial(name, lease.trial.number)
    client.drain(worker.id)
    answer = client.heartbeat(worker.id, [lease.token])
    assert (answer.stop, answer.drain) == ([lease.token], True)
    assert [w.state for w in client.workers() if w.id == worker.id] == ["draining"]
    with pytest.raises(WorkerUnknown):
        client.heartbeat("0" * 32, [])


def test_threads_share_a_client(client: Client, definition: dict[str, Any]) -> None:
    name = client.create_study(definition).name
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda _: client.enqueue(name, {}).number, range(24)))
    assert sorted(numbers) == list(range(24))


def test_the_package_offers_what_users_import() -> None:
    assert {name for name in lehr.__all__ if getattr(lehr, name)} == set(lehr.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'clients'"):
        _ = lehr.clients  # type: ignore[attr-defined]
