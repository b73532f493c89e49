"""What a trainer does about checkpoints: when to make one, and how it gets to the agent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from lehr_worker.channel import Channel

STALL_SHARE = 0.02  # of a training's time, at most, for it to wait while its state is copied
PART_BYTES = 1 << 20  # reports get through between the parts of a checkpoint


@dataclass(frozen=True)
class Interval:
    """How often a trial's state is saved: what comes first counts."""

    epochs: int | None
    seconds: float


class Pace:
    """When the state of one trial is due. Times are those of one clock, in seconds.

    A state that takes long to copy is saved less often than asked: never so that the training has
    waited for more than 2 % of its time.
    """

    def __init__(self, interval: Interval) -> None:
        self.copies = 0
        self.stalled = 0.0  # seconds that the training has waited
        self._interval = interval
        self._began: float | None = None
        self._saved_at = 0.0
        self._epochs = 0  # since then
        self._last = 0.0  # what the last copy took

    def epoch(self, now: float, seconds: float) -> None:
        """An epoch that took so long has ended."""
        if self._began is None:
            self._began = self._saved_at = now - seconds
        self._epochs += 1

    def is_due(self, now: float) -> bool:
        wanted = now - self._saved_at >= self._interval.seconds or (
            self._interval.epochs is not None and self._epochs >= self._interval.epochs
        )
        return wanted and self.stalled + self._last <= STALL_SHARE * self._trained(now)

    def saved(self, began: float, ended: float) -> None:
        """The training has waited from ``began`` to ``ended`` for its state to be copied."""
        self._last = ended - began
        self.stalled += self._last
        self._saved_at = ended
        self._epochs = 0
        self.copies += 1

    def share(self, now: float) -> float:
        """Of the training's time that it has waited."""
        return self.stalled / max(self._trained(now), 1e-9)

    def _trained(self, now: float) -> float:
        return 0.0 if self._began is None else now - self._began


class Saver:
    """Sends states to the agent, one at a time and in parts, in a thread of its own."""

    def __init__(self, channel: Channel, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._channel = channel
        self._job: tuple[str, int, bytes] | None = None
        self._news = threading.Condition()
        threading.Thread(target=self._run, name="saver", daemon=True).start()

    @property
    def is_idle(self) -> bool:
        return self._job is None

    def send(self, token: str, step: int, state: bytes) -> None:
        """Send this attempt's state after the step, when the one before has been sent."""
        with self._news:
            self._news.wait_for(lambda: self._job is None)
            self._job = token, step, state
            self._news.notify_all()

    def flush(self) -> None:
        """Wait until everything has been sent."""
        with self._news:
            self._news.wait_for(lambda: self._job is None)

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._job is not None)
                job = self._job
            if job is not None:
                self._send(*job)
            with self._news:
                self._job = None
                self._news.notify_all()

    def _send(self, token: str, step: int, state: bytes) -> None:
        view = memoryview(state)
        for start in range(0, len(view), PART_BYTES):
            is_last = start + PART_BYTES >= len(view)
            body = {"token": token, "step": step, "last": is_last}
            self._channel.send("checkpoint", body, view[start : start + PART_BYTES])
