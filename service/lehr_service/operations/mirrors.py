"""How a mirror comes to know what the database knows."""

from __future__ import annotations

from sqlalchemy import Connection

from lehr.wire.trials import TrialState
from lehr_service.domain.study import Study
from lehr_service.search import Mirror, TrialSnapshot
from lehr_service.storage import reports, studies, trials


def catch_up(
    connection: Connection, study: Study, mirror: Mirror, *, for_sampling: bool = False
) -> None:
    """Load all that changed since the mirror's revision.

    ``for_sampling``: without the reports of trials that are not pruned, which samplers do not read.
    """
    mirror.load(
        _snapshots(connection, study.id, mirror.revision, for_sampling),
        studies.attrs(connection, study.id),
    )
    mirror.revision = study.revision


def _snapshots(
    connection: Connection, study_id: int, revision: int, for_sampling: bool
) -> list[TrialSnapshot]:
    changed = trials.changed_since(connection, study_id, revision)
    wanted = [
        trial.number for trial, _ in changed if not for_sampling or trial.state is TrialState.PRUNED
    ]
    curves = reports.curves_of(connection, study_id, wanted) if wanted else {}
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
