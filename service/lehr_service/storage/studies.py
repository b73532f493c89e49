"""Queries about studies; one function a query."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, delete, func, insert, select, update

from lehr.wire.studies import StudyDefinition, StudyState
from lehr.wire.trials import TrialState
from lehr_service.domain.study import Study
from lehr_service.storage.driver import send
from lehr_service.storage.questions import Question, ask
from lehr_service.storage.tables import studies

_UNSTORED = {"id", "definition"}

# Statements of the hot path are built once: building one costs more than running it.
_STUDIES = select(*(column for column in studies.c if column.name != "attrs"))
_BY_NAME = _STUDIES.where(studies.c.name == bindparam("name"))
_BY_ID = _STUDIES.where(studies.c.id == bindparam("id"))
_ATTRS = select(studies.c.attrs).where(studies.c.id == bindparam("id"))
_LOCK = _BY_ID.with_for_update()
_ACTIVE = _STUDIES.where(studies.c.state == StudyState.ACTIVE.value)


def add(connection: Connection, study: Mapping[str, Any]) -> int:
    """Insert a study; answers its id."""
    result = connection.execute(insert(studies).values(**study).returning(studies.c.id))
    return int(result.scalar_one())


def by_name(connection: Connection, name: str) -> Study | None:
    return ask(connection, Question(_BY_NAME, {"name": name}, read=_only))


def by_id(connection: Connection, study_id: int) -> Study | None:
    return ask(connection, Question(_BY_ID, {"id": study_id}, read=_only))


def lock(study_id: int) -> Question[Study | None]:
    """The study, locked until the transaction ends (SQLite: the transaction has the lock)."""
    return Question(_LOCK, {"id": study_id}, read=_only)


def attrs(study_id: int) -> Question[dict[str, Any]]:
    """Optuna's system attributes of the study; none of one that is gone."""
    return Question(_ATTRS, {"id": study_id}, read=lambda rows: rows[0]["attrs"] if rows else {})


def save(
    connection: Connection,
    study: Study,
    found: Study,
    *,
    study_attrs: Mapping[str, Any] | None,
) -> None:
    """Write what of a study is not as it was found; Optuna's attributes where there are any."""
    before = vars(found)
    values: dict[str, Any] = {
        name: value
        for name, value in vars(study).items()
        if name not in _UNSTORED and value != before[name]
    }
    if study.definition is not found.definition:
        values["definition"] = json.dumps(dump(study.definition))
    if study_attrs is not None:
        values["attrs"] = dict(study_attrs)
    send(connection, _update(frozenset(values)), [values | {"of_id": study.id}])


@lru_cache
def _update(names: frozenset[str]) -> Update:
    query = update(studies).where(studies.c.id == bindparam("of_id"))
    return query.values({name: bindparam(name) for name in names})


def remove(connection: Connection, study_id: int) -> None:
    connection.execute(delete(studies).where(studies.c.id == study_id))


def page(
    connection: Connection,
    *,
    state: StudyState | None,
    after: int | None,
    limit: int,
    contains: str = "",
) -> list[Study]:
    """Studies with ids below ``after``, newest first; ``contains``: in their definition."""
    query = _STUDIES.order_by(studies.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(studies.c.state == state.value)
    if after is not None:
        query = query.where(studies.c.id < after)
    if contains:
        query = query.where(studies.c.definition.icontains(contains, autoescape=True))
    return [_study(dict(row._mapping)) for row in connection.execute(query).all()]


def active() -> Question[list[Study]]:
    return Question(_ACTIVE, read=lambda rows: [_study(row) for row in rows])


@dataclass(frozen=True)
class Total:
    """Of all studies in a state."""

    studies: int
    trials: dict[str, int]  # by their state


def totals(connection: Connection) -> dict[str, Total]:
    """By studies' state, added up from their counters."""
    names = [state.value for state in TrialState]
    sums = [func.coalesce(func.sum(studies.c[name]), 0) for name in names]
    query = select(studies.c.state, func.count(), *sums).group_by(studies.c.state)
    return {
        state: Total(count, {name: int(n) for name, n in zip(names, counts, strict=True)})
        for state, count, *counts in connection.execute(query).all()
    }


def all_of_them(connection: Connection) -> list[Study]:
    return [_study(dict(row._mapping)) for row in connection.execute(_STUDIES).all()]


def least_virtual_time(connection: Connection) -> float:
    """Where a study that becomes active starts its share: with those that wait least far behind."""
    query = select(func.min(studies.c.virtual_time)).where(
        studies.c.state == StudyState.ACTIVE.value
    )
    return float(connection.execute(query).scalar() or 0.0)


def revision(connection: Connection, study_id: int) -> int | None:
    query = select(studies.c.revision).where(studies.c.id == study_id)
    found = connection.execute(query).scalar()
    return None if found is None else int(found)


def dump(definition: StudyDefinition) -> dict[str, Any]:
    """The stored form of a definition; equal definitions have equal forms."""
    return definition.model_dump(mode="json", exclude_none=True)


def columns(study: Study) -> dict[str, Any]:
    """A new study as the row to insert."""
    return {k: v for k, v in vars(study).items() if k not in _UNSTORED} | {
        "definition": json.dumps(dump(study.definition)),
        "attrs": {},
    }


def _only(rows: Sequence[dict[str, Any]]) -> Study | None:
    return _study(rows[0]) if rows else None


def _study(values: dict[str, Any]) -> Study:
    values["state"] = StudyState(values["state"])
    values["definition"] = _definition(values["definition"])
    return Study(**values)


@lru_cache(maxsize=1024)
def _definition(stored: str) -> StudyDefinition:
    """Validated once: definitions are read with every transaction and seldom change."""
    return StudyDefinition.model_validate_json(stored)
