"""One attempt at a trial, on the agent's side: reports go out in order, verdicts come in."""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextvars import copy_context
from itertools import islice

from lehr.client import Client
from lehr.errors import LehrError
from lehr.wire.workers import Completion, Failure, Lease, NewReport, Verdict
from lehr_worker.attempts import Attempt, Pupil
from lehr_worker.stores import Store
from lehr_worker.uploads import Uploads

REPORTS_A_REQUEST = 100  # fit into the largest body that a server takes, however many metrics

log = logging.getLogger(__name__)


class TrialAttempt(Attempt):
    """One attempt at a trial.

    Reports wait here while the server is silent, and then go out in one request, in order.
    """

    def __init__(self, client: Client, lease: Lease, trainer: Pupil, store: Store) -> None:
        label = f"{lease.study} #{lease.trial.number}"
        super().__init__(client, lease.token, label, trainer)
        self.lease = lease
        self.uploads = Uploads(store, self.label)
        self._reports: deque[NewReport] = deque()
        self._ending: Completion | Failure | None = None
        self._ended = False
        self._finished = False  # the trial
        self._news = threading.Condition()
        context = copy_context()  # for the log
        self._sender = threading.Thread(
            target=context.run, args=[self._run], name=f"send {self.label}", daemon=True
        )
        self._sender.start()

    def report(self, report: NewReport) -> None:
        """Send a step's values when the server has taken those before; returns at once."""
        with self._news:
            self._reports.append(report)
            self._news.notify_all()

    def keep(self, step: int, state: bytes) -> None:
        """Upload the state after this step, in the background."""
        self.uploads.offer(step, state)

    def flush(self, seconds: float) -> bool:
        """Whether all states offered are kept, or failed to be, within so many seconds."""
        return self.uploads.flush(seconds)

    def end(self, ending: Completion | Failure | None) -> None:
        """Send this after the last report; None where the server knows how it ended."""
        with self._news:
            self._ending = ending
            self._ended = True
            self._news.notify_all()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether everything was sent, or is not wanted any more, within so many seconds."""
        self._sender.join(seconds)
        return not self._sender.is_alive()

    def _run(self) -> None:
        try:
            super()._run()
        finally:
            self.uploads.close(finished=self._is_trial_finished())

    def _deliver(self) -> None:
        while self._has_reports():
            self._heed(*self._insist(self._send_reports))
        ending = self._ending
        if ending is None or self.over.is_set():
            return
        if isinstance(ending, Failure):
            self._fail(ending)
            log.info("%s: %s: %s", self.label, ending.outcome, ending.message)
        else:
            trial = self._insist(lambda: self._client.complete(self.token, ending))
            log.info("%s: complete: %s", self.label, _result(trial.value, trial.values))
            self._finished = trial.state.is_finished

    def _fail(self, failure: Failure) -> None:
        trial = self._insist(lambda: self._client.fail(self.token, failure))
        self._finished = trial.state.is_finished

    def _has_reports(self) -> bool:
        """Wait for reports; false when the attempt has ended and all are sent."""
        with self._news:
            self._news.wait_for(lambda: self._reports or self._ended or self.over.is_set())
            return bool(self._reports) and not self.over.is_set()

    def _send_reports(self) -> tuple[Verdict, int]:
        """Send all that wait, those included that came since the last try."""
        with self._news:
            batch = list(islice(self._reports, REPORTS_A_REQUEST))
        verdict = self._client.report(self.token, batch)
        for _ in batch:
            self._reports.popleft()
        return verdict, batch[-1].step

    def _heed(self, verdict: Verdict, step: int) -> None:
        log.debug("%s: step %d: %s: %s", self.label, step, verdict.verdict, verdict.reason)
        if verdict.verdict == "continue":
            self._trainer.settle(self.token, step)
            self.uploads.acknowledge(step)
        else:
            self._finished = True
            log.info("%s: %s at step %d: %s", self.label, verdict.verdict, step, verdict.reason)
            self._finish()

    def _finish(self) -> None:
        super()._finish()
        with self._news:
            self._news.notify_all()

    def _is_trial_finished(self) -> bool:
        """Whether nobody will resume it; asked where the lease was lost: it may be cancelled."""
        if self._finished or not self._lost:
            return self._finished
        try:
            return self._client.trial(self.lease.study, self.lease.trial.number).state.is_finished
        except LehrError as error:
            log.debug("%s: its checkpoints stay: %s", self.label, error)
            return False


def _result(value: float | None, values: list[float] | None) -> str:
    if values is not None:
        return ", ".join(f"{value:g}" for value in values)
    return "no value" if value is None else f"{value:g}"
