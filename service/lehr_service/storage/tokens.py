"""Queries about tokens; one function a query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from lehr.wire.tokens import Role
from lehr_service.domain.tokens import Token
from lehr_service.storage.tables import attempts, tokens, workers

_ALL = select(tokens).order_by(tokens.c.created_at, tokens.c.id)
_LOCK = select(tokens.c.id).order_by(tokens.c.id).with_for_update()
_USED = (
    update(tokens).where(tokens.c.id == bindparam("of_id")).values(last_used_at=bindparam("used"))
)
_WORKERS_TOKEN = select(workers.c.token_id).where(workers.c.id == bindparam("id"))
_ATTEMPTS_TOKEN = (
    select(workers.c.token_id)
    .join(attempts, attempts.c.worker_id == workers.c.id)
    .where(attempts.c.token == bindparam("token"))
)


def add(connection: Connection, token: Token) -> None:
    connection.execute(insert(tokens).values(**vars(token)))


def every(connection: Connection) -> list[Token]:
    """All tokens that there ever were, the oldest first."""
    return [_token(row) for row in connection.execute(_ALL).all()]


def lock(connection: Connection) -> None:
    """Let nobody else change a token until the transaction ends."""
    connection.execute(_LOCK).all()


def revoke(connection: Connection, token_id: str, now: float) -> None:
    """Make a token invalid, unless it is."""
    connection.execute(
        update(tokens)
        .where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def used(connection: Connection, moments: Mapping[str, float]) -> None:
    """Note when tokens were last used, by id."""
    rows = [{"of_id": token_id, "used": moment} for token_id, moment in sorted(moments.items())]
    connection.execute(_USED, rows)


def of_worker(connection: Connection, worker_id: str) -> tuple[str | None] | None:
    """The id of the token that registered a worker, in a tuple; None: there is no such worker."""
    row = connection.execute(_WORKERS_TOKEN, {"id": worker_id}).first()
    return None if row is None else (row.token_id,)


def of_attempt(connection: Connection, attempt: str) -> tuple[str | None] | None:
    """The same of the worker that has, or had, an attempt."""
    row = connection.execute(_ATTEMPTS_TOKEN, {"token": attempt}).first()
    return None if row is None else (row.token_id,)


def _token(row: Row[Any]) -> Token:
    values = dict(row._mapping)
    return Token(**values | {"role": Role(values["role"])})
