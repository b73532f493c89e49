"""One attempt at a range test, on the agent's side: nothing to report, one result to send."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from lehr.client import Client
from lehr.errors import LeaseLost, LehrError, NotFound
from lehr.wire.range_tests import RangeTest, RangeTestLease, RangeTestResult
from lehr.wire.workers import Failure, NewReport
from lehr_worker.attempts import Pupil
from lehr_worker.failures import failure
from lehr_worker.patience import GaveUp, insist

T = TypeVar("T")

log = logging.getLogger(__name__)


class RangeTestAttempt:
    """One attempt under way; once it is ``over`` nothing more is sent for it."""

    def __init__(self, client: Client, lease: RangeTestLease, trainer: Pupil) -> None:
        self.lease = lease
        self.label = f"{lease.study}, range test of {lease.optimizer['name']}"
        self.over = threading.Event()
        self._client = client
        self._trainer = trainer

    @property
    def token(self) -> str:
        return self.lease.token

    def report(self, report: NewReport) -> None:
        """A range test has no steps."""

    def keep(self, step: int, state: bytes) -> None:
        """A range test is short: it starts anew."""

    def flush(self, seconds: float) -> bool:
        """There is nothing to keep."""
        return True

    def end(self, ending: RangeTestResult | Failure | None) -> None:
        """Send this, for as long as it takes; None where the server knows how it ended."""
        try:
            self._deliver(ending)
        except GaveUp:
            log.debug("%s: nothing more is sent", self.label)
        except (LeaseLost, NotFound) as error:
            self.lose(str(error))
        except LehrError as error:
            self._refused(error)
        finally:
            self.over.set()

    def lose(self, reason: str) -> None:
        """The lease is gone: the trainer stops, and nothing more is sent."""
        if not self.over.is_set():
            log.warning("%s: stopped: %s", self.label, reason)
        self.give_up()

    def give_up(self) -> None:
        """Send nothing more, though the server may not know the attempt's end."""
        self.over.set()
        self._trainer.stop(self.token)

    def _deliver(self, ending: RangeTestResult | Failure | None) -> None:
        if isinstance(ending, Failure):
            self._insist(lambda: self._client.fail_range_test(self.token, ending))
            log.info("%s: %s: %s", self.label, ending.outcome, ending.message)
        elif isinstance(ending, RangeTestResult):
            test = self._insist(lambda: self._client.complete_range_test(self.token, ending))
            log.info("%s: %s", self.label, _result(test))

    def _refused(self, error: LehrError) -> None:
        """What the server says no to, it will never take."""
        log.error("%s: the server refused what the worker sent: %s", self.label, error)
        told = failure("error", f"the server refused what the worker sent: {error}")
        try:
            self._insist(lambda: self._client.fail_range_test(self.token, told))
        except (LehrError, GaveUp) as second:
            log.debug("%s: %s", self.label, second)

    def _insist(self, call: Callable[[], T]) -> T:
        return insist(call, self.over, self.label)


def _result(test: RangeTest) -> str:
    if test.bounds is None or test.message:
        return test.message or str(test.state)
    return f"search {test.bounds.low:.2g} to {test.bounds.high:.2g}"
