"""The desk: what one transaction on one study works with, and writes back at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from lehr import logs
from lehr.wire.range_tests import RangeTestState
from lehr.wire.studies import StudyState
from lehr.wire.trials import Outcome, TrialState
from lehr_service.domain import range_test as range_test_rules
from lehr_service.domain import study as study_rules
from lehr_service.domain.attempt import Attempt, Kind, check_kind
from lehr_service.domain.range_test import Losses, RangeTest
from lehr_service.domain.study import Study
from lehr_service.domain.trial import Trial, ending
from lehr_service.errors import AttemptUnknown, TrialUnknown, WorkerUnknown
from lehr_service.operations.ledger import Claim, Ledger
from lehr_service.search import Mirror
from lehr_service.storage import attempts, range_tests, studies, trials, workers
from lehr_service.storage.questions import ask


@dataclass
class Desk:
    """A locked study, its mirror, and the changes under way.

    An operation checks everything before it changes anything, so that one that is refused leaves
    the others of its batch alone.
    """

    unflushed: Connection  # for rows that no act of the batch has written
    study: Study
    mirror: Mirror
    ledger: Ledger
    now: float
    lease_seconds: float
    grace_until: float
    asks_here: bool = True  # whether a new point is suggested here, or beside the lane
    heard: set[str] = field(default_factory=set)
    asks: list[float] = field(default_factory=list)  # seconds that each suggestion took here
    _workers: dict[str, workers.Worker] = field(default_factory=dict)  # of claims looked up

    def __post_init__(self) -> None:
        self.found = self.study  # as the transaction has found it

    @property
    def connection(self) -> Connection:
        """The connection, with all changes so far written, for queries that may look at them."""
        self.ledger.flush(self.unflushed)
        return self.unflushed

    def know(
        self,
        claims: Collection[Claim],
        answered: Mapping[Claim, Attempt],
        claiming: Mapping[str, workers.Worker],
    ) -> None:
        """What each claim of the batch would ask by itself."""
        self.ledger.know(claims, answered)
        self._workers |= claiming

    def worker(self, worker_id: str) -> workers.Worker:
        """A worker that claims. Raises WorkerUnknown where it is none, or was given up."""
        if worker_id not in self._workers:
            self._workers |= ask(self.unflushed, workers.some([worker_id]))
        worker = self._workers.get(worker_id)
        if worker is None or worker.lost:
            raise WorkerUnknown(worker_id)
        return worker

    def trial(self, number: int) -> Trial:
        """Raises TrialUnknown."""
        trial = self.ledger.trial(self.unflushed, number)
        if trial is None:
            raise TrialUnknown(self.study.name, number)
        return trial

    def attempt(self, token: str, kind: Kind | None = "trial") -> Attempt:
        """An attempt of this kind, None: of any. Raises AttemptUnknown, WrongKind."""
        attempt = self.ledger.attempt(self.unflushed, token)
        if attempt is None or attempt.study_id != self.study.id:
            raise AttemptUnknown
        logs.know(study=self.study.name, attempt=attempt.attempt, **{attempt.kind: attempt.trial})
        if kind is not None:
            check_kind(attempt, kind)
        return attempt

    def range_test(self, attempt: Attempt) -> RangeTest:
        """The range test that this is an attempt at. Raises AttemptUnknown."""
        test = range_tests.get(self.connection, self.study.id, attempt.trial)
        if test is None:
            raise AttemptUnknown
        return test

    @property
    def revision(self) -> int:
        """The revision that this transaction writes."""
        return self.mirror.revision + 1

    @property
    def deadline(self) -> float:
        """Until when a worker that is heard now keeps its leases."""
        return self.now + self.lease_seconds

    def change(self, **values: Any) -> None:
        """Change the study."""
        self.study = replace(self.study, **values)

    def add(self, trial: Trial) -> Trial:
        """Store a new trial and count it."""
        trial = replace(trial, revision=self.revision)
        self.ledger.add_trial(trial)
        self._count(_counted(trial))
        return trial

    def save(self, old: Trial, **values: Any) -> Trial:
        """Store a changed trial and count it in its new state."""
        new = replace(old, **values, revision=self.revision)
        self.ledger.save_trial(new, only_steps=values.keys() == {"steps"})
        counts = _counted(new)
        counts.subtract(_counted(old))
        self._count(counts)
        return new

    def _count(self, counts: Counter[str]) -> None:
        changes = {name: getattr(self.study, name) + by for name, by in counts.items() if by}
        self.change(**changes)

    def end(
        self,
        attempt: Attempt,
        trial: Trial,
        outcome: Outcome,
        *,
        message: str | None = None,
        traceback: str | None = None,
        values: Sequence[float] | None = None,
        metrics: dict[str, float | None] | None = None,
    ) -> Trial:
        """End an attempt, and with it its trial unless that waits again."""
        self._end_attempt(attempt, outcome, message, traceback)
        lost = trial.lost + (outcome is Outcome.LOST)
        state, reason = ending(outcome, lost, self.study.definition.retry.max_attempts)
        if not state.is_finished:
            return self.save(trial, state=state, reason=reason, lost=lost)
        return self.finish(trial, state, reason, values=values, lost=lost, metrics=metrics or {})

    def _end_attempt(
        self,
        attempt: Attempt,
        outcome: Outcome,
        message: str | None = None,
        traceback: str | None = None,
    ) -> None:
        self.ledger.end_attempt(
            replace(
                attempt,
                outcome=outcome,
                message=message,
                traceback=traceback,
                finished_at=self.now,
            )
        )

    def finish(
        self,
        trial: Trial,
        state: TrialState,
        reason: str | None,
        values: Sequence[float] | None = None,
        **more: Any,
    ) -> Trial:
        """Finish a trial and tell the sampler."""
        self.mirror.tell(trial.number, state, None if values is None else list(values), reason)
        self.ledger.remove_checkpoint(trial.number)
        several = len(self.study.definition.goals) > 1
        return self.save(
            trial,
            state=state,
            reason=reason,
            value=values[0] if values and not several else None,
            objective_values=list(values) if values and several else None,
            finished_at=self.now,
            **more,
        )

    def save_range_test(
        self, old: RangeTest, new: RangeTest, losses: Losses | None = None
    ) -> RangeTest:
        """Store a changed range test and count it; after the last one the search is opened."""
        range_tests.save(self.connection, self.study.id, new, losses)
        waiting, running = RangeTestState.WAITING, RangeTestState.RUNNING
        self.change(
            range_tests_waiting=self.study.range_tests_waiting
            + (new.state is waiting)
            - (old.state is waiting),
            range_tests_running=self.study.range_tests_running
            + (new.state is running)
            - (old.state is running),
        )
        if not self.study.is_testing and new.state is RangeTestState.COMPLETE:
            tests = range_tests.of_study(self.connection, self.study.id)
            self.mirror.narrow(range_test_rules.bounds(tests))
        return new

    def end_range_test(
        self,
        attempt: Attempt,
        test: RangeTest,
        outcome: Outcome,
        told: str | None = None,
        traceback: str | None = None,
        losses: Losses | None = None,
        **found: Any,
    ) -> None:
        """End an attempt at a range test; one that fails for good fails its study."""
        self._end_attempt(attempt, outcome, told, traceback)
        lost = test.lost + (outcome is Outcome.LOST)
        most = self.study.definition.retry.max_attempts
        state, message = range_test_rules.ending(outcome, lost, most, told)
        ended: dict[str, Any] = {"state": state, "lost": lost, "message": message}
        if state.is_finished:
            ended["finished_at"] = self.now
        self.save_range_test(test, replace(test, **ended | found), losses)
        if state is RangeTestState.FAILED and not self.study.state.is_finished:
            first_line = (message or "").partition("\n")[0]
            reason = f"the range test of {test.optimizer} failed: {first_line:.500}"
            self.move(StudyState.FAILED, reason)

    def _cancel_range_tests(self) -> None:
        for test in range_tests.of_study(self.connection, self.study.id):
            if test.state.is_finished:
                continue
            attempt = attempts.running_of_range_test(self.connection, self.study.id, test.number)
            if attempt is not None:
                self._end_attempt(attempt, Outcome.CANCELLED)
            failed = replace(test, state=RangeTestState.FAILED, message="cancelled with its study")
            self.save_range_test(test, replace(failed, finished_at=self.now))

    def settle(self) -> None:
        """Let the study go where its limits and its trials send it."""
        while step := study_rules.next_state(self.study, self.now):
            self.move(*step)

    def move(self, state: StudyState, reason: str | None) -> None:
        """Put the study into a state; a finished one has no trial that waits or runs."""
        self.change(state=state, reason=reason, finished_at=self.now if state.is_finished else None)
        if state in (StudyState.CANCELLED, StudyState.FAILED):
            self._cancel_running()
        if state.is_finished or state is StudyState.STOPPING:
            self._cancel_waiting()
            if self.study.is_testing:
                self._cancel_range_tests()

    def _cancel_running(self) -> None:
        for trial in trials.in_state(self.connection, self.study.id, TrialState.RUNNING):
            attempt = attempts.running_of_trial(self.connection, self.study.id, trial.number)
            if attempt is not None:
                self.end(attempt, trial, Outcome.CANCELLED)

    def _cancel_waiting(self) -> None:
        for trial in trials.in_state(self.connection, self.study.id, TrialState.WAITING):
            self.finish(trial, TrialState.FAIL, Outcome.CANCELLED.value)

    def close(self) -> None:
        """Write what changed; the last act of the transaction."""
        changes, new = self.mirror.take_changes(), self.ledger.new_numbers
        self.ledger.flush(self.unflushed, changes.trials)
        old = {number: attrs for number, attrs in changes.trials.items() if number not in new}
        if old:
            trials.save_attrs(self.unflushed, self.study.id, old, self.revision)
        if self.study is not self.found or changes.trials or changes.study is not None:
            self.study = replace(self.study, revision=self.revision)
            studies.save(self.unflushed, self.study, self.found, study_attrs=changes.study)
        if self.heard:
            workers.all_heard(self.unflushed, self.heard, self.now, self.deadline)


def _counted(trial: Trial) -> Counter[str]:
    """What a trial adds to the counts of its study."""
    state = trial.state
    counts = Counter({state.value: 1, "epochs": trial.steps})
    if state is TrialState.WAITING and trial.attempts:
        counts["returned"] = 1
    if state is TrialState.FAIL and trial.reason != Outcome.CANCELLED:
        counts["failures"] = 1
    if state.is_finished:
        counts["finished_epochs"] = trial.steps
    return counts
