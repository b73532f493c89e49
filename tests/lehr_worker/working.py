"""Agents under test: in a thread of this process, their trainers in real processes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lehr_worker.fake_server import FakeServer

from lehr_worker.agent import Agent
from lehr_worker.devices import CPU
from lehr_worker.options import AgentOptions

HERE = Path(__file__).parent
LIGHT = "light_engine:LightEngine"
PYTHONPATH = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))


class Gate:
    """Lets a light trial into its epochs one by one."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "gate")

    def open(self, step: int | str) -> None:
        Path(f"{self.path}.{step}").touch()

    @property
    def pid(self) -> int:
        """Of the trainer that waits at the gate."""
        text = until(lambda: self._read("pid"))
        return int(text)

    @property
    def is_passed(self) -> bool:
        return Path(f"{self.path}.end").exists()

    def _read(self, what: str) -> str:
        file = Path(f"{self.path}.{what}")
        return file.read_text() if file.exists() else ""


class Worker:
    """An agent in a thread; ``status`` is its exit status once it has left."""

    def __init__(self, url: str, **options: Any) -> None:
        given = {"engine": LIGHT, "claim_seconds": 5.0, "name": "tested", "devices": "cpu"}
        self.agent = Agent(AgentOptions(server=url, **(given | options)), [CPU])
        self.status: int | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.status = self.agent.run()

    def leave(self) -> None:
        """As one signal does."""
        self.agent.departure.ask()

    def left(self, seconds: float = 20.0) -> int | None:
        """Its exit status; fails if it does not leave in time."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the worker did not leave"
        return self.status

    def end(self) -> None:
        self.leave()
        self.leave()
        self.left()


Work = Callable[..., Worker]


def ends_well(server: FakeServer, token: str = "after") -> None:
    """The worker still takes a lease and completes it."""
    server.offer(token)
    server.wait_for(lambda: server.of("complete", token))
    assert server.steps(token) == [0, 1, 2]


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first true value of a condition; fails after so long."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        threading.Event().wait(0.01)
    return found


def is_alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def children(pid: int) -> list[int]:
    """Processes that this one started, by any of its threads."""
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in files for child in file.read_text().split()]
