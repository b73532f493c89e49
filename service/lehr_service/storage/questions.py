"""Queries whose answers are waited for together, which PostgreSQL takes longer to say than find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Dialect, Select

from lehr_service.storage.driver import Row, driver_of, form_of, unanswered

T = TypeVar("T", covariant=True)


@dataclass(frozen=True)
class Question(Generic[T]):
    """A query, and what its rows mean.

    ``query`` is built once, with parameters for what differs: its form is kept.
    Where databases differ it is a query by the dialect's name.
    """

    query: Select[Any] | Mapping[str, Select[Any]]
    given: Mapping[str, Any] = field(default_factory=dict)
    read: Callable[[list[Row]], T] = field(kw_only=True)

    def on(self, dialect: Dialect) -> Select[Any]:
        return self.query[dialect.name] if isinstance(self.query, Mapping) else self.query


def ask(connection: Connection, question: Question[T]) -> T:
    """The answer to one question."""
    answer: T = ask_all(connection, [question])[0]
    return answer


def ask_all(
    connection: Connection, questions: Sequence[Question[Any]], *, begin: bool = False
) -> list[Any]:
    """The answers to several, in their order; each question sees what was committed before it.

    ``begin``: a transaction first, on PostgreSQL, where none has begun.
    """
    dialect = connection.dialect
    forms = [form_of(question.on(dialect), dialect) for question in questions]
    with driver_of(connection) as driver, unanswered(connection):
        if begin:
            driver.execute("BEGIN")
        cursors = [
            driver.execute(form.sql, form.parameters(question.given))
            for form, question in zip(forms, questions, strict=True)
        ]
        rows_of = [form.rows(cursor) for form, cursor in zip(forms, cursors, strict=True)]
    return [question.read(rows) for question, rows in zip(questions, rows_of, strict=True)]
