"""Queries about trials; one function a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    and_,
    any_,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    update,
)

from lehr.wire.trials import AUDITED, TrialState
from lehr_service.domain.trial import Trial
from lehr_service.storage.driver import send
from lehr_service.storage.many import arrays, insert_all, unnested
from lehr_service.storage.questions import Question
from lehr_service.storage.tables import trials

OrderBy = Literal["number", "-number", "value", "-value"]

_AT_ONCE = 500  # databases bound the length of a list of parameters
_COLUMNS = [c for c in trials.c if c.name not in ("id", "study_id", "attrs")]


_SINCE = (
    select(*_COLUMNS, trials.c.attrs)
    .where(trials.c.study_id == bindparam("study_id"), trials.c.revision > bindparam("revision"))
    .order_by(trials.c.number)
)
_GET = select(*_COLUMNS).where(
    trials.c.study_id == bindparam("study_id"), trials.c.number == bindparam("number")
)
_SAVE = (
    update(trials)
    .where(trials.c.study_id == bindparam("of_study"), trials.c.number == bindparam("of_number"))
    .values({column.name: bindparam(column.name) for column in _COLUMNS})
)
_SAVE_STEPS = (
    update(trials)
    .where(trials.c.study_id == bindparam("of_study"), trials.c.number == bindparam("of_number"))
    .values(steps=bindparam("steps"), revision=bindparam("revision"))
)
_STEPS = select(*(unnested(trials, name) for name in ("number", "steps", "revision"))).subquery()
_SAVE_STEPS_AT_ONCE = (  # PostgreSQL; the numbers are given twice so that it looks up each of them
    update(trials)
    .where(
        trials.c.study_id == bindparam("of_study"),
        trials.c.number == any_(bindparam("all_number", type_=ARRAY(Integer))),
        trials.c.number == _STEPS.c.number,
    )
    .values(steps=_STEPS.c.steps, revision=_STEPS.c.revision)
)
_SAVE_ATTRS = (
    update(trials)
    .where(trials.c.study_id == bindparam("of_study"), trials.c.number == bindparam("of_number"))
    .values(attrs=bindparam("attrs"), revision=bindparam("revision"))
)


def add_all(
    connection: Connection,
    study_id: int,
    new: Sequence[Trial],
    attrs: Mapping[int, dict[str, Any]] | None = None,
) -> None:
    """Insert trials, with Optuna's attributes by number where they have any."""
    given = attrs or {}
    rows = [
        vars(trial) | {"study_id": study_id, "attrs": given.get(trial.number, {})} for trial in new
    ]
    insert_all(connection, trials, rows)


def save_all(connection: Connection, study_id: int, changed: Sequence[Trial]) -> None:
    """Write all of these trials but their Optuna attributes."""
    rows = [vars(t) | {"of_study": study_id, "of_number": t.number} for t in changed]
    send(connection, _SAVE, rows)


def save_steps(connection: Connection, study_id: int, changed: Sequence[Trial]) -> None:
    """Write how far these trials have come, which is all that a report changes."""
    names = ("number", "steps", "revision")
    rows = [{name: getattr(trial, name) for name in names} for trial in changed]
    if connection.dialect.name == "postgresql":
        at_once = arrays(trials, names, rows)
        send(connection, _SAVE_STEPS_AT_ONCE, [at_once | {"of_study": study_id}])
    else:
        each = [row | {"of_study": study_id, "of_number": row["number"]} for row in rows]
        send(connection, _SAVE_STEPS, each)


def save_attrs(
    connection: Connection, study_id: int, attrs: Mapping[int, dict[str, Any]], revision: int
) -> None:
    """Write Optuna's attributes of trials, by number."""
    rows = [
        {"of_study": study_id, "of_number": number, "attrs": of_trial, "revision": revision}
        for number, of_trial in attrs.items()
    ]
    send(connection, _SAVE_ATTRS, rows)


def get(connection: Connection, study_id: int, number: int) -> Trial | None:
    row = connection.execute(_GET, {"study_id": study_id, "number": number}).first()
    return None if row is None else _trial(row)


def first_waiting(connection: Connection, study_id: int) -> Trial | None:
    """The waiting trial to run next: those that had started before those only enqueued."""
    query = (
        _in_state(study_id, TrialState.WAITING)
        .order_by(trials.c.attempts == 0, trials.c.number)
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else _trial(row)


def in_state(connection: Connection, study_id: int, state: TrialState) -> list[Trial]:
    query = _in_state(study_id, state).order_by(trials.c.number)
    return [_trial(row) for row in connection.execute(query).all()]


@dataclass(frozen=True)
class Outline:
    """So much of a trial as it takes to choose among thousands."""

    number: int
    state: str
    value: float | None
    steps: int
    objective_values: Sequence[float] | None  # of several objectives


def outlines(connection: Connection, study_id: int) -> list[Outline]:
    """All trials of a study by number."""
    chosen = [trials.c[field.name] for field in fields(Outline)]
    query = select(*chosen).where(trials.c.study_id == study_id).order_by(trials.c.number)
    return [Outline(*row) for row in connection.execute(query).all()]


def numbered(connection: Connection, study_id: int, numbers: Sequence[int]) -> list[Trial]:
    """The trials with these numbers, by number."""
    found: list[Trial] = []
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        query = select(*_COLUMNS).where(trials.c.study_id == study_id, trials.c.number.in_(some))
        found += [_trial(row) for row in connection.execute(query).all()]
    return sorted(found, key=lambda trial: trial.number)


def values(connection: Connection, study_id: int) -> list[float]:
    """The values of complete trials by number."""
    query = (
        select(trials.c.value)
        .where(
            trials.c.study_id == study_id,
            trials.c.state == TrialState.COMPLETE.value,
            trials.c.value.is_not(None),
        )
        .order_by(trials.c.number)
    )
    return list(connection.execute(query).scalars().all())


def every(connection: Connection, study_id: int) -> list[Trial]:
    query = select(*_COLUMNS).where(trials.c.study_id == study_id).order_by(trials.c.number)
    return [_trial(row) for row in connection.execute(query).all()]


def _in_state(study_id: int, state: TrialState) -> Select[Any]:
    return select(*_COLUMNS).where(trials.c.study_id == study_id, trials.c.state == state.value)


def best(connection: Connection, study_id: int, direction: str) -> Trial | None:
    """The complete trial with the best value; the earliest where several have it."""
    value = trials.c.value.asc() if direction == "minimize" else trials.c.value.desc()
    query = (
        _in_state(study_id, TrialState.COMPLETE)
        .where(trials.c.value.is_not(None))
        .order_by(value, trials.c.number)
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else _trial(row)


def steps_by_state(connection: Connection, study_id: int) -> dict[TrialState, tuple[int, int]]:
    """For complete and for pruned trials, how many there are and their steps in all."""
    query = (
        select(trials.c.state, func.count(), func.sum(trials.c.steps))
        .where(
            trials.c.study_id == study_id,
            trials.c.state.in_([TrialState.COMPLETE.value, TrialState.PRUNED.value]),
        )
        .group_by(trials.c.state)
    )
    found = connection.execute(query).all()
    return {TrialState(state): (int(count), int(steps)) for state, count, steps in found}


def finals(connection: Connection, study_id: int) -> list[tuple[float, bool]]:
    """Final values of complete trials, and whether each is one that the audit let go on."""
    query = select(trials.c.value, trials.c.attrs).where(
        trials.c.study_id == study_id,
        trials.c.state == TrialState.COMPLETE.value,
        trials.c.value.is_not(None),
    )
    return [(float(value), AUDITED in attrs) for value, attrs in connection.execute(query).all()]


def complete_with_values(connection: Connection, study_id: int) -> list[Trial]:
    """Complete trials of a study with several objectives."""
    query = _in_state(study_id, TrialState.COMPLETE).order_by(trials.c.number)
    return [
        trial for trial in map(_trial, connection.execute(query).all()) if trial.objective_values
    ]


def changed_since(study_id: int, revision: int) -> Question[list[tuple[Trial, dict[str, Any]]]]:
    """Trials changed after a revision, by number, each with its Optuna attributes."""
    return Question(_SINCE, {"study_id": study_id, "revision": revision}, read=_with_attrs)


def _with_attrs(rows: Sequence[dict[str, Any]]) -> list[tuple[Trial, dict[str, Any]]]:
    attrs = [row.pop("attrs") for row in rows]
    return list(zip(map(_from, rows), attrs, strict=True))


def written_after(
    connection: Connection,
    study_id: int,
    *,
    revision: int,
    within: int | None,
    upto: int,
    limit: int,
) -> list[Trial]:
    """Trials by the revision that changed them last and number, from after a revision to ``upto``.

    With ``within`` those of the revision itself too, after that number.
    """
    first = revision + (within is None)
    query = (
        select(*_COLUMNS)
        .where(trials.c.study_id == study_id, trials.c.revision.between(first, upto))
        .order_by(trials.c.revision, trials.c.number)
        .limit(limit)
    )
    if within is not None:
        query = query.where(tuple_(trials.c.revision, trials.c.number) > tuple_(revision, within))
    return [_trial(row) for row in connection.execute(query).all()]


def page(
    connection: Connection,
    study_id: int,
    *,
    state: TrialState | None,
    since_revision: int | None,
    order_by: OrderBy,
    after: tuple[float | None, int] | None,
    limit: int,
) -> list[Trial]:
    """Trials after ``after``, a (value, number) pair; those without a value come last."""
    query = select(*_COLUMNS).where(trials.c.study_id == study_id)
    if state is not None:
        query = query.where(trials.c.state == state.value)
    if since_revision is not None:
        query = query.where(trials.c.revision > since_revision)
    query = _ordered(query, order_by)
    if after is not None:
        query = query.where(_beyond(order_by, *after))
    return [_trial(row) for row in connection.execute(query.limit(limit)).all()]


def _ordered(query: Select[Any], order_by: OrderBy) -> Select[Any]:
    match order_by:
        case "number":
            return query.order_by(trials.c.number)
        case "-number":
            return query.order_by(trials.c.number.desc())
        case "value":
            return query.order_by(trials.c.value.is_(None), trials.c.value, trials.c.number)
        case "-value":
            return query.order_by(trials.c.value.is_(None), trials.c.value.desc(), trials.c.number)


def _beyond(order_by: OrderBy, value: float | None, number: int) -> ColumnElement[bool]:
    if order_by == "number":
        return trials.c.number > number
    if order_by == "-number":
        return trials.c.number < number
    if value is None:
        return and_(trials.c.value.is_(None), trials.c.number > number)
    further = trials.c.value > value if order_by == "value" else trials.c.value < value
    return or_(
        further,
        and_(trials.c.value == value, trials.c.number > number),
        trials.c.value.is_(None),
    )


def _trial(row: Row[Any]) -> Trial:
    return _from(dict(row._mapping))


def _from(values: dict[str, Any]) -> Trial:
    values["state"] = TrialState(values["state"])
    return Trial(**values)
