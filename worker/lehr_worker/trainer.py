"""The child process of one device: ``python -m lehr_worker.trainer DESCRIPTOR``.

It loads TensorFlow once, keeps one engine for its life, trains the leases that the agent sends
through the pipe, and ends when the agent does. What it is told names tasks that are installed here;
nothing that arrives is ever run.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from lehr import logs
from lehr.wire.range_tests import RangeTestLease, RangeTestResult, SeedLosses
from lehr.wire.workers import Completion, Failure, Lease
from lehr_worker.channel import TELL, Channel, Message
from lehr_worker.failures import raised
from lehr_worker.recorder import Log, NoLog, Recorder
from lehr_worker.saver import Interval, Saver
from lehr_worker.tasks.registry import TaskError
from lehr_worker.training.errors import Diverged, OutOfMemory

WORK = ("train", "range_test")  # messages that bring a lease

log = logging.getLogger(__name__)


class Trains(Protocol):
    """What a trainer needs of an engine."""

    schemas: Mapping[str, dict[str, Any]]  # JSON schema of each task's parameters, by task
    versions: Mapping[str, str]  # of the libraries that training depends on

    def train(
        self,
        lease: Lease,
        on_epoch: Callable[[Any], bool],
        *,
        resume: bytes | None,
        checkpoint: Callable[[int, Callable[[], bytes]], None],
    ) -> None:
        """Train the lease's trial; see ``lehr_worker.training.engine.Engine.train``."""


class TestsRanges(Protocol):
    """What a trainer needs of an engine that has the ability ``range_test``."""

    def range_test(
        self, lease: RangeTestLease, goes_on: Callable[[], bool]
    ) -> Mapping[int, Sequence[float]]:
        """The losses of each seed; of those before ``goes_on`` said no, if it did."""


class Orders:
    """What the agent says, read by a thread of its own and awaited by the training."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._news = threading.Condition()
        self._next: Message | None = None
        self._token = ""
        self._settled = -1
        self.word: str | None = None  # "stop" or "hand_back" once the trial is to end
        self.wants_checkpoint = False

    def listen(self) -> None:
        """Read until the agent is gone, and then leave at once: nobody wants what is trained."""
        try:
            while True:
                self._take(self._channel.receive())
        except (EOFError, OSError):
            leave()

    def next_trial(self) -> Message:
        with self._news:
            self._news.wait_for(lambda: self._next is not None)
            message, self._next = self._next, None
        if message is None:
            raise RuntimeError("woken without a trial")
        return message

    def await_verdict(self, step: int, seconds: float) -> bool:
        """Whether to go on training, as far as is known after at most so many seconds."""
        with self._news:
            self._news.wait_for(lambda: self.word is not None or self._settled >= step, seconds)
            return self.word is None

    def _take(self, message: Message) -> None:
        with self._news:
            if message.kind in WORK:
                self._next = message
                self._token = message.body["lease"]["token"]
                self._settled, self.word, self.wants_checkpoint = -1, None, False
            elif message.body["token"] == self._token:
                self._follow(message)
            self._news.notify_all()

    def _follow(self, message: Message) -> None:
        """Obey for the trial at hand; what was meant for an earlier one comes too late."""
        if message.kind == "settled":
            self._settled = max(self._settled, message.body["step"])
        elif message.kind == "checkpoint":
            self.wants_checkpoint = True
        elif message.kind == "end" and self.word != "stop":
            self.word = message.body["word"]


def leave() -> None:
    """End at once, with all processes that tasks have started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def main() -> None:
    faulthandler.enable()
    faulthandler.register(TELL, chain=True)  # print where all threads stand, then end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    _offer_to_the_kernel()
    for signum in (signal.SIGINT, signal.SIGTERM):  # they reach the whole group; the agent decides
        signal.signal(signum, signal.SIG_IGN)
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)
    channel = Channel.at(descriptor)
    setup = channel.receive().body
    logs.configure(setup.get("log_format", "text"), setup["log_level"], setup["device"])
    orders = Orders(channel)
    threading.Thread(target=orders.listen, name="orders", daemon=True).start()
    try:
        engine = make_engine(setup["engine"], setup["tasks"])
    except TaskError as error:
        channel.send("unusable", {"message": str(error), "traceback": _cause(error)})
        return
    except (Exception, SystemExit) as error:
        told = raised("error", error)
        channel.send("unusable", {"message": told.message, "traceback": told.traceback})
        return
    channel.send("ready", offer(engine))
    saver = Saver(channel)
    interval = Interval(setup["checkpoint_epochs"], setup["checkpoint_seconds"])
    while True:
        work = orders.next_trial()
        with logs.about(**work.body["named"]):
            if work.kind == "range_test":
                test_range(engine, work, orders, channel)
            else:
                train(engine, work, orders, channel, saver, interval, setup["tensorboard"])


def _offer_to_the_kernel() -> None:
    """Where memory runs out, this process is to be killed rather than the agent."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _cause(error: TaskError) -> str:
    """Where the user's own module failed, if that is the reason."""
    return raised("error", error.__cause__).traceback if error.__cause__ else ""


def make_engine(place: str, tasks: Sequence[str]) -> Trains:
    """The engine that the factory at ``package.module:name`` makes for these task modules."""
    module, _, name = place.partition(":")
    engine: Trains = getattr(importlib.import_module(module), name)(tasks)
    return engine


def offer(engine: Trains) -> dict[str, Any]:
    """What is told of an engine; one of one's own need neither test ranges nor know problems."""
    return {
        "tasks": dict(engine.schemas),
        "versions": dict(engine.versions),
        "abilities": ["range_test"] if callable(getattr(engine, "range_test", None)) else [],
        "problems": dict(getattr(engine, "problems", {})),  # of modules that cannot be used
    }


def test_range(engine: Any, work: Message, orders: Orders, channel: Channel) -> None:
    """Run one range test and tell the agent how it ended. Raises nothing, as ``train``."""
    lease = RangeTestLease.model_validate(work.body["lease"])
    tester: TestsRanges = engine
    ending: RangeTestResult | Failure | None
    try:
        losses = tester.range_test(lease, lambda: _goes_on(lease, orders, channel))
        curves = [SeedLosses(seed=seed, losses=list(found)) for seed, found in losses.items()]
        ending = None if orders.word else RangeTestResult(curves=curves)
    except (OutOfMemory, MemoryError) as error:
        ending = _out_of_memory(error)
    except BaseException as error:
        ending = raised("error", error)
    _end(channel, lease.token, ending)


def _goes_on(lease: RangeTestLease, orders: Orders, channel: Channel) -> bool:
    """Asked before each seed, which counts as a step."""
    channel.send("step", {"token": lease.token})
    return orders.word is None


def make_log(tensorboard: str | None, lease: Lease) -> Log:
    """The trial's TensorBoard log in this folder, if one is wanted."""
    if tensorboard is None:
        return NoLog()
    try:
        from lehr_worker.training.tensorboard import TrialLog
    except ImportError as error:  # Keras trains on other back ends too
        log.warning("no TensorBoard logs, which TensorFlow writes: %s", error)
        return NoLog()
    return TrialLog(Path(tensorboard), lease)


def train(
    engine: Trains,
    trial: Message,
    orders: Orders,
    channel: Channel,
    saver: Saver,
    interval: Interval,
    tensorboard: str | None,
) -> None:
    """Train one trial and tell the agent how it ended."""
    lease = Lease.model_validate(trial.body["lease"])
    recorder = Recorder(lease, orders, channel, saver, interval, make_log(tensorboard, lease))
    ending: Completion | Failure | None
    try:
        engine.train(lease, recorder.on_epoch, resume=trial.blob, checkpoint=recorder.on_checkpoint)
        ending = None if recorder.obeyed else recorder.completion()
    except Diverged as error:
        recorder.record_divergence(error)
        ending = raised("diverged", error)
    except (OutOfMemory, MemoryError) as error:
        ending = _out_of_memory(error)
    except BaseException as error:  # a task may raise SystemExit and KeyboardInterrupt, too
        ending = raised("error", error)
    recorder.end(ending)
    _end(channel, lease.token, ending)


def _out_of_memory(error: OutOfMemory | MemoryError) -> Failure:
    if isinstance(error, MemoryError):
        error.add_note("of the machine's memory, not of a device's")
    return raised("out_of_memory", error)


def _end(
    channel: Channel, token: str, ending: Completion | RangeTestResult | Failure | None
) -> None:
    kind = "none" if ending is None else type(ending).__name__.lower()
    body = {} if ending is None else ending.model_dump(mode="json", exclude_unset=True)
    channel.send("ended", {"token": token, "kind": kind, "ending": body})


if __name__ == "__main__":
    main()
