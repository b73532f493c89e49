"""An engine that trains nothing, for real trainer processes; a lease's parameters steer it.

``says``: printed in step 1;
``gate``: before each epoch wait for the file ``gate.<step>`` (or ``gate.all``), at the end write
``gate.end``;
``polls``: a range test goes on until it is told not to;
``raises``, ``exits``, ``hungry``, ``freezes``: what happens in step 1; ``nan_at``: where
it diverges.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lehr.wire.range_tests import RangeTestLease
from lehr.wire.workers import Lease
from lehr_worker.training.errors import Diverged, OutOfMemory


@dataclass
class Epoch:
    step: int
    metrics: dict[str, float]
    learning_rate: float = 0.1
    seconds: float = 0.5


class LightEngine:
    def __init__(self, modules: Sequence[str]) -> None:
        for module in modules:
            raise ImportError(f"no module named {module}")
        self.schemas: dict[str, dict[str, Any]] = {"light": {}}
        self.versions = {"light": "1"}

    def train(
        self,
        lease: Lease,
        on_epoch: Callable[[Any], bool],
        *,
        resume: bytes | None,
        checkpoint: Callable[[int, Callable[[], bytes]], None],
    ) -> None:
        given = lease.parameters
        if lease.task not in self.schemas:
            raise ValueError(f"task: no {lease.task} here; this worker has light")
        first = int(resume) if resume else 0
        for step in range(first, lease.training.epochs):
            _pass_gate(given.get("gate"), step)
            if step == 1:
                _misbehave(given)
            metrics = {"loss": 1.0 / (step + 1), "val_accuracy": step / 10}
            if step == given.get("nan_at"):
                raise Diverged(step, metrics | {"loss": float("nan")})
            goes_on = on_epoch(Epoch(step, metrics))
            checkpoint(step, lambda next_step=step + 1: str(next_step).encode())
            if not goes_on:
                return
        if "gate" in given:
            Path(f"{given['gate']}.end").touch()

    def range_test(
        self, lease: RangeTestLease, goes_on: Callable[[], bool]
    ) -> dict[int, list[float]]:
        given, losses = lease.parameters, {}
        for seed in lease.seeds:
            _pass_gate(given.get("gate"), seed)
            while "polls" in given and goes_on():
                threading.Event().wait(0.01)
            if not goes_on():
                break
            if seed == 1:
                _misbehave(given)
            losses[seed] = [seed + 1 / (i + 1) for i in range(lease.updates)]
            losses[seed][-1] = float("nan")
        return losses


def _misbehave(given: dict[str, Any]) -> None:
    if "says" in given:
        print(given["says"], flush=True)  # noqa: T201
        logging.getLogger("my_task").warning("a record of the task")
    if "raises" in given:
        raise RuntimeError(given["raises"] + ": \ud800\x00")  # which no server stores
    if "exits" in given:
        sys.stderr.write(f"leaving with status {given['exits']}\n")
        sys.stderr.flush()
        os._exit(given["exits"])
    if "hungry" in given:
        raise OutOfMemory("the model does not fit")
    if "freezes" in given:
        threading.Event().wait()


def _pass_gate(gate: str | None, step: int) -> None:
    """Wait for a file; give up after a minute, so that a broken test leaves nothing behind."""
    if gate is None:
        return
    Path(f"{gate}.pid").write_text(str(os.getpid()))
    end = time.monotonic() + 60
    while not (Path(f"{gate}.{step}").exists() or Path(f"{gate}.all").exists()):
        if time.monotonic() > end:
            os._exit(3)
        threading.Event().wait(0.01)
