"""A worker is killed at a random moment; the one after it reports what would have been reported."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.lehr_worker.fake_server import FakeServer, lease
from tests.lehr_worker.working import HERE, children, is_alive, until

pytestmark = pytest.mark.tensorflow

PROGRAM = """
import sys
from lehr_worker.agent import run
from lehr_worker.options import AgentOptions
sys.exit(run(AgentOptions(server=sys.argv[1], checkpoints=sys.argv[2], tasks=("normed_tasks",),
                          devices="cpu", checkpoint_epochs=1)))
"""
EPOCHS = 80
SLOW = 300.0  # seconds: TensorFlow starts, and the machine may be busy


class Workers:
    """One worker after another on one server, with one place for checkpoints."""

    def __init__(self, folder: Path) -> None:
        self.server = FakeServer()
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, self.server.url, str(self.folder)],
            env={**os.environ, "PYTHONPATH": str(HERE), "TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    def kill(self) -> None:
        """Agent and trainer, in the midst of whatever they do."""
        assert self._process is not None
        pids = [self._process.pid, *children(self._process.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self._process.wait()
        until(lambda: not any(map(is_alive, pids)))

    def offer(self, token: str, facts: dict[str, Any], attempt: int = 1) -> None:
        self.server.offer(token, attempt=attempt, epochs=EPOCHS, **facts)

    def reports(self, token: str) -> dict[int, dict[str, Any]]:
        sent = [r for call in self.server.of("reports", token) for r in call.body["reports"]]
        return {report["step"]: report for report in sent}

    def wait_for_steps(self, token: str, count: int) -> None:
        self.server.wait_for(
            lambda: self._has_failed(token) or len(self.reports(token)) >= count, SLOW
        )

    def complete(self, token: str) -> dict[int, dict[str, Any]]:
        self.server.wait_for(
            lambda: self._has_failed(token) or self.server.of("complete", token), SLOW
        )
        return self.reports(token)

    def _has_failed(self, token: str) -> bool:
        failed = self.server.of("fail", token)
        assert not failed, failed[0].body
        return False

    def end(self) -> None:
        self.kill()
        self.server.close()


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    workers = Workers(tmp_path_factory.mktemp("kept"))
    yield workers
    workers.end()


@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [
        (
            {"name": "sgd", "learning_rate": 0.3},
            {"name": "cosine_restarts", "first_decay": {"epochs": 7}, "t_mul": 1.5},
        ),
        (
            {"name": "momentum", "learning_rate": 0.05, "nesterov": True},
            {"name": "exponential", "decay_steps": {"updates": 50}, "decay_rate": 0.95},
        ),
        (
            {"name": "adam", "learning_rate": 0.01},
            {"name": "reduce_on_plateau", "patience": 2, "factor": 0.7},
        ),
    ],
    ids=["sgd cosine_restarts", "momentum exponential", "adam reduce_on_plateau"],
)
def test_a_killed_trial_goes_on_to_the_bit(
    workers: Workers, optimizer: dict[str, Any], schedule: dict[str, Any]
) -> None:
    name = optimizer["name"]
    trial = lease("")["trial"]
    facts = {"task": "normed", "trial": trial, "optimizer": optimizer, "schedule": schedule}
    chance = random.Random()
    moment = chance.randrange(10, EPOCHS // 2), chance.uniform(0.0, 0.05)
    workers.offer(f"{name}-1", facts)
    workers.wait_for_steps(f"{name}-1", moment[0])
    threading.Event().wait(moment[1])  # anywhere in an epoch, or in writing a checkpoint
    workers.kill()
    workers.server.live.discard(f"{name}-1")
    before = workers.reports(f"{name}-1")
    assert len(before) < EPOCHS, "the trial was over before it was killed"

    workers.start()
    workers.offer(f"{name}-2", facts, attempt=2)
    after = workers.complete(f"{name}-2")
    workers.offer(f"{name}-whole", facts | {"trial": trial | {"number": 1}})
    whole = workers.complete(f"{name}-whole")
    assert sorted(whole) == list(range(EPOCHS))
    assert len({report["learning_rate"] for report in whole.values()}) > 2
    assert 0 < min(after) <= len(before), moment
    assert before == {step: whole[step] for step in before}, moment
    assert after == {step: whole[step] for step in after}, moment
    assert sorted(before | after) == list(range(EPOCHS))
    until(lambda: not list(workers.folder.iterdir()))
