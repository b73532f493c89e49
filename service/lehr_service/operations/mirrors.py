"""How a mirror comes to know what the database knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from lehr.wire.trials import TrialState
from lehr_service.domain.study import Study
from lehr_service.domain.trial import Trial
from lehr_service.search import Mirror, TrialSnapshot
from lehr_service.storage import reports, studies, trials
from lehr_service.storage.questions import Question, ask, ask_all


def catch_up(
    connection: Connection, study: Study, mirror: Mirror, *, for_sampling: bool = False
) -> list[Trial]:
    """Load all that changed since the mirror's revision; the trials that did.

    ``for_sampling``: without the reports of trials that are not pruned, which samplers do not read.
    """
    if not for_sampling:
        return take(study, mirror, ask_all(connection, news(study.id, mirror.revision)))
    asked: list[Question[Any]] = [
        trials.changed_since(study.id, mirror.revision),
        studies.attrs(study.id),
    ]
    changed, attrs = ask_all(connection, asked)
    pruned = [trial.number for trial, _ in changed if trial.state is TrialState.PRUNED]
    curves = ask(connection, reports.curves_of(study.id, pruned)) if pruned else {}
    return take(study, mirror, [changed, curves, attrs])


def news(study_id: int, revision: int) -> list[Question[Any]]:
    """What to ask for ``take`` to bring a mirror of this revision up to date."""
    return [
        trials.changed_since(study_id, revision),
        reports.values_since(study_id, revision),
        studies.attrs(study_id),
    ]


def take(study: Study, mirror: Mirror, answers: Sequence[Any]) -> list[Trial]:
    """Bring a mirror to the study's revision with the answers to ``news``; the trials changed."""
    changed, curves, attrs = answers
    mirror.load(_snapshots(changed, curves), attrs)
    mirror.revision = study.revision
    return [trial for trial, _ in changed]


def _snapshots(
    changed: Sequence[tuple[Trial, dict[str, Any]]],
    curves: Mapping[int, dict[int, float | None]],
) -> list[TrialSnapshot]:
    return [
        TrialSnapshot(
            number=trial.number,
            state=trial.state,
            params=None if trial.params is None else dict(trial.params),
            fixed_params=dict(trial.fixed_params),
            values=list(trial.objective_values)
            if trial.objective_values is not None
            else None
            if trial.value is None
            else [trial.value],
            reports=curves.get(trial.number, {}),
            attrs=attrs,
            reason=trial.reason,
        )
        for trial, attrs in changed
    ]
