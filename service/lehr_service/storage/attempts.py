"""Queries about attempts; one function a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, insert, select, update

from lehr.wire.trials import Outcome
from lehr_service.domain.attempt import Attempt
from lehr_service.storage.tables import attempts

_COLUMNS = [c for c in attempts.c if c.name not in ("id", "request_id")]


_END = (
    update(attempts)
    .where(attempts.c.token == bindparam("of_token"))
    .values({name: bindparam(name) for name in ("outcome", "message", "traceback", "finished_at")})
)


def add_all(connection: Connection, new: Sequence[tuple[Attempt, str]]) -> None:
    """Store attempts, each with the id of the claim it answers."""
    rows = [vars(attempt) | {"request_id": request_id} for attempt, request_id in new]
    connection.execute(insert(attempts), rows)


def end_all(connection: Connection, ended: Sequence[Attempt]) -> None:
    connection.execute(
        _END,
        [
            {
                "of_token": attempt.token,
                "outcome": attempt.outcome,
                "message": attempt.message,
                "traceback": attempt.traceback,
                "finished_at": attempt.finished_at,
            }
            for attempt in ended
        ],
    )


def by_token(connection: Connection, token: str) -> Attempt | None:
    return _one(connection, attempts.c.token == token)


def by_request(connection: Connection, worker_id: str, request_id: str) -> Attempt | None:
    mine = and_(attempts.c.worker_id == worker_id, attempts.c.request_id == request_id)
    return _one(connection, mine)


def running_of_trial(connection: Connection, study_id: int, number: int) -> Attempt | None:
    running = and_(
        attempts.c.study_id == study_id,
        attempts.c.kind == "trial",
        attempts.c.trial == number,
        attempts.c.outcome.is_(None),
    )
    return _one(connection, running)


def history(connection: Connection, study_id: int, number: int) -> list[Attempt]:
    query = (
        select(*_COLUMNS)
        .where(
            attempts.c.study_id == study_id,
            attempts.c.kind == "trial",
            attempts.c.trial == number,
        )
        .order_by(attempts.c.attempt)
    )
    return [_attempt(row) for row in connection.execute(query).all()]


def running_of_range_test(connection: Connection, study_id: int, number: int) -> Attempt | None:
    running = and_(
        attempts.c.study_id == study_id,
        attempts.c.kind == "range_test",
        attempts.c.trial == number,
        attempts.c.outcome.is_(None),
    )
    return _one(connection, running)


def running_of_worker(connection: Connection, worker_id: str) -> list[Attempt]:
    query = select(*_COLUMNS).where(attempts.c.worker_id == worker_id, attempts.c.outcome.is_(None))
    return [_attempt(row) for row in connection.execute(query).all()]


def running_tokens(connection: Connection, tokens: Sequence[str]) -> set[str]:
    """Which of these tokens hold a lease."""
    query = select(attempts.c.token).where(
        attempts.c.token.in_(tokens), attempts.c.outcome.is_(None)
    )
    return set(connection.execute(query).scalars().all()) if tokens else set()


def _one(connection: Connection, condition: ColumnElement[bool]) -> Attempt | None:
    row = connection.execute(select(*_COLUMNS).where(condition)).first()
    return None if row is None else _attempt(row)


def _attempt(row: Row[Any]) -> Attempt:
    values = dict(row._mapping)
    values["outcome"] = None if values["outcome"] is None else Outcome(values["outcome"])
    return Attempt(**values)
