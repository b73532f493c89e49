"""An engine that trains nothing, for real trainer processes; a lease's parameters steer it.

``says``: printed in step 1;
``gate``: before each epoch wait for the file ``gate.<step>`` (or ``gate.all``), at the end write
``gate.end``;
``polls``: a range test goes on until it is told not to;
``raises``, ``exits``, ``hungry``, ``freezes`` and the others of ``_misbehave``: what happens in
step 1; ``nan_at``: where it diverges.
"""

from __future__ import annotations

import logging
import os
import signal
import struct
import subprocess
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


def hangs(modules: Sequence[str]) -> None:
    """A factory that never makes an engine."""
    threading.Event().wait()


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
    for fault in sorted(FAULTS.keys() & given.keys()):
        FAULTS[fault](given[fault])


def _say(said: str) -> None:
    print(said, flush=True)  # noqa: T201
    logging.getLogger("my_task").warning("a record of the task")


def _raise(said: str) -> None:
    raise RuntimeError(said + ": \ud800\x00")  # which no server stores


def _exit(status: int) -> None:
    sys.stderr.write(f"leaving with status {status}\n")
    sys.stderr.flush()
    os._exit(status)


def _starve(_: Any) -> None:
    raise MemoryError("Unable to allocate 8.00 GiB for an array")


def _overfill(_: Any) -> None:
    raise OutOfMemory("the model does not fit")


def _freeze(_: Any) -> None:
    threading.Event().wait()


def _stammer(_: Any) -> None:
    """Say that a message of 1,000 bytes follows, and hang."""
    os.write(int(sys.argv[1]), struct.pack("!i", 1000))
    threading.Event().wait()


def _leak(limit: int) -> None:
    """Up to so many bytes, so that a broken test does not take the machine's."""
    kept = []
    while len(kept) * 2**20 < limit:
        kept.append(b"x" * 2**20)
        threading.Event().wait(0.001)


def _print(count: int) -> None:
    """So many bytes to each of both streams, most of them without an end of line."""
    for stream in (sys.stdout, sys.stderr):
        stream.write("the first line\n")
        for _ in range(count // 2**20):
            stream.write("x" * 2**20)
        stream.write("\nthe last line\n")
        stream.flush()


def _signal(name: str) -> None:
    os.kill(os.getpid(), signal.Signals[name])
    threading.Event().wait()


def _interrupt(name: str) -> None:
    raise {"KeyboardInterrupt": KeyboardInterrupt, "SystemExit": SystemExit}[name]("of the task")


def _fill_disk(path: str) -> None:
    with Path(path).open("wb") as file:
        while True:
            file.write(b"x" * 2**20)


def _have_child(path: str) -> None:
    """A process of the task's own, which writes its id."""
    code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
    subprocess.Popen([sys.executable, "-c", code, path])
    while not (Path(path).exists() and Path(path).read_text()):
        threading.Event().wait(0.01)


FAULTS: dict[str, Callable[[Any], None]] = {
    "a_child": _have_child,  # before what else happens
    "exits": _exit,
    "fills": _fill_disk,
    "freezes": _freeze,
    "hungry": _overfill,
    "interrupts": _interrupt,
    "leaks": _leak,
    "prints": _print,
    "raises": _raise,
    "says": _say,
    "signals": _signal,
    "starves": _starve,
    "stammers": _stammer,
}


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
