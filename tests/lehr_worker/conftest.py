"""A scripted server, and workers that it talks to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.lehr_worker.fake_server import FakeServer
from tests.lehr_worker.working import PYTHONPATH, Gate, Work, Worker


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.close()


@pytest.fixture
def work(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    """Starts workers in threads; they are told to leave at the end."""
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    started: list[Worker] = []

    def start(**options: Any) -> Worker:
        started.append(Worker(server.url, **options))
        return started[-1]

    yield start
    for worker in started:
        worker.end()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


@pytest.fixture
def full_disk(small_disk: Callable[[str], Any]) -> Path:
    """A folder on a file system of its own that has no room left."""
    disk = small_disk("64k")
    disk.fill()
    place: Path = disk.place
    return place
