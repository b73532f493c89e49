"""Queries about reports and checkpoints; one function a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select

from lehr_service.domain.attempt import Attempt
from lehr_service.storage.tables import checkpoints, reports

_INSERT = insert(reports)


def add_all(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    connection.execute(_INSERT, rows)


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


def curves_of(
    connection: Connection, study_id: int, numbers: Iterable[int]
) -> dict[int, dict[int, float | None]]:
    """Reported values by trial and step, for the given trials."""
    wanted = list(numbers)
    found: dict[int, dict[int, float | None]] = {number: {} for number in wanted}
    query = select(reports.c.trial, reports.c.step, reports.c.value).where(
        reports.c.study_id == study_id
    )
    if len(wanted) <= 500:  # databases bound the length of a list of parameters
        query = query.where(reports.c.trial.in_(wanted))
    for trial, step, value in connection.execute(query.order_by(reports.c.attempt)).all():
        if trial in found:
            found[trial][step] = value
    return found


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
    connection.execute(
        delete(checkpoints).where(
            checkpoints.c.study_id == study_id, checkpoints.c.trial.in_(numbers)
        )
    )
