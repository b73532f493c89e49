"""A worker's records as JSON: its own and its trainers', each with study, trial and attempt."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.lehr_worker.fake_server import FakeServer
from tests.lehr_worker.working import Work

from lehr import logs

Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def records(capsys: pytest.CaptureFixture[str]) -> Iterator[Read]:
    """All records so far: those of this process, and those that came from trainers."""
    stream, passed_on = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Json())
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)

    def read() -> list[dict[str, Any]]:
        passed_on.write(capsys.readouterr().err)
        return [
            json.loads(line)
            for line in (stream.getvalue() + passed_on.getvalue()).split("\n")
            if line
        ]

    yield read
    root.removeHandler(handler)
    root.setLevel(before)


def test_a_workers_records_name_the_trial(server: FakeServer, work: Work, records: Read) -> None:
    work(log_format="json")
    server.offer("t", says="printed by a task")
    server.wait_for(lambda: server.of("complete", "t"))

    def found(message: str) -> dict[str, Any]:
        return server.wait_for(lambda: [r for r in records() if message in r["message"]])[0]

    named = {"study": "study", "trial": 0, "attempt": 1}
    for message in ("attempt 1 on cpu", "complete: ", "a record of the task"):
        record = found(message)
        assert {name: record.get(name) for name in named} == named, message
    assert found("a record of the task")["device"] == "cpu"
    assert found("printed by a task")["device"] == "cpu"
    assert "study" not in found("registered as worker")
