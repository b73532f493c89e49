"""Queries about attempts; one function a query."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Result,
    Row,
    and_,
    bindparam,
    func,
    select,
    tuple_,
    update,
)

from lehr.wire.trials import Outcome
from lehr_service.domain.attempt import Attempt, Kind
from lehr_service.storage.driver import send
from lehr_service.storage.many import insert_all, unnested
from lehr_service.storage.questions import Question
from lehr_service.storage.tables import Json, attempts

_COLUMNS = [c for c in attempts.c if c.name not in ("id", "request_id")]
_BRIEF = [c for c in _COLUMNS if c.name not in ("message", "traceback")]
# Statements of the hot path are built once: building one costs more than running it.
_BY_TOKEN = select(*_COLUMNS).where(attempts.c.token == bindparam("token"))
_CLAIM = attempts.c.worker_id, attempts.c.request_id  # an index has these two
_PAIR = func.json_each(bindparam("claims", type_=Json)).table_valued("value").c.value
_PAIRS = select(*(unnested(attempts, name) for name in ("worker_id", "request_id"))).subquery()
_ANSWERS = select(*_COLUMNS, attempts.c.request_id)
_BY_REQUESTS = {
    "sqlite": _ANSWERS.where(
        tuple_(*_CLAIM).in_(
            select(func.json_extract(_PAIR, "$[0]"), func.json_extract(_PAIR, "$[1]"))
        )
    ),
    "postgresql": _ANSWERS.join(
        _PAIRS, tuple_(*_CLAIM) == tuple_(_PAIRS.c.worker_id, _PAIRS.c.request_id)
    ),
}
_RUNNING_TOKENS = select(attempts.c.token).where(
    attempts.c.token.in_(bindparam("tokens", expanding=True)), attempts.c.outcome.is_(None)
)
_TOKENS_AT_ONCE = 500  # databases bound the length of a list of parameters
_END = (
    update(attempts)
    .where(attempts.c.token == bindparam("of_token"))
    .values({name: bindparam(name) for name in ("outcome", "message", "traceback", "finished_at")})
)


def add_all(connection: Connection, new: Sequence[tuple[Attempt, str]]) -> None:
    """Store attempts, each with the id of the claim it answers."""
    rows = [vars(attempt) | {"request_id": request_id} for attempt, request_id in new]
    insert_all(connection, attempts, rows)


def end_all(connection: Connection, ended: Sequence[Attempt]) -> None:
    send(
        connection,
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
    return _first(connection.execute(_BY_TOKEN, {"token": token}))


def by_requests(
    claims: Collection[tuple[str, str]],
) -> Question[dict[tuple[str, str], Attempt]]:
    """The attempts that answered claims, each a worker's id and its request's."""
    given = {
        "claims": list(claims),
        "all_worker_id": [worker_id for worker_id, _ in claims],
        "all_request_id": [request_id for _, request_id in claims],
    }
    return Question(_BY_REQUESTS, given, read=_by_claim)


def _by_claim(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], Attempt]:
    claims = [(row["worker_id"], row.pop("request_id")) for row in rows]
    return dict(zip(claims, map(_from, rows), strict=True))


def running_of_trial(connection: Connection, study_id: int, number: int) -> Attempt | None:
    return _running(connection, study_id, "trial", number)


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
    return _running(connection, study_id, "range_test", number)


def _running(connection: Connection, study_id: int, kind: Kind, number: int) -> Attempt | None:
    query = select(*_COLUMNS).where(
        attempts.c.study_id == study_id,
        attempts.c.kind == kind,
        attempts.c.trial == number,
        attempts.c.outcome.is_(None),
    )
    return _first(connection.execute(query))


def histories(
    connection: Connection, study_id: int, numbers: Sequence[int]
) -> dict[int, list[Attempt]]:
    """The attempts of several trials, by number, first to last."""
    found: dict[int, list[Attempt]] = {number: [] for number in numbers}
    query = (
        select(*_COLUMNS)
        .where(_of_trials(study_id), attempts.c.trial.in_(numbers))
        .order_by(attempts.c.trial, attempts.c.attempt)
    )
    for attempt in map(_attempt, connection.execute(query).all()):
        found[attempt.trial].append(attempt)
    return found


def latest(connection: Connection, study_id: int, limit: int) -> list[Attempt]:
    """The attempts of a study that were started last, the latest first."""
    query = (
        select(*_COLUMNS).where(_of_trials(study_id)).order_by(attempts.c.id.desc()).limit(limit)
    )
    return [_attempt(row) for row in connection.execute(query).all()]


def count(connection: Connection, study_id: int) -> int:
    """How many attempts of a study were started."""
    query = select(func.count()).where(_of_trials(study_id))
    return int(connection.execute(query).scalar_one())


def _of_trials(study_id: int) -> ColumnElement[bool]:
    return and_(attempts.c.study_id == study_id, attempts.c.kind == "trial")


def running_of_worker(connection: Connection, worker_id: str) -> list[Attempt]:
    query = select(*_COLUMNS).where(attempts.c.worker_id == worker_id, attempts.c.outcome.is_(None))
    return [_attempt(row) for row in connection.execute(query).all()]


def recent(connection: Connection, limit: int) -> list[Attempt]:
    """The attempts of all studies that were started last, the latest first."""
    query = select(*_BRIEF).order_by(attempts.c.id.desc()).limit(limit)
    return [_attempt(row) for row in connection.execute(query).all()]


def open_now(connection: Connection) -> list[Attempt]:
    """The attempts that hold a lease."""
    query = select(*_BRIEF).where(attempts.c.outcome.is_(None))
    return [_attempt(row) for row in connection.execute(query).all()]


def seconds_of_worker(connection: Connection, worker_id: str, now: float) -> float:
    """The time that a worker's attempts took, added up; what runs counts until now."""
    ends = func.coalesce(attempts.c.finished_at, now)
    query = select(func.sum(ends - attempts.c.started_at)).where(attempts.c.worker_id == worker_id)
    return float(connection.execute(query).scalar() or 0.0)


def running_tokens(connection: Connection, tokens: Sequence[str]) -> set[str]:
    """Which of these tokens hold a lease."""
    found: set[str] = set()
    for start in range(0, len(tokens), _TOKENS_AT_ONCE):
        some = {"tokens": tokens[start : start + _TOKENS_AT_ONCE]}
        found.update(connection.execute(_RUNNING_TOKENS, some).scalars())
    return found


def _first(result: Result[Any]) -> Attempt | None:
    row = result.first()
    return None if row is None else _attempt(row)


def _attempt(row: Row[Any]) -> Attempt:
    return _from(dict(row._mapping))


def _from(values: dict[str, Any]) -> Attempt:
    values["outcome"] = None if values["outcome"] is None else Outcome(values["outcome"])
    return Attempt(**values)
