"""Stored rows in the form that crosses HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lehr.wire.studies import Counts, Pruning, StudyState
from lehr.wire.studies import Study as StudyView
from lehr.wire.trials import Attempt as AttemptView
from lehr.wire.trials import Report, TrialDetails
from lehr.wire.trials import Trial as TrialView
from lehr.wire.workers import Worker as WorkerView
from lehr.wire.workers import WorkerAttempt
from lehr_service.domain.attempt import Attempt
from lehr_service.domain.study import Study, training_seed
from lehr_service.domain.trial import Trial
from lehr_service.storage.workers import Worker


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def moment_or_none(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)


def study_view(
    study: Study, best: Trial | None, task_is_offered: bool, pruning: Pruning
) -> StudyView:
    """A study; an active one whose task nobody offers says so in its reason."""
    reason = study.reason
    if reason is None and study.state is StudyState.ACTIVE and not task_is_offered:
        reason = f"no worker that is here offers the task {study.definition.task!r}"
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
        pruning=pruning,
        definition=study.definition,
        created_at=moment(study.created_at),
        finished_at=moment_or_none(study.finished_at),
    )


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
        state="lost" if worker.lost else "draining" if worker.draining else "alive",
        running=list(running),
        registered_at=moment(worker.registered_at),
        heard_at=moment(worker.heard_at),
        deadline=moment(worker.deadline),
    )
