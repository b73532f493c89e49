"""Statements of hot paths, given to the driver itself.

What SQLAlchemy does for each execution takes as long as all the rest; it writes these statements
too, but once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    Connection,
    Delete,
    Dialect,
    Insert,
    Select,
    TypeDecorator,
    Update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

Row = dict[str, Any]  # by the names of the columns
Change = Insert | Update | Delete
_Convert = Callable[[Any], Any]

_NAMED_SQLITE = sqlite.dialect(paramstyle="named")


@contextmanager
def driver_of(connection: Connection) -> Iterator[Any]:
    """The driver's own connection; what it raises past SQLAlchemy is raised as SQLAlchemy does."""
    driver: Any = connection.connection.driver_connection
    dialect = connection.dialect
    base = dialect.loaded_dbapi.Error
    try:
        yield driver
    except base as error:
        is_lost = dialect.is_disconnect(error, driver, None)
        if is_lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            "", None, error, base, connection_invalidated=is_lost, dialect=dialect
        ) from error


@contextmanager
def unanswered(connection: Connection) -> Iterator[None]:
    """A block in which PostgreSQL is sent all, and waited for at its end or where one looks."""
    if connection.dialect.name == "sqlite":
        yield
        return
    with driver_of(connection) as driver, driver.pipeline():
        yield


def send(connection: Connection, change: Change, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute a change with each of these parameters; all that it names must be among them.

    ``change`` is built once: its form is kept.
    """
    form = form_of(change, connection.dialect)
    with driver_of(connection) as driver:
        for row in rows:
            driver.execute(form.sql, form.parameters(row))


@dataclass(frozen=True)
class Form:
    """A statement as the driver takes it, which knows no type that we have made."""

    sql: str
    usual: Mapping[str, Any]  # parameters that the statement itself gives
    to_driver: Sequence[tuple[str, _Convert]]  # parameters that it does not take as they are
    names: Sequence[str]  # of the columns that it answers
    from_driver: Sequence[tuple[str, _Convert]]  # those of them that it does not make

    def parameters(self, given: Mapping[str, Any]) -> Row:
        """All that the statement is executed with."""
        values = {**self.usual, **given}
        for name, convert in self.to_driver:
            values[name] = convert(values[name])
        return values

    def rows(self, cursor: Any) -> list[Row]:
        """What the statement has found."""
        found = [dict(zip(self.names, values, strict=True)) for values in cursor.fetchall()]
        for row in found:
            for name, convert in self.from_driver:
                row[name] = convert(row[name])
        return found


@lru_cache(maxsize=1024)  # a study's row has a statement for each set of columns that change
def form_of(statement: Change | Select[Any], dialect: Dialect) -> Form:
    """The statement's form, compiled once."""
    written = _NAMED_SQLITE if dialect.name == "sqlite" else dialect
    compiled = statement.compile(dialect=written)
    columns = list(statement.selected_columns) if isinstance(statement, Select) else []
    return Form(
        str(compiled),
        compiled.params,
        [
            (name, convert)
            for bind, name in compiled.bind_names.items()
            if (convert := _to_driver(bind.type, dialect)) is not None
        ],
        [column.name for column in columns],
        [
            (column.name, convert)
            for column in columns
            if (convert := _from_driver(column.type, dialect)) is not None
        ],
    )


def _from_driver(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    if isinstance(kind, TypeDecorator):
        return partial(kind.process_result_value, dialect=dialect)
    return bool if isinstance(kind, Boolean) and dialect.name == "sqlite" else None


def _to_driver(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    if isinstance(kind, TypeDecorator):
        return partial(kind.process_bind_param, dialect=dialect)
    if isinstance(kind, ARRAY):
        each = _to_driver(kind.item_type, dialect)
        return None if each is None else lambda values: [each(value) for value in values]
    return None
