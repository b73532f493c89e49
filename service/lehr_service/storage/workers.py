"""Queries about workers; one function a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, exists, insert, select, update

from lehr_service.storage.tables import attempts, workers


@dataclass(frozen=True)
class Worker:
    """A worker's row."""

    id: str
    name: str
    tasks: Mapping[str, Any]
    devices: list[Any]
    versions: Mapping[str, str]
    abilities: Sequence[str]
    draining: bool
    lost: bool
    registered_at: float
    heard_at: float
    deadline: float


def add(connection: Connection, worker: Worker) -> None:
    connection.execute(insert(workers).values(**vars(worker)))


def get(connection: Connection, worker_id: str) -> Worker | None:
    row = connection.execute(select(workers).where(workers.c.id == worker_id)).first()
    return None if row is None else _worker(row)


def heard(connection: Connection, worker_id: str, now: float, deadline: float) -> Worker | None:
    """Move the deadline of a worker that is not given up; None where there is none."""
    query = (
        update(workers)
        .where(workers.c.id == worker_id, workers.c.lost.is_(False))
        .values(heard_at=now, deadline=deadline)
        .returning(workers)
    )
    row = connection.execute(query).first()
    return None if row is None else _worker(row)


def waits(connection: Connection, worker_id: str, now: float, deadline: float) -> None:
    """Move the deadline of a worker that waits for work, unless it has attempts at hand.

    Those live by heartbeats alone: a claim may be waiting for a process that has died.
    """
    at_hand = exists().where(attempts.c.worker_id == workers.c.id, attempts.c.outcome.is_(None))
    connection.execute(
        update(workers)
        .where(workers.c.id == worker_id, workers.c.lost.is_(False), ~at_hand)
        .values(heard_at=now, deadline=deadline)
    )


def mark_lost(connection: Connection, worker_id: str, deadline: float) -> None:
    """Give a worker up, unless it was heard since its deadline was read."""
    connection.execute(
        update(workers)
        .where(workers.c.id == worker_id, workers.c.deadline == deadline)
        .values(lost=True)
    )


def drain(connection: Connection, worker_id: str) -> Worker | None:
    query = (
        update(workers).where(workers.c.id == worker_id).values(draining=True).returning(workers)
    )
    row = connection.execute(query).first()
    return None if row is None else _worker(row)


def listed(connection: Connection, *, limit: int) -> list[Worker]:
    """Workers that are here, by name."""
    query = select(workers).where(workers.c.lost.is_(False)).order_by(workers.c.name, workers.c.id)
    return [_worker(row) for row in connection.execute(query.limit(limit)).all()]


def names(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Names by id."""
    query = select(workers.c.id, workers.c.name).where(workers.c.id.in_(ids))
    return {row.id: row.name for row in connection.execute(query).all()}


def overdue(connection: Connection, now: float) -> list[Worker]:
    """Workers past their deadline that are not given up, or left attempts behind."""
    leftover = exists().where(attempts.c.worker_id == workers.c.id, attempts.c.outcome.is_(None))
    query = select(workers).where(workers.c.deadline <= now, workers.c.lost.is_(False) | leftover)
    return [_worker(row) for row in connection.execute(query).all()]


def schemas(connection: Connection, task: str, now: float) -> list[Mapping[str, Any]]:
    """The parameter schemas of a task as the workers that are here offer it."""
    query = select(workers.c.tasks).where(workers.c.lost.is_(False), workers.c.deadline > now)
    return [tasks[task] for tasks in connection.execute(query).scalars().all() if task in tasks]


def some_can(connection: Connection, ability: str, task: str, now: float) -> bool:
    """Whether a worker that is here offers the task and has the ability."""
    query = select(workers.c.tasks, workers.c.abilities).where(
        workers.c.lost.is_(False), workers.c.deadline > now
    )
    found = connection.execute(query).all()
    return any(task in tasks and ability in abilities for tasks, abilities in found)


def _worker(row: Row[Any]) -> Worker:
    return Worker(**row._mapping)
