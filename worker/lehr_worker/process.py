"""A trainer as the agent sees it: a process that is started, told, listened to, and may die."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, TypeAlias

from lehr.logs import level_name
from lehr.wire.range_tests import RangeTestLease
from lehr.wire.workers import AnyLease, Failure, Lease
from lehr_worker import memory
from lehr_worker.channel import TELL, Channel, Message
from lehr_worker.deaths import death, standing
from lehr_worker.devices import Device
from lehr_worker.failures import FailureOutcome, failure
from lehr_worker.libraries import DEFAULTS
from lehr_worker.noise import is_noise
from lehr_worker.output import Output, to_stderr

TELL_SECONDS = 5.0  # to say where it stands, and end
WORDS_SECONDS = 1.0  # for the last words of the dead to arrive
KILL_SECONDS = 10.0  # longer, and it hangs in the kernel

Inbox: TypeAlias = "queue.SimpleQueue[Message | None]"  # None: there will be no more

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
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._inbox: Inbox = queue.SimpleQueue()
        self._output: Output | None = None
        self._kills_before: int | None = None
        self._held: int | None = None  # bytes of memory, when last looked at

    @property
    def alive(self) -> bool:
        """Whether the process runs; one that has ended is not reaped here, so its id stays its."""
        if self._process is None or self._process.returncode is not None:
            return False
        if not hasattr(os, "waitid"):  # macOS, before Python 3.13
            return self._process.poll() is None
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, flags) is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def held(self) -> int | None:
        """Bytes of memory that the process holds; None if unknown."""
        if self.pid is not None and (found := memory.held(self.pid)) is not None:
            self._held = found
        return self._held

    def start(self) -> None:
        """Start the process; it says ``ready`` or ``unusable`` once its tasks are loaded."""
        self.kill()  # what is left of one that died
        self._channel, theirs = Channel.pair()
        self._kills_before = memory.kernel_kills()
        self._held = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lehr_worker.trainer", str(theirs.descriptor)],
            env=self._environment(),
            pass_fds=[theirs.descriptor],
            process_group=0,  # with all processes that its tasks start, to end them together
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # what tasks print must not mix with the worker's own output
        )
        theirs.close()
        self._inbox = queue.SimpleQueue()
        arguments = self._channel, self._inbox
        threading.Thread(target=_listen, args=arguments, name="inbox", daemon=True).start()
        if self._process.stdout is not None:
            self._output = Output(self._process.stdout, self._show)
        self._send("setup", self._setup)

    def train(self, lease: Lease, checkpoint: bytes | None) -> None:
        self._begin_trial()
        self._send("train", _ordered(lease), checkpoint)

    def test_range(self, lease: RangeTestLease) -> None:
        self._begin_trial()
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
        is_alive = self.alive  # asked first: what the dead have said has arrived soon
        try:
            message = self._inbox.get(timeout=seconds if is_alive else WORDS_SECONDS)
        except queue.Empty:
            message = None
            if is_alive:
                return None
        if message is None:
            raise self._death()
        return message

    def condemn(self, outcome: FailureOutcome, why: str, advice: str = "") -> Failure:
        """End the process, whatever it does; the failure says where it stood, and what to do."""
        if self._process is not None and self.alive:
            self._process.send_signal(TELL)
            self._await_end(TELL_SECONDS)
        self.kill()
        words = self._last_words()
        return failure(outcome, f"{why}{standing(words, signalled=False)}{advice}", words)

    def kill(self) -> None:
        """End the process and all that it started, whatever they do."""
        process, self._process = self._process, None
        if process is not None:
            _kill(process)

    def _send(self, kind: str, body: dict[str, Any], blob: bytes | None = None) -> None:
        try:
            if self._channel is not None:
                self._channel.send(kind, body, blob)
        except OSError as error:
            log.debug("%s: not told to %s: %s", self.device, kind, error)

    def _environment(self) -> dict[str, str]:
        data = {"LEHR_DATA_DIR": self._data_dir} if self._data_dir else {}
        return DEFAULTS | dict(os.environ) | data | self.device.environment

    def _show(self, text: str) -> None:
        """Records go where the worker's own go; what else is printed becomes one."""
        text = "".join(line for line in text.splitlines(keepends=True) if not is_noise(line))
        if not self._is_json:
            to_stderr(text)
            return
        for line in text.splitlines(keepends=True):
            if line.startswith("{"):
                to_stderr(line)
            else:
                log.info("%s", line.rstrip("\n"), extra={"device": str(self.device)})

    def _begin_trial(self) -> None:
        if self._output is not None:
            self._output.begin_trial()

    def _last_words(self) -> str:
        return "" if self._output is None else self._output.last_words(WORDS_SECONDS)

    def _await_end(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self.alive and time.monotonic() < end:
            time.sleep(0.01)

    def _death(self) -> TrainerDied:
        process, held = self._process, self._held
        if process is None:
            return TrainerDied(failure("error", "the trainer was not started"))
        self._await_end(TELL_SECONDS)  # one that closed its pipe and lives on is of no use any more
        self.kill()
        code = process.returncode
        if code is None:
            return TrainerDied(
                failure("error", "the trainer hangs in the kernel", self._last_words())
            )
        return TrainerDied(death(code, self._last_words(), self._kills_before, held))


def _ordered(lease: AnyLease) -> dict[str, Any]:
    return {"lease": lease.model_dump(mode="json"), "named": lease.named}


def _listen(channel: Channel, inbox: Inbox) -> None:
    """Read until the trainer is gone; in a thread, for it may hang in the midst of a message."""
    try:
        while True:
            inbox.put(channel.receive())
    except (EOFError, OSError):
        log.debug("a trainer is gone")
    finally:
        channel.close()
        inbox.put(None)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # all of them have ended
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        log.error("trainer %d does not end: it hangs in the kernel (a disk, a driver)", process.pid)
