"""One attempt at a range test, on the agent's side: nothing to report, one result to send."""

from __future__ import annotations

import logging

from lehr.client import Client
from lehr.wire.range_tests import RangeTest, RangeTestLease, RangeTestResult
from lehr.wire.workers import Failure, NewReport
from lehr_worker.attempts import Attempt, Pupil

log = logging.getLogger(__name__)


class RangeTestAttempt(Attempt):
    """One attempt at a range test."""

    def __init__(self, client: Client, lease: RangeTestLease, trainer: Pupil) -> None:
        label = f"{lease.study}, range test of {lease.optimizer['name']}"
        super().__init__(client, lease.token, label, trainer)
        self._ending: RangeTestResult | Failure | None = None

    def report(self, report: NewReport) -> None:
        """A range test has no steps."""

    def keep(self, step: int, state: bytes) -> None:
        """A range test is short: it starts anew."""

    def flush(self, seconds: float) -> bool:
        """There is nothing to keep."""
        return True

    def end(self, ending: RangeTestResult | Failure | None) -> None:
        """Send this, for as long as it takes; None where the server knows how it ended."""
        self._ending = ending
        self._run()

    def _deliver(self) -> None:
        if isinstance(self._ending, Failure):
            self._fail(self._ending)
            log.info("%s: %s: %s", self.label, self._ending.outcome, self._ending.message)
        elif self._ending is not None:
            result = self._ending
            test = self._insist(lambda: self._client.complete_range_test(self.token, result))
            log.info("%s: %s", self.label, _result(test))

    def _fail(self, failure: Failure) -> None:
        self._insist(lambda: self._client.fail_range_test(self.token, failure))


def _result(test: RangeTest) -> str:
    if test.bounds is None or test.message:
        return test.message or str(test.state)
    return f"search {test.bounds.low:.2g} to {test.bounds.high:.2g}"
