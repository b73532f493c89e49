"""A trainer as the agent sees it: a process that is started, told, listened to, and may die."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lehr.logs import level_name
from lehr.wire.range_tests import RangeTestLease
from lehr.wire.workers import AnyLease, Failure, Lease
from lehr_worker.channel import Channel, Message
from lehr_worker.devices import Device
from lehr_worker.failures import failure
from lehr_worker.libraries import DEFAULTS

STDERR_LINES = 60  # of a dead trainer's last words, for the report

log = logging.getLogger(__name__)


class TrainerDied(Exception):
    """The process is gone; ``failure`` is what to report for the trial it had."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class TrainerProcess:
    """The process that trains on one device; started again after it died.

    ``setup`` is what the trainer gets to know: engine, task modules, when to make checkpoints.
    Orders to a dead trainer are ignored; ``next`` says that it died.
    """

    def __init__(self, device: Device, setup: Mapping[str, Any], data_dir: str | None) -> None:
        self.device = device
        self._setup = {"log_level": level_name(log), **setup, "device": str(device)}
        self._is_json = setup.get("log_format") == "json"
        self._data_dir = data_dir
        self._process: subprocess.Popen[str] | None = None
        self._channel: Channel | None = None
        self._last_words: deque[str] = deque(maxlen=STDERR_LINES)
        self._kills_before = 0

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the process; it says ``ready`` or ``unusable`` once its tasks are loaded."""
        if self._channel is not None:
            self._channel.close()
        self._channel, theirs = Channel.pair()
        self._last_words.clear()
        self._kills_before = _out_of_memory_kills()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lehr_worker.trainer", str(theirs.descriptor)],
            env=self._environment(),
            pass_fds=[theirs.descriptor],
            stdin=subprocess.DEVNULL,
            # What tasks print must not mix with the worker's own output, nor with its records.
            stdout=subprocess.PIPE if self._is_json else 2,
            stderr=subprocess.STDOUT if self._is_json else subprocess.PIPE,
            text=True,
            errors="replace",
        )
        theirs.close()
        threading.Thread(target=self._copy_stderr, args=(self._process,), daemon=True).start()
        self._send("setup", self._setup)

    def train(self, lease: Lease, checkpoint: bytes | None) -> None:
        self._send("train", _ordered(lease), checkpoint)

    def test_range(self, lease: RangeTestLease) -> None:
        self._send("range_test", _ordered(lease))

    def settle(self, token: str, step: int) -> None:
        self._send("settled", {"token": token, "step": step})

    def stop(self, token: str) -> None:
        self._send("end", {"token": token, "word": "stop"})

    def hand_back(self, token: str) -> None:
        """End the trial after this epoch, with a checkpoint."""
        self._send("end", {"token": token, "word": "hand_back"})

    def save(self, token: str) -> None:
        """Make a checkpoint after this epoch."""
        self._send("checkpoint", {"token": token})

    def next(self, seconds: float) -> Message | None:
        """What the trainer says within so many seconds. Raises TrainerDied."""
        if self._channel is None:
            raise TrainerDied(failure("error", "the trainer was not started"))
        try:
            if self._channel.poll(seconds) or (not self.alive and self._channel.poll(0)):
                return self._channel.receive()
        except (EOFError, OSError):
            raise self._death() from None
        if not self.alive:
            raise self._death()
        return None

    def kill(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._channel is not None:
            self._channel.close()

    def _send(self, kind: str, body: dict[str, Any], blob: bytes | None = None) -> None:
        try:
            if self._channel is not None:
                self._channel.send(kind, body, blob)
        except OSError as error:
            log.debug("%s: not told to %s: %s", self.device, kind, error)

    def _environment(self) -> dict[str, str]:
        data = {"LEHR_DATA_DIR": self._data_dir} if self._data_dir else {}
        return DEFAULTS | dict(os.environ) | data | self.device.environment

    def _copy_stderr(self, process: subprocess.Popen[str]) -> None:
        stream = process.stdout if self._is_json else process.stderr
        if stream is None:
            return
        with stream as lines:
            for line in lines:
                self._last_words.append(line)
                if self._is_json and not line.startswith("{"):
                    log.info("%s", line.rstrip("\n"), extra={"device": str(self.device)})
                else:
                    sys.stderr.write(line)

    def _death(self) -> TrainerDied:
        if self._process is None:
            return TrainerDied(failure("error", "the trainer was not started"))
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:  # it closed its pipe and lives on: of no use any more
            self._process.kill()
            code = self._process.wait()
        starved = code == -signal.SIGKILL and _out_of_memory_kills() > self._kills_before
        words = "".join(self._last_words)
        if starved:
            return TrainerDied(
                failure("out_of_memory", "the kernel killed the trainer for its memory", words)
            )
        return TrainerDied(failure("error", f"the trainer died: {_manner(code)}", words))


def _ordered(lease: AnyLease) -> dict[str, Any]:
    return {"lease": lease.model_dump(mode="json"), "named": lease.named}


def _manner(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _out_of_memory_kills() -> int:
    """How often the kernel has killed for memory, in this control group or else on this machine."""
    return sum(_counter(file) for file in _kill_counters())


def _kill_counters() -> list[Path]:
    try:
        group = Path("/proc/self/cgroup").read_text().strip().rpartition("::")[2].lstrip("/")
    except OSError:
        return []
    own = Path("/sys/fs/cgroup", group, "memory.events")
    return [own] if own.is_file() else [Path("/proc/vmstat")]


def _counter(file: Path) -> int:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
