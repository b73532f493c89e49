"""Checkpoints on their way to where they are kept, beside the training."""

from __future__ import annotations

import logging
import threading

from lehr.errors import LeaseLost
from lehr_worker.stores import Store

log = logging.getLogger(__name__)


class Uploads:
    """Keeps the newest checkpoint of an attempt, once the server has the reports before it.

    So a trial that resumes from it leaves no gap in its reports, and an attempt that has lost its
    lease keeps nothing more. Of those that wait for the server, the oldest and the newest stay.
    What fails is logged and harms nothing: the next checkpoint is another chance.
    """

    def __init__(self, store: Store, label: str) -> None:
        self._store = store
        self._label = label
        self._waiting: list[tuple[int, bytes]] = []  # at most two
        self._known = -1  # the last step whose report the server has
        self._saving = False
        self._has_failed = False  # said once of an attempt
        self._closed = False
        self._finished = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"keep {label}", daemon=True)
        self._thread.start()

    def offer(self, step: int, state: bytes) -> None:
        """Keep the state after this step as soon as may be; returns at once."""
        with self._news:
            self._waiting[1:] = [(step, state)]
            self._news.notify_all()

    def acknowledge(self, step: int) -> None:
        """The server has the reports up to this step."""
        with self._news:
            self._known = max(self._known, step)
            self._news.notify_all()

    def flush(self, seconds: float) -> bool:
        """Whether all that was offered is kept, or failed to be, within so many seconds."""
        with self._news:
            return self._news.wait_for(
                lambda: self._closed or not (self._waiting or self._saving), seconds
            )

    def close(self, *, finished: bool = False) -> None:
        """Keep nothing more, and if the trial is ``finished`` drop what is kept of it."""
        with self._news:
            self._closed, self._finished = True, finished
            self._news.notify_all()

    def join(self, seconds: float) -> None:
        """Wait for what follows from ``close``, at most so long."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while (checkpoint := self._take()) is not None:
            self._save(*checkpoint)
            with self._news:
                self._saving = False
                self._news.notify_all()
        if self._finished:
            self._remove()

    def _take(self) -> tuple[int, bytes] | None:
        """The newest that may be kept; None after ``close``."""
        with self._news:
            self._news.wait_for(lambda: self._closed or self._ready())
            if self._closed:
                return None
            taken = self._ready()[-1]
            self._waiting = [other for other in self._waiting if other[0] > taken[0]]
            self._saving = True
            return taken

    def _ready(self) -> list[tuple[int, bytes]]:
        return [checkpoint for checkpoint in self._waiting if checkpoint[0] <= self._known]

    def _save(self, step: int, state: bytes) -> None:
        try:
            self._store.save(step, state)
            log.debug("%s: checkpoint of step %d: %d bytes", self._label, step, len(state))
        except LeaseLost:
            log.debug("%s: checkpoint of step %d comes too late", self._label, step)
        except Exception as error:  # the drivers of object stores raise what they like
            level = logging.DEBUG if self._has_failed else logging.WARNING
            self._has_failed = True
            what = "%s: checkpoint of step %d not kept, training goes on: %s"
            log.log(level, what, self._label, step, error)

    def _remove(self) -> None:
        try:
            self._store.remove()
        except Exception as error:
            log.warning("%s: its checkpoints are not removed: %s", self._label, error)
