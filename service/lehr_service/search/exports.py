"""A study as a file that Optuna opens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState
from sqlalchemy import Connection, insert

from lehr.wire.space import searched
from lehr.wire.studies import StudyDefinition
from lehr_service.search.quiet import quiet
from lehr_service.search.snapshots import TrialSnapshot, freeze
from lehr_service.search.space import distribution, encode_all


@dataclass(frozen=True)
class Exported:
    """A trial, when it ran (UTC), and what else is worth keeping of it."""

    snapshot: TrialSnapshot
    started_at: datetime | None
    finished_at: datetime | None
    user_attrs: Mapping[str, Any]


def write_optuna(file: Path, definition: StudyDefinition, trials: Iterable[list[Exported]]) -> None:
    """Write an SQLite file that ``optuna.load_study`` opens, the study's name in it as here.

    ``trials`` come by number, in lists as long as the caller likes. Optuna writes the schema; the
    rows go in at once, for its own way takes some 30 ms and several commits a trial.
    """
    storage = RDBStorage(f"sqlite:///{file}")
    try:
        with quiet():
            study = optuna.create_study(
                storage=storage,
                study_name=definition.name,
                directions=[goal.direction for goal in definition.goals],
            )
            study.set_metric_names([goal.metric for goal in definition.goals])
            study.set_user_attr("lehr:task", definition.task)
        known = searched(definition.space)
        distributions = {name: distribution(value) for name, value in known.items()}
        for some in trials:
            frozen = []
            for exported in some:
                snapshot = exported.snapshot
                given = None if snapshot.params is None else encode_all(known, snapshot.params)
                fixed = encode_all(known, snapshot.fixed_params)
                trial = freeze(snapshot, given, fixed, distributions, len(definition.goals))
                frozen.append((trial, exported))
            with storage.engine.begin() as connection:
                _insert(connection, study._study_id, frozen, distributions)
    finally:
        storage.engine.dispose()


def _insert(
    connection: Connection,
    study_id: int,
    trials: list[tuple[FrozenTrial, Exported]],
    distributions: Mapping[str, BaseDistribution],
) -> None:
    texts = {name: distribution_to_json(value) for name, value in distributions.items()}
    tables: dict[Any, list[dict[str, Any]]] = {
        models.TrialModel: [_row(study_id, trial, exported) for trial, exported in trials],
        models.TrialParamModel: [],
        models.TrialValueModel: [],
        models.TrialIntermediateValueModel: [],
        models.TrialUserAttributeModel: [],
        models.TrialSystemAttributeModel: [],
    }
    for trial, exported in trials:
        of_trial = {"trial_id": trial.number + 1}
        tables[models.TrialParamModel] += [
            of_trial
            | {"param_name": name, "distribution_json": texts[name]}
            | {"param_value": distributions[name].to_internal_repr(value)}
            for name, value in trial.params.items()
        ]
        tables[models.TrialValueModel] += [
            of_trial | {"objective": index, "value": value} | {"value_type": _FINITE}
            for index, value in enumerate(trial.values or ())
        ]
        tables[models.TrialIntermediateValueModel] += [
            of_trial | {"step": step} | _intermediate(value)
            for step, value in trial.intermediate_values.items()
        ]
        for table, attrs in (
            (models.TrialUserAttributeModel, exported.user_attrs),
            (models.TrialSystemAttributeModel, trial.system_attrs),
        ):
            tables[table] += [
                of_trial | {"key": key, "value_json": json.dumps(value)}
                for key, value in attrs.items()
            ]
    for table, rows in tables.items():
        if rows:
            connection.execute(insert(table.__table__), rows)


_FINITE = models.TrialValueModel.TrialValueType.FINITE


def _row(study_id: int, trial: FrozenTrial, exported: Exported) -> dict[str, Any]:
    waits = trial.state == OptunaState.WAITING
    return {
        "trial_id": trial.number + 1,
        "number": trial.number,
        "study_id": study_id,
        "state": trial.state,
        "datetime_start": None if waits else _naive(exported.started_at),
        "datetime_complete": _naive(exported.finished_at) if trial.state.is_finished() else None,
    }


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=None)


def _intermediate(value: float) -> dict[str, Any]:
    stored, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
    return {"intermediate_value": stored, "intermediate_value_type": kind}
