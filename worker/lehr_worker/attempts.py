"""An attempt on the agent's side: what is the same for a trial and for a range test."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol, TypeVar

from lehr.client import Client
from lehr.errors import LeaseLost, LehrError, NotFound
from lehr.wire.workers import Failure
from lehr_worker.failures import failure
from lehr_worker.patience import GaveUp, insist

T = TypeVar("T")

log = logging.getLogger(__name__)


class Pupil(Protocol):
    """The trainer of the attempt: hears of verdicts."""

    def settle(self, token: str, step: int) -> None:
        """The verdict on this step and those before it is: continue."""

    def stop(self, token: str) -> None:
        """End this attempt; nothing of it is wanted any more."""


class Attempt(ABC):
    """One attempt under way.

    Once it is ``over`` (finished on the server's side, lease lost, or given up) nothing more is
    sent for it.
    """

    def __init__(self, client: Client, token: str, label: str, trainer: Pupil) -> None:
        self.token = token
        self.label = label
        self.over = threading.Event()
        self._client = client
        self._trainer = trainer
        self._lost = False  # the lease

    def lose(self, reason: str) -> None:
        """The lease is gone: the trainer stops, and nothing more is sent."""
        if not self.over.is_set():
            log.warning("%s: stopped: %s", self.label, reason)
            self._lost = True
        self._finish()

    def give_up(self) -> None:
        """Send nothing more, though the server may not know the attempt's end."""
        self._finish()

    @abstractmethod
    def _deliver(self) -> None:
        """Send all there is, for as long as it takes. Raises GaveUp, LehrError."""

    @abstractmethod
    def _fail(self, failure: Failure) -> None:
        """Tell the server that the attempt failed. Raises GaveUp, LehrError."""

    def _run(self) -> None:
        """Deliver, whatever the server says to it."""
        try:
            self._deliver()
        except GaveUp:
            log.debug("%s: nothing more is sent", self.label)
        except (LeaseLost, NotFound) as error:
            self.lose(str(error))
        except LehrError as error:
            self._refused(error)
        finally:
            self._finish()

    def _refused(self, error: LehrError) -> None:
        """What the server says no to, it will never take: the attempt cannot go on."""
        message = f"the server refused what the worker sent: {error}"
        log.error("%s: %s", self.label, message)
        try:
            self._fail(failure("error", message))
        except (LehrError, GaveUp) as second:
            log.debug("%s: %s", self.label, second)

    def _finish(self) -> None:
        self.over.set()
        self._trainer.stop(self.token)

    def _insist(self, call: Callable[[], T]) -> T:
        return insist(call, self.over, self.label)
