"""What happens to range tests: reuse, lease, result, failure. No trial starts before they end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from lehr.wire.range_tests import RangeTest as RangeTestView
from lehr.wire.range_tests import RangeTestLease, RangeTestResult, RangeTestState
from lehr.wire.trials import Outcome
from lehr.wire.workers import Failure
from lehr_service.domain import range_test as rules
from lehr_service.domain import study as study_rules
from lehr_service.domain.attempt import Attempt, check_attempt
from lehr_service.domain.range_test import Losses, RangeTest
from lehr_service.errors import Invalid
from lehr_service.operations import attempts
from lehr_service.operations.desk import Desk
from lehr_service.operations.views import moment, range_test_view
from lehr_service.storage import range_tests, workers

ABILITY = "range_test"


def reused(connection: Connection, test: RangeTest) -> tuple[RangeTest, Losses | None]:
    """The test with the latest result of an equal one, if there is one and it may be taken.

    It is copied, so that it stays when the study that measured it is deleted.
    """
    found = range_tests.known(connection, test.key) if test.reuse else None
    if found is None:
        return test, None
    known, losses, study = found
    taken = replace(
        known, number=test.number, optimizer=test.optimizer, reuse=test.reuse, reused_from=study
    )
    return replace(taken, attempts=test.attempts, lost=test.lost), losses


def claim(desk: Desk, worker: workers.Worker, request_id: str) -> Attempt | None:
    """Start the first range test that waits, if the worker is able and the study may.

    Results that have come up elsewhere are taken over first.
    """
    for test in range_tests.of_study(desk.connection, desk.study.id):
        if test.state is not RangeTestState.WAITING:
            continue
        taken, losses = reused(desk.connection, test)
        if taken.state is RangeTestState.COMPLETE:
            desk.save_range_test(test, taken, losses)
        elif ABILITY in worker.abilities and study_rules.may_test(desk.study):
            return _start(desk, test, worker, request_id)
    return None


def _start(desk: Desk, test: RangeTest, worker: workers.Worker, request_id: str) -> Attempt:
    started = replace(
        test,
        state=RangeTestState.RUNNING,
        message=None,
        attempts=test.attempts + 1,
        worker=worker.name,
        started_at=desk.now,
    )
    desk.save_range_test(test, started)
    number, attempt = started.number, started.attempts
    return attempts.begin(desk, worker, request_id, "range_test", number, attempt)


def lease(desk: Desk, attempt: Attempt) -> RangeTestLease:
    """All that a worker needs to run the attempt's range test."""
    return RangeTestLease(
        token=attempt.token,
        attempt=attempt.attempt,
        study=desk.study.name,
        task=desk.study.definition.task,
        deadline=moment(desk.deadline),
        **desk.range_test(attempt).setup,
    )


def complete(desk: Desk, token: str, sent: RangeTestResult) -> RangeTestView:
    """End an attempt with the losses it measured; asked again, answer the same.

    Raises LeaseLost, WrongKind, and Invalid unless there are as many losses as updates for each
    seed of the test.
    """
    attempt = desk.attempt(token, "range_test")
    test = desk.range_test(attempt)
    if attempt.outcome is not Outcome.COMPLETE:
        check_attempt(attempt)
        losses = {curve.seed: curve.losses for curve in sent.curves}
        _check(sent, test.setup["seeds"], test.setup["updates"])
        desk.heard.add(attempt.worker_id)
        found = rules.result(test.setup, losses)
        desk.end_range_test(attempt, test, Outcome.COMPLETE, losses=losses, **found)
        desk.settle()
    return _shown(desk, attempt)


def _check(sent: RangeTestResult, seeds: Sequence[int], updates: int) -> None:
    wrong = [
        (("curves", index, "losses"), f"must be {updates}, one an update; got {len(curve.losses)}")
        for index, curve in enumerate(sent.curves)
        if len(curve.losses) != updates
    ]
    if wrong:
        raise Invalid("the range test is not whole", wrong)
    if sorted(curve.seed for curve in sent.curves) != sorted(seeds):
        message = f"one curve is needed for each of the seeds {', '.join(map(str, seeds))}"
        raise Invalid(message, [(("curves",), message)])


def fail(desk: Desk, attempt: Attempt, failure: Failure) -> RangeTestView:
    """End an attempt without a result; asked again, answer the same.

    A loss that was never a number suggests nothing, and the search goes on; what stops a range
    test would stop the trials too, and so fails the study.
    """
    outcome = Outcome(failure.outcome)
    if attempt.outcome is not outcome:
        check_attempt(attempt)
        test = desk.range_test(attempt)
        desk.heard.add(attempt.worker_id)
        found: dict[str, Any] = {}
        if outcome is Outcome.DIVERGED:
            why = failure.message or "the training diverged"
            found = rules.nothing_suggested(test.setup, why)
        told = failure.message or None
        desk.end_range_test(attempt, test, outcome, told, failure.traceback or None, **found)
        desk.settle()
    return _shown(desk, attempt)


def _shown(desk: Desk, attempt: Attempt) -> RangeTestView:
    losses = range_tests.losses(desk.connection, desk.study.id)
    return range_test_view(desk.range_test(attempt), losses.get(attempt.trial))
