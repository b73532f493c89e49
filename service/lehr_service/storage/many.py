"""Many rows in one statement, or asked for in one.

PostgreSQL is sent an array of each column: to plan, parse and answer once takes half the time of a
statement a row. SQLite has no arrays, and nobody to wait for; a list of what is asked for is JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Double,
    Insert,
    Integer,
    Select,
    String,
    Table,
    TypeDecorator,
    any_,
    bindparam,
    func,
    insert,
    select,
)
from sqlalchemy.types import TypeEngine

from lehr_service.storage.driver import send
from lehr_service.storage.tables import Json

_PLAIN: tuple[tuple[type[TypeEngine[Any]], Callable[[Any], Any]], ...] = (
    (Double, float),
    (Integer, int),
    (String, str),  # an enumeration's member, too
)


def insert_all(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns. The ids that they get are not looked at."""
    names = tuple(rows[0])
    if connection.dialect.name == "sqlite":
        send(connection, _row_by_row(table, names), rows)
    else:
        send(connection, _of_arrays(table, names), [arrays(table, names, rows)])


def arrays(
    table: Table, names: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> dict[str, list[Any]]:
    """Parameters ``all_NAME``: the rows column by column, for the driver each of one type."""
    return {
        f"all_{name}": list(map(_of(table, name), [row[name] for row in rows])) for name in names
    }


def unnested(table: Table, name: str) -> Any:
    """The values of a column, a row each, of its parameter ``all_NAME``."""
    kind = table.c[name].type
    return func.unnest(bindparam(f"all_{name}", type_=ARRAY(kind)), type_=kind).label(name)


def among(query: Select[Any], column: ColumnElement[Any], name: str) -> dict[str, Select[Any]]:
    """The rows whose column is in the list that parameter NAME is, by dialect."""
    value = func.json_each(bindparam(name, type_=Json)).table_valued("value").c.value
    listed = bindparam(name, type_=ARRAY(type(column.type)()))  # a length would cut what is longer
    return {
        "sqlite": query.where(column.in_(select(value))),
        "postgresql": query.where(column == any_(listed)),
    }


@lru_cache
def _row_by_row(table: Table, names: tuple[str, ...]) -> Insert:
    return insert(table).values({name: bindparam(name) for name in names})


@lru_cache
def _of_arrays(table: Table, names: tuple[str, ...]) -> Insert:
    return insert(table).from_select(names, select(*(unnested(table, name) for name in names)))


@lru_cache
def _of(table: Table, name: str) -> Callable[[Any], Any]:
    """What makes a value one of the column's type; JSON is made by the column itself."""
    kind = table.c[name].type
    if isinstance(kind, TypeDecorator):
        return _as_it_is
    plain = next((make for of, make in _PLAIN if isinstance(kind, of)), _as_it_is)
    return lambda value: None if value is None else plain(value)


def _as_it_is(value: Any) -> Any:
    return value
