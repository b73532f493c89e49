"""Stored rows in the form that crosses HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lehr.range_tests import NoSuggestion, suggestions
from lehr.wire.pruning import Pruning
from lehr.wire.range_tests import Interval, RangeTestCurve, RangeTestSetup, RangeTestSummary
from lehr.wire.range_tests import RangeTest as RangeTestView
from lehr.wire.studies import Counts, StudyState
from lehr.wire.studies import Study as StudyView
from lehr.wire.trials import Attempt as AttemptView
from lehr.wire.trials import Report, TrialDetails
from lehr.wire.trials import Trial as TrialView
from lehr.wire.workers import Worker as WorkerView
from lehr.wire.workers import WorkerAttempt
from lehr_service.domain import range_test as range_test_rules
from lehr_service.domain.attempt import Attempt
from lehr_service.domain.range_test import Losses, RangeTest
from lehr_service.domain.study import Study, training_seed
from lehr_service.domain.trial import Trial
from lehr_service.storage.workers import Worker


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def moment_or_none(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)


def study_view(
    study: Study,
    best: Trial | None,
    tests: Sequence[RangeTest] = (),
    *,
    pruning: Pruning,
    task_is_offered: bool,
    problems: Sequence[tuple[str, str]] = (),
    tests_are_offered: bool = True,
) -> StudyView:
    """A study; an active one says in its reason what it waits for, or is searched without.

    ``problems``: workers by name, each with why a module of tasks cannot be used there.
    """
    reason = study.reason
    if reason is None and study.state is StudyState.ACTIVE:
        task = study.definition.task
        if not task_is_offered:
            reason = f"no worker that is here offers the task {task!r}{_perhaps(problems)}"
        elif study.is_testing and not tests_are_offered:
            reason = f"its range tests come first, and no worker that is here runs any of {task!r}"
        else:
            reason = _about_tests(study, tests)
    return StudyView(
        name=study.name,
        state=study.state,
        reason=reason,
        revision=study.revision,
        counts=Counts(
            waiting=study.waiting,
            running=study.running,
            complete=study.complete,
            pruned=study.pruned,
            fail=study.fail,
        ),
        epochs=study.epochs,
        best=None if best is None else trial_view(study.name, best),
        range_tests={test.optimizer: _summary(test) for test in tests},
        pruning=pruning,
        definition=study.definition,
        created_at=moment(study.created_at),
        finished_at=moment_or_none(study.finished_at),
    )


def _perhaps(problems: Sequence[tuple[str, str]]) -> str:
    """The first worker whose module of tasks cannot be used: it may be the one that is wanted."""
    how = "start one with: lehr work (--tasks MODULE for tasks of your own)"
    return "; {}: {}".format(*problems[0]) if problems else f"; {how}"


def _about_tests(study: Study, tests: Sequence[RangeTest]) -> str | None:
    if study.is_testing:
        ended = sum(test.state.is_finished for test in tests)
        return f"its range tests come first: {ended} of {len(tests)} are complete"
    told = [f"the range test of {t.optimizer}: {t.message}" for t in tests if t.message]
    return "; ".join(told) or None


def _summary(test: RangeTest) -> RangeTestSummary:
    return RangeTestSummary(state=test.state, message=test.message, bounds=_interval(test))


def _interval(test: RangeTest) -> Interval | None:
    if test.low is None or test.high is None:
        return None
    return Interval(low=test.low, high=test.high)


def range_test_view(test: RangeTest, losses: Losses | None) -> RangeTestView:
    return RangeTestView(
        optimizer=test.optimizer,
        state=test.state,
        message=test.message,
        attempts=test.attempts,
        worker=test.worker,
        setup=RangeTestSetup.model_validate(test.setup),
        curves=_curves(test.setup, losses or {}),
        suggestions=dict(test.suggestions),
        bounds=_interval(test),
        reused_from=test.reused_from,
        started_at=moment_or_none(test.started_at),
        finished_at=moment_or_none(test.finished_at),
    )


def _curves(setup: Mapping[str, Any], losses: Losses) -> list[RangeTestCurve]:
    found = []
    for seed, curve in range_test_rules.curves(setup, losses).items():
        try:
            suggested = suggestions(curve)
        except NoSuggestion:
            suggested = None
        shown = RangeTestCurve(
            seed=seed,
            learning_rates=list(curve.rates),
            losses=list(curve.losses),
            smoothed=list(curve.smoothed),
            diverged_at=curve.diverged_at,
            suggestions=suggested,
        )
        found.append(shown)
    return found


def _trial_fields(study_name: str, trial: Trial) -> dict[str, Any]:
    values = trial.objective_values
    return {
        "study": study_name,
        "number": trial.number,
        "state": trial.state,
        "reason": trial.reason,
        "params": trial.fixed_params if trial.params is None else trial.params,
        "value": trial.value,
        "values": None if values is None else list(values),
        "attempts": trial.attempts,
        "steps": trial.steps,
        "worker": trial.worker,
        "revision": trial.revision,
        "created_at": moment(trial.created_at),
        "started_at": moment_or_none(trial.started_at),
        "finished_at": moment_or_none(trial.finished_at),
    }


def trial_view(study_name: str, trial: Trial) -> TrialView:
    return TrialView(**_trial_fields(study_name, trial))


def trial_details(
    study: Study, trial: Trial, history: Sequence[Attempt], names: dict[str, str]
) -> TrialDetails:
    return TrialDetails(
        **_trial_fields(study.name, trial),
        seed=training_seed(study, trial.number),
        metrics=dict(trial.metrics),
        history=[
            AttemptView(
                attempt=attempt.attempt,
                worker=names.get(attempt.worker_id, attempt.worker_id),
                outcome=attempt.outcome,
                message=attempt.message,
                traceback=attempt.traceback,
                started_at=moment(attempt.started_at),
                finished_at=moment_or_none(attempt.finished_at),
            )
            for attempt in history
        ],
    )


def report_view(row: Any) -> Report:
    return Report(
        step=row.step,
        value=row.value,
        learning_rate=row.learning_rate,
        metrics=row.metrics,
        attempt=row.attempt,
        reported_at=moment(row.reported_at),
    )


def worker_view(worker: Worker, running: Sequence[WorkerAttempt]) -> WorkerView:
    return WorkerView(
        id=worker.id,
        name=worker.name,
        tasks=sorted(worker.tasks),
        devices=worker.devices,
        versions=dict(worker.versions),
        abilities=list(worker.abilities),
        problems=dict(worker.problems),
        state="lost" if worker.lost else "draining" if worker.draining else "alive",
        running=list(running),
        registered_at=moment(worker.registered_at),
        heard_at=moment(worker.heard_at),
        deadline=moment(worker.deadline),
    )
