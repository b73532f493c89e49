"""A study as a file to take home: CSV, JSON, or a database that Optuna opens."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection

from lehr.wire.space import searched
from lehr.wire.studies import Study as StudyView
from lehr_service.domain.study import Study
from lehr_service.domain.trial import Trial
from lehr_service.operations.views import moment_or_none, report_view, trial_details, trial_view
from lehr_service.search import TrialSnapshot
from lehr_service.storage import attempts, reports, trials, workers
from lehr_service.storage.questions import ask

Format = Literal["csv", "json", "optuna"]

ENDINGS = {"csv": "csv", "json": "json", "optuna": "db"}
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "optuna": "application/vnd.sqlite3",
}
_AT_ONCE = 500  # trials that are in memory with all of their reports


def write(connection: Connection, study: Study, shown: StudyView, form: Format, file: Path) -> None:
    """Write a study into a file; ``shown`` is the study as the REST API shows it."""
    match form:
        case "csv":
            _write_csv(connection, study, file)
        case "json":
            _write_json(connection, study, shown, file)
        case "optuna":
            _write_optuna(connection, study, file)


def _chunks(connection: Connection, study: Study) -> Iterator[list[tuple[Trial, dict[str, Any]]]]:
    found = ask(connection, trials.changed_since(study.id, -1))
    for start in range(0, len(found), _AT_ONCE):
        yield found[start : start + _AT_ONCE]


def _write_csv(connection: Connection, study: Study, file: Path) -> None:
    """A row a trial; parameters are columns, empty where a trial has none of that name."""
    goals = [goal.metric for goal in study.definition.goals]
    params = list(searched(study.definition.space))
    every = trials.every(connection, study.id)
    metrics = sorted({name for trial in every for name in trial.metrics})
    with file.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(
            ["number", "state", "reason", *(goals if len(goals) > 1 else ["value"])]
            + ["attempts", "steps", "worker", "created_at", "started_at", "finished_at"]
            + [f"params.{name}" for name in params]
            + [f"metrics.{name}" for name in metrics]
        )
        for trial in every:
            seen = trial_view(study.name, trial).model_dump(mode="json")
            values = [trial.value] if len(goals) == 1 else trial.objective_values
            rows.writerow(
                [seen["number"], seen["state"], seen["reason"], *(values or [None] * len(goals))]
                + [seen["attempts"], seen["steps"], seen["worker"]]
                + [seen["created_at"], seen["started_at"], seen["finished_at"]]
                + [_cell(seen["params"].get(name)) for name in params]
                + [trial.metrics.get(name) for name in metrics]
            )


def _cell(value: Any) -> Any:
    return value if isinstance(value, str | int | float | None) else json.dumps(value)


def _write_json(connection: Connection, study: Study, shown: StudyView, file: Path) -> None:
    """The study, and its trials with attempts and reports, as the REST API shows them."""
    with file.open("w", encoding="utf-8") as out:
        out.write(f'{{"study":{shown.model_dump_json()},"trials":[')
        separator = ""
        for chunk in _chunks(connection, study):
            numbers = [trial.number for trial, _ in chunk]
            histories = attempts.histories(connection, study.id, numbers)
            ids = {attempt.worker_id for some in histories.values() for attempt in some}
            names = workers.names(connection, list(ids))
            curves = reports.rows_of(connection, study.id, numbers)
            for trial, _ in chunk:
                details = trial_details(study, trial, histories[trial.number], names)
                body = details.model_dump(mode="json")
                curve = [report_view(row).model_dump(mode="json") for row in curves[trial.number]]
                out.write(separator + json.dumps(body | {"reports": curve}))
                separator = ",\n"
        out.write("]}\n")


def _write_optuna(connection: Connection, study: Study, file: Path) -> None:
    from lehr_service.search.exports import Exported, write_optuna

    def exported() -> Iterator[list[Exported]]:
        for chunk in _chunks(connection, study):
            numbers = [trial.number for trial, _ in chunk]
            curves = ask(connection, reports.curves_of(study.id, numbers))
            yield [
                Exported(
                    _snapshot(trial, attrs, curves.get(trial.number, {})),
                    moment_or_none(trial.started_at),
                    moment_or_none(trial.finished_at),
                    {"lehr:worker": trial.worker, "lehr:reason": trial.reason}
                    | {f"metric:{name}": value for name, value in trial.metrics.items()},
                )
                for trial, attrs in chunk
            ]

    write_optuna(file, study.definition, exported())


def _snapshot(trial: Trial, attrs: dict[str, Any], curve: dict[int, float | None]) -> TrialSnapshot:
    several = trial.objective_values
    values = list(several) if several is not None else None
    return TrialSnapshot(
        number=trial.number,
        state=trial.state,
        params=None if trial.params is None else dict(trial.params),
        fixed_params=dict(trial.fixed_params),
        values=values if trial.value is None else [trial.value],
        reports=curve,
        attrs=attrs,
    )
