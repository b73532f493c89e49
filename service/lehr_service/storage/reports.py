"""Queries about reports and checkpoints; one function a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
)

from lehr_service.domain.attempt import Attempt
from lehr_service.storage.driver import send
from lehr_service.storage.many import among, insert_all
from lehr_service.storage.questions import Question
from lehr_service.storage.tables import checkpoints, reports

_OF_STUDY = (
    select(reports.c.trial, reports.c.step, reports.c.value)
    .where(reports.c.study_id == bindparam("study_id"))
    .order_by(reports.c.attempt)
)
_SINCE = _OF_STUDY.where(reports.c.revision > bindparam("revision"))
_CURVES = among(_OF_STUDY, reports.c.trial, "numbers")
_REMOVE_CHECKPOINT = delete(checkpoints).where(
    checkpoints.c.study_id == bindparam("of_study"), checkpoints.c.trial == bindparam("of_trial")
)


def add_all(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    insert_all(connection, reports, rows)


def get(connection: Connection, attempt: Attempt, step: int) -> Row[Any] | None:
    query = select(reports).where(*_of_attempt(attempt), reports.c.step == step)
    return connection.execute(query).first()


def last_step(connection: Connection, attempt: Attempt) -> int:
    """The last step this attempt reported, -1 before the first."""
    query = select(func.max(reports.c.step)).where(*_of_attempt(attempt))
    found = connection.execute(query).scalar()
    return -1 if found is None else int(found)


def _of_attempt(attempt: Attempt) -> tuple[ColumnElement[bool], ...]:
    return (
        reports.c.study_id == attempt.study_id,
        reports.c.trial == attempt.trial,
        reports.c.attempt == attempt.attempt,
    )


def curve(
    connection: Connection, study_id: int, number: int, attempt: int | None = None
) -> list[Row[Any]]:
    """A trial's reports by step; where attempts overlap, the latest attempt's.

    With ``attempt``, the reports of that attempt only.
    """
    query = (
        select(reports)
        .where(reports.c.study_id == study_id, reports.c.trial == number)
        .order_by(reports.c.step, reports.c.attempt)
    )
    if attempt is not None:
        query = query.where(reports.c.attempt == attempt)
    return list({row.step: row for row in connection.execute(query).all()}.values())


def written_after(
    connection: Connection,
    study_id: int,
    *,
    revision: int,
    within: tuple[int, int, int] | None,
    upto: int,
    limit: int,
) -> list[Row[Any]]:
    """Reports by revision, trial, attempt and step, from after a revision to ``upto``.

    With ``within`` those of the revision itself too, after that (trial, attempt, step).
    """
    first = revision + (within is None)
    in_order = (reports.c.revision, reports.c.trial, reports.c.attempt, reports.c.step)
    query = (
        select(reports)
        .where(reports.c.study_id == study_id, reports.c.revision.between(first, upto))
        .order_by(*in_order)
        .limit(limit)
    )
    if within is not None:
        query = query.where(tuple_(*in_order) > tuple_(revision, *within))
    return list(connection.execute(query).all())


def curves_of(
    study_id: int, numbers: Sequence[int]
) -> Question[dict[int, dict[int, float | None]]]:
    """Reported values by trial and step, for those of the given trials that have any."""
    return Question(_CURVES, {"study_id": study_id, "numbers": list(numbers)}, read=_curves)


def values_since(study_id: int, revision: int) -> Question[dict[int, dict[int, float | None]]]:
    """Values reported after a revision, by trial and step."""
    return Question(_SINCE, {"study_id": study_id, "revision": revision}, read=_curves)


def _curves(rows: Sequence[Mapping[str, Any]]) -> dict[int, dict[int, float | None]]:
    found: dict[int, dict[int, float | None]] = {}
    for row in rows:
        found.setdefault(row["trial"], {})[row["step"]] = row["value"]
    return found


def rows_of(
    connection: Connection, study_id: int, numbers: Sequence[int]
) -> dict[int, list[Row[Any]]]:
    """Whole reports by trial, each curve as ``curve`` gives it."""
    found: dict[int, dict[int, Row[Any]]] = {number: {} for number in numbers}
    query = (
        select(reports)
        .where(reports.c.study_id == study_id, reports.c.trial.in_(numbers))
        .order_by(reports.c.trial, reports.c.step, reports.c.attempt)
    )
    for row in connection.execute(query).all():
        found[row.trial][row.step] = row
    return {number: list(curve.values()) for number, curve in found.items()}


def points_of(
    connection: Connection, study_id: int, numbers: Sequence[int]
) -> dict[int, list[tuple[int, float | None, float | None]]]:
    """Step, value and learning rate by trial; where attempts overlap, the latest attempt's."""
    found: dict[int, dict[int, tuple[int, float | None, float | None]]] = {n: {} for n in numbers}
    query = (
        select(reports.c.trial, reports.c.step, reports.c.value, reports.c.learning_rate)
        .where(reports.c.study_id == study_id, reports.c.trial.in_(numbers))
        .order_by(reports.c.trial, reports.c.step, reports.c.attempt)
    )
    for trial, step, value, rate in connection.execute(query).all():
        found[trial][step] = (step, value, rate)
    return {number: list(curve.values()) for number, curve in found.items()}


def save_checkpoint(connection: Connection, row: Mapping[str, Any]) -> None:
    """Store a trial's checkpoint in place of the one before."""
    remove_checkpoints(connection, row["study_id"], [row["trial"]])
    connection.execute(insert(checkpoints).values(**row))


def checkpoint(connection: Connection, study_id: int, number: int) -> Row[Any] | None:
    query = select(checkpoints).where(
        checkpoints.c.study_id == study_id, checkpoints.c.trial == number
    )
    return connection.execute(query).first()


def has_checkpoint(connection: Connection, study_id: int, number: int) -> bool:
    query = select(checkpoints.c.attempt).where(
        checkpoints.c.study_id == study_id, checkpoints.c.trial == number
    )
    return connection.execute(query).first() is not None


def remove_checkpoints(connection: Connection, study_id: int, numbers: Sequence[int]) -> None:
    asked = [{"of_study": study_id, "of_trial": number} for number in numbers]
    send(connection, _REMOVE_CHECKPOINT, asked)
