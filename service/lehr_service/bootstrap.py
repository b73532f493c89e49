"""A server's database, opened by itself, and its tokens without any server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self, TypeVar

from pydantic import ValidationError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from lehr.errors import LehrError
from lehr.wire.errors import found_wrong
from lehr.wire.tokens import CreatedToken, NewToken, Role, Token
from lehr_service.errors import ServiceError
from lehr_service.operations import tokens as operations
from lehr_service.settings import Settings
from lehr_service.storage.faults import told
from lehr_service.storage.session import Database

T = TypeVar("T")


def connect(settings: Settings) -> Database:
    """The database of a server with these settings, as it is."""
    if not settings.database_url:
        settings.home.mkdir(parents=True, exist_ok=True)
    return Database(settings.url, settings.database_connections, settings.database_wait_seconds)


def open_database(settings: Settings) -> Database:
    """The same, brought to this version's schema."""
    database = connect(settings)
    try:
        database.migrate()
    except BaseException:
        database.close()
        raise
    return database


class LocalTokens:
    """The calls about tokens of ``lehr.Client``, done in the database; raises LehrError.

    Whoever can write to the database may do all of it; servers heed it within two seconds.
    """

    def __init__(self, settings: Settings) -> None:
        with _explained():
            self._database = open_database(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def create_token(self, name: str, role: Role, expires_in: str | None = None) -> CreatedToken:
        with _explained():
            wanted = NewToken.model_validate({"name": name, "role": role, "expires_in": expires_in})
        return self._write(lambda c: operations.create(c, wanted, time.time()))

    def tokens(self) -> Iterator[Token]:
        with _explained(), self._database.read() as connection:
            return iter(operations.listed(connection))

    def revoke_token(self, token_id: str) -> None:
        self._write(lambda c: operations.revoke(c, token_id, time.time(), keep_an_admin=False))

    def _write(self, act: Callable[[Connection], T]) -> T:
        with _explained(), self._database.write() as connection:
            return act(connection)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ServiceError as error:
        raise LehrError(error.message) from error
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, path))}: {text}" for path, text in found_wrong(error.errors())
        ]
        raise LehrError("; ".join(wrong)) from error
    except SQLAlchemyError as error:
        raise LehrError(f"the database cannot be used: {told(error)}") from error
