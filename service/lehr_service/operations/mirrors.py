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


def catch_up(
    connection: Connection, study: Study, mirror: Mirror, *, for_sampling: bool = False
) -> list[Trial]:
    """Load all that changed since the mirror's revision; the trials that did.

    ``for_sampling``: without the reports of trials that are not pruned, which samplers do not read.
    """
    changed = trials.changed_since(connection, study.id, mirror.revision)
    if for_sampling:
        pruned = [trial.number for trial, _ in changed if trial.state is TrialState.PRUNED]
        curves = reports.curves_of(connection, study.id, pruned) if pruned else {}
    else:
        curves = reports.values_since(connection, study.id, mirror.revision) if changed else {}
    mirror.load(_snapshots(changed, curves), studies.attrs(connection, study.id))
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
