"""Queries about range tests; one function a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, exists, insert, select, update

from lehr.wire.range_tests import RangeTestState
from lehr_service.domain.range_test import Losses, RangeTest
from lehr_service.storage.tables import range_tests, studies

_COLUMNS = [c for c in range_tests.c if c.name not in ("study_id", "losses")]


def add(
    connection: Connection, study_id: int, test: RangeTest, losses: Losses | None = None
) -> None:
    stored = None if losses is None else _stored(losses)
    row = vars(test) | {"study_id": study_id, "losses": stored}
    connection.execute(insert(range_tests).values(**row))


def save(
    connection: Connection, study_id: int, test: RangeTest, losses: Losses | None = None
) -> None:
    """Write a test; its losses only where they are given."""
    values = vars(test) | ({} if losses is None else {"losses": _stored(losses)})
    connection.execute(
        update(range_tests)
        .where(range_tests.c.study_id == study_id, range_tests.c.number == test.number)
        .values(**values)
    )


def get(connection: Connection, study_id: int, number: int) -> RangeTest | None:
    query = select(*_COLUMNS).where(
        range_tests.c.study_id == study_id, range_tests.c.number == number
    )
    row = connection.execute(query).first()
    return None if row is None else _test(row)


def of_study(connection: Connection, study_id: int) -> list[RangeTest]:
    query = select(*_COLUMNS).where(range_tests.c.study_id == study_id)
    return [_test(row) for row in connection.execute(query.order_by(range_tests.c.number)).all()]


def losses(connection: Connection, study_id: int) -> dict[int, Losses]:
    """The losses of a study's complete tests, by number."""
    query = select(range_tests.c.number, range_tests.c.losses).where(
        range_tests.c.study_id == study_id, range_tests.c.losses.is_not(None)
    )
    return {number: _losses(stored) for number, stored in connection.execute(query).all()}


def known(connection: Connection, key: str) -> tuple[RangeTest, Losses | None, str] | None:
    """The latest result of an equal test, with its losses and the name of who measured it."""
    query = (
        select(*_COLUMNS, range_tests.c.losses, studies.c.name)
        .join(studies, studies.c.id == range_tests.c.study_id)
        .where(range_tests.c.key == key, range_tests.c.state == RangeTestState.COMPLETE.value)
        .order_by(range_tests.c.finished_at.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    values = dict(row._mapping)
    stored, study = values.pop("losses"), values.pop("name")
    test = _from(values)
    return test, None if stored is None else _losses(stored), test.reused_from or study


def some_are_known(connection: Connection, study_id: int) -> bool:
    """Whether a waiting test of a study can be spared, for another study has run an equal one."""
    equal = range_tests.alias()
    query = select(
        exists().where(
            range_tests.c.study_id == study_id,
            range_tests.c.state == RangeTestState.WAITING.value,
            range_tests.c.reuse.is_(True),
            equal.c.key == range_tests.c.key,
            equal.c.state == RangeTestState.COMPLETE.value,
        )
    )
    return bool(connection.execute(query).scalar())


def _stored(measured: Losses) -> list[list[Any]]:
    """JSON has no numbers as keys."""
    return [[seed, list(of_seed)] for seed, of_seed in measured.items()]


def _losses(stored: Sequence[Sequence[Any]]) -> Losses:
    return {seed: of_seed for seed, of_seed in stored}  # noqa: C416 - pairs of unknown types


def _test(row: Row[Any]) -> RangeTest:
    return _from(dict(row._mapping))


def _from(values: dict[str, Any]) -> RangeTest:
    values["state"] = RangeTestState(values["state"])
    return RangeTest(**values)
