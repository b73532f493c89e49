"""When a worker leaves, and how: first it takes no new trials, later it keeps none."""

from __future__ import annotations

import threading

CLAIM_GRACE_SECONDS = 2.0  # for what is under way with the server to be answered


class Departure:
    """The stages of leaving, each an event that threads wait for.

    ``ask`` counts requests to leave and does nothing else, so that a signal handler may call it;
    ``advance`` draws the consequences. Times are those of one monotonic clock, in seconds.
    """

    def __init__(self, drain_seconds: float, hand_back_seconds: float) -> None:
        self.leaving = threading.Event()  # no new trials; the server may set this, too
        self.handing_back = threading.Event()  # running trials end after their epoch
        self.at_once = threading.Event()  # running trials end now
        self.requests = 0
        self._drain_seconds = drain_seconds
        self._hand_back_seconds = hand_back_seconds
        self._left_at: float | None = None
        self._hand_back_at: float | None = None

    def ask(self) -> None:
        self.requests += 1

    def advance(self, now: float) -> None:
        """Enter the stages that are due."""
        if self.requests and self._hand_back_at is None:
            self.leaving.set()
            self._hand_back_at = now + self._drain_seconds
        if self.requests > 1 and not self.at_once.is_set():
            self._hand_back_at = now
            self.at_once.set()
        if self.leaving.is_set() and self._left_at is None:
            self._left_at = now
        if self._hand_back_at is not None and now >= self._hand_back_at:
            self.handing_back.set()

    def is_over(self, now: float, busy: bool) -> bool:
        """Whether to leave even if a device is not done: it waits for nothing that matters."""
        if self._left_at is None:
            return False
        if self._hand_back_at is not None and self.handing_back.is_set():
            patience = 0.0 if self.at_once.is_set() else self._hand_back_seconds
            return now >= self._hand_back_at + 2 * patience + CLAIM_GRACE_SECONDS
        return not busy and now >= self._left_at + CLAIM_GRACE_SECONDS


class Idleness:
    """Whether a worker was without work for so long that it leaves; None: it waits for ever.

    It counts from when the worker was first able to train, so that loading TensorFlow is not
    idling, and goes on while the server is away.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._since: float | None = None

    def begin(self, now: float) -> None:
        """Nothing is at hand from now on: called when work has ended, too."""
        self._since = now

    def is_over(self, now: float, busy: bool) -> bool:
        if self._seconds is None or self._since is None or busy:
            return False
        return now - self._since >= self._seconds
