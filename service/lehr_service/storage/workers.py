"""Queries about workers; one function a query."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ARRAY,
    Connection,
    Row,
    String,
    any_,
    bindparam,
    exists,
    insert,
    select,
    update,
)

from lehr_service.storage.driver import send
from lehr_service.storage.many import among
from lehr_service.storage.questions import Question
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
    token_id: str | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


_GET = select(workers).where(workers.c.id == bindparam("id"))
_SOME = among(select(workers), workers.c.id, "ids")
_HEARD = (
    update(workers)
    .where(workers.c.id == bindparam("of_id"), workers.c.lost.is_(False))
    .values(heard_at=bindparam("heard_at"), deadline=bindparam("deadline"))
)
_THEM = (  # in one order everywhere: two lanes that hear two workers must not wait for each other
    select(workers.c.id)
    .where(workers.c.id == any_(bindparam("ids", type_=ARRAY(String))), workers.c.lost.is_(False))
    .order_by(workers.c.id)
    .with_for_update()
)
_ALL_HEARD = (  # PostgreSQL
    update(workers)
    .where(workers.c.id.in_(_THEM))
    .values(heard_at=bindparam("heard_at"), deadline=bindparam("deadline"))
)


def add(connection: Connection, worker: Worker) -> None:
    connection.execute(insert(workers).values(**vars(worker)))


def get(connection: Connection, worker_id: str) -> Worker | None:
    row = connection.execute(_GET, {"id": worker_id}).first()
    return None if row is None else _worker(row)


def some(worker_ids: Collection[str]) -> Question[dict[str, Worker]]:
    """Those of the workers that there are, by id."""
    return Question(
        _SOME,
        {"ids": list(worker_ids)},
        read=lambda rows: {row["id"]: Worker(**row) for row in rows},
    )


def all_heard(
    connection: Connection, worker_ids: Collection[str], now: float, deadline: float
) -> None:
    """Move the deadlines of workers where they are not given up."""
    values = {"heard_at": now, "deadline": deadline}
    if connection.dialect.name == "postgresql":
        send(connection, _ALL_HEARD, [values | {"ids": list(worker_ids)}])
    else:
        send(connection, _HEARD, [values | {"of_id": worker} for worker in worker_ids])


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


def draining(connection: Connection) -> list[str]:
    """Ids of workers that are here and get no new trials."""
    query = select(workers.c.id).where(workers.c.lost.is_(False), workers.c.draining)
    return list(connection.execute(query).scalars().all())


def listed(connection: Connection, *, limit: int) -> list[Worker]:
    """Workers that are here, by name."""
    query = select(workers).where(workers.c.lost.is_(False)).order_by(workers.c.name, workers.c.id)
    return [_worker(row) for row in connection.execute(query.limit(limit)).all()]


def names(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Names by id."""
    query = select(workers.c.id, workers.c.name).where(workers.c.id.in_(ids))
    return {row.id: row.name for row in connection.execute(query).all()}


def overdue(connection: Connection, now: float) -> list[Worker]:
    """Workers past their deadline that are not given up, or left attempts behind.

    Two queries, each with an index: the table keeps all workers that ever were.
    """
    found: list[Worker] = []
    leftover = select(attempts.c.worker_id).where(attempts.c.outcome.is_(None))
    for condition in (workers.c.lost.is_(False), workers.c.lost & workers.c.id.in_(leftover)):
        query = select(workers).where(condition, workers.c.deadline <= now)
        found += [_worker(row) for row in connection.execute(query).all()]
    return found


def schemas(connection: Connection, task: str, now: float) -> list[Mapping[str, Any]]:
    """The parameter schemas of a task as the workers that are here offer it."""
    query = select(workers.c.tasks).where(workers.c.lost.is_(False), workers.c.deadline > now)
    return [tasks[task] for tasks in connection.execute(query).scalars().all() if task in tasks]


def problems(connection: Connection, now: float) -> list[tuple[str, str]]:
    """Name of each worker that is here and has modules it cannot use, with the first of them."""
    query = select(workers.c.name, workers.c.problems).where(
        workers.c.lost.is_(False), workers.c.deadline > now
    )
    found = connection.execute(query.order_by(workers.c.name)).all()
    return [(name, next(iter(problems.values()))) for name, problems in found if problems]


def some_can(connection: Connection, ability: str, task: str, now: float) -> bool:
    """Whether a worker that is here offers the task and has the ability."""
    query = select(workers.c.tasks, workers.c.abilities).where(
        workers.c.lost.is_(False), workers.c.deadline > now
    )
    found = connection.execute(query).all()
    return any(task in tasks and ability in abilities for tasks, abilities in found)


def _worker(row: Row[Any]) -> Worker:
    return Worker(**row._mapping)
