"""What must hold in every database, one query each; what breaks it is said in a sentence.

They are counted anew from the rows, so a check reads every trial and every report once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, not_, or_, select, text

from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import Outcome, TrialState
from lehr_service.storage import studies as study_rows
from lehr_service.storage.tables import attempts, range_tests, reports, studies, trials

_SHOWN = 5  # examples of what is broken, in a sentence
_FINISHED = [state.value for state in TrialState if state.is_finished]
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Finding:
    """What a check has found: ``wrong`` must not be; a ``note`` may have a good reason."""

    check: str
    state: Literal["wrong", "note"]
    says: str


Check = Callable[[Connection], Iterator[Finding]]


def every(connection: Connection) -> list[Finding]:
    """All that is wrong with a database of this version's schema."""
    return [finding for check in CHECKS for finding in check(connection)]


def integrity(connection: Connection) -> Iterator[Finding]:
    """SQLite's own checks; PostgreSQL holds its constraints by itself."""
    if connection.dialect.name != "sqlite":
        return
    damage = [row[0] for row in connection.execute(text("PRAGMA integrity_check")).all()]
    if damage != ["ok"]:
        yield Finding("integrity", "wrong", f"the file is damaged: {_some(damage)}")
    dangling = connection.execute(text("PRAGMA foreign_key_check")).all()
    if dangling:
        named = [f"{row[0]} row {row[1]} (of {row[2]})" for row in dangling]
        yield Finding("integrity", "wrong", f"rows belong to nothing: {_some(named)}")


def counters(connection: Connection) -> Iterator[Finding]:
    """The counters of a study are those of its trials and range tests."""
    mine = {row.study_id: row._mapping for row in connection.execute(_counted_trials()).all()}
    tests = {row.study_id: row._mapping for row in connection.execute(_counted_tests()).all()}
    names = [*_TRIAL_COUNTS, *_TEST_COUNTS]
    query = select(studies.c.id, studies.c.name, *(studies.c[name] for name in names))
    for study in connection.execute(query.order_by(studies.c.id)).all():
        counted = {**mine.get(study.id, {}), **tests.get(study.id, {})}
        for name in names:
            has, found = getattr(study, name), int(counted.get(name) or 0)
            if has != found:
                what = _READ.get(name, name)
                says = f"study {study.name!r} counts {has} {what}, there are {found}"
                yield Finding("counters", "wrong", says)


def numbers(connection: Connection) -> Iterator[Finding]:
    """Trials are numbered from 0, without gaps."""
    highest, count = func.max(trials.c.number), func.count()
    query = (
        select(studies.c.name, highest.label("highest"), count.label("count"))
        .join(trials, trials.c.study_id == studies.c.id)
        .group_by(studies.c.name)
        .having(or_(highest != count - 1, func.min(trials.c.number) != 0))
    )
    for row in connection.execute(query.order_by(studies.c.name)).all():
        says = f"study {row.name!r} has {row.count} trials, numbered up to {row.highest}: some lack"
        yield Finding("numbers", "wrong", says)


def leases(connection: Connection) -> Iterator[Finding]:
    """A running trial or range test has exactly one open attempt, any other has none."""
    for kind, table, word in (
        ("trial", trials, "trial"),
        ("range_test", range_tests, "range test"),
    ):
        held = (
            select(attempts.c.study_id, attempts.c.trial, func.count().label("open"))
            .where(attempts.c.outcome.is_(None), attempts.c.kind == kind)
            .group_by(attempts.c.study_id, attempts.c.trial)
            .subquery()
        )
        same = and_(held.c.study_id == table.c.study_id, held.c.trial == table.c.number)
        open_now = func.coalesce(held.c.open, 0)
        wanted = case((table.c.state == "running", 1), else_=0)
        query = (
            select(studies.c.name, table.c.number, table.c.state, open_now.label("open"))
            .join(studies, studies.c.id == table.c.study_id)
            .outerjoin(held, same)
            .where(open_now != wanted)
        )
        yield from _each(
            connection, query, "leases", f"{word} {{}} is {{state}} with {{open}} leases"
        )


def outcomes(connection: Connection) -> Iterator[Finding]:
    """An attempt has an outcome if and only if it has ended."""
    query = (
        select(studies.c.name, attempts.c.trial.label("number"), attempts.c.attempt)
        .join(studies, studies.c.id == attempts.c.study_id)
        .where(attempts.c.outcome.is_(None) != attempts.c.finished_at.is_(None))
    )
    says = (
        "attempt {attempt} at trial {} has an outcome without an end, or an end without an outcome"
    )
    yield from _each(connection, query, "outcomes", says)


def started(connection: Connection) -> Iterator[Finding]:
    """A trial has as many attempts as it counts."""
    made = (
        select(attempts.c.study_id, attempts.c.trial, func.count().label("made"))
        .where(attempts.c.kind == "trial")
        .group_by(attempts.c.study_id, attempts.c.trial)
        .subquery()
    )
    same = and_(made.c.study_id == trials.c.study_id, made.c.trial == trials.c.number)
    count = func.coalesce(made.c.made, 0)
    query = (
        select(studies.c.name, trials.c.number, trials.c.attempts, count.label("made"))
        .join(studies, studies.c.id == trials.c.study_id)
        .outerjoin(made, same)
        .where(count != trials.c.attempts)
    )
    says = "trial {} counts {attempts} attempts, there are {made}"
    yield from _each(connection, query, "attempts", says)


def strays(connection: Connection) -> Iterator[Finding]:
    """Every report belongs to an attempt at a trial, every checkpoint and attempt to a trial."""
    of_attempt = and_(
        attempts.c.study_id == reports.c.study_id,
        attempts.c.kind == "trial",
        attempts.c.trial == reports.c.trial,
        attempts.c.attempt == reports.c.attempt,
    )
    of_trial = and_(trials.c.study_id == reports.c.study_id, trials.c.number == reports.c.trial)
    query = (
        select(reports.c.study_id.label("name"), reports.c.trial.label("number"))
        .outerjoin(attempts, of_attempt)
        .outerjoin(trials, of_trial)
        .where(or_(attempts.c.id.is_(None), trials.c.id.is_(None)))
        .distinct()
    )
    says = "reports name trial {} of the study with id {name}, which has no such trial or attempt"
    yield from _each(connection, query, "reports", says, named=False)


def values(connection: Connection) -> Iterator[Finding]:
    """The value of a complete trial is the last it reported, where the study selects that.

    A note only: a worker may send a value of its own with the completion.
    """
    last = (
        select(reports.c.study_id, reports.c.trial, func.max(reports.c.step).label("step"))
        .group_by(reports.c.study_id, reports.c.trial)
        .subquery()
    )
    latest = (
        select(reports.c.study_id, reports.c.trial, func.max(reports.c.attempt).label("attempt"))
        .join(last, _same(last, "step"))
        .group_by(reports.c.study_id, reports.c.trial)
        .subquery()
    )
    known = {study.id: study.definition for study in study_rows.all_of_them(connection)}
    query = (
        select(
            trials.c.study_id,
            trials.c.number,
            trials.c.value,
            reports.c.value.label("reported"),
            reports.c.metrics,
        )
        .join(
            reports,
            and_(reports.c.study_id == trials.c.study_id, reports.c.trial == trials.c.number),
        )
        .join(last, _same(last, "step"))
        .join(latest, _same(latest, "attempt"))
        .where(trials.c.state == TrialState.COMPLETE.value, trials.c.value.is_not(None))
        .order_by(trials.c.study_id, trials.c.number)
    )
    told = []
    for row in connection.execute(query):
        reported = _selected(known[row.study_id], row.reported, row.metrics)
        if reported is not None and not math.isclose(row.value, reported, rel_tol=_TOLERANCE):
            which = f"trial {row.number} of {known[row.study_id].name!r}"
            told.append(f"{which} has the value {row.value:g}, but reported {reported:g} last")
    if told:
        yield Finding("values", "note", _some(told))


def _selected(
    definition: StudyDefinition, value: float | None, metrics: Mapping[str, float | None]
) -> float | None:
    """What a trial is worth by its last report alone; None where the study selects otherwise."""
    goals = definition.goals
    if len(goals) != 1 or goals[0].select != "last":
        return None
    return value if definition.judge == "raw" else metrics.get(goals[0].metric, value)


def _same(table: Any, name: str) -> ColumnElement[bool]:
    """That a report is the one which the subquery has found by its step or attempt."""
    return and_(
        table.c.study_id == reports.c.study_id,
        table.c.trial == reports.c.trial,
        table.c[name] == reports.c[name],
    )


def _sum(condition: ColumnElement[bool], value: Any = 1) -> ColumnElement[int]:
    return func.sum(case((condition, value), else_=0))


_IN = {state.value: trials.c.state == state.value for state in TrialState}
_TRIAL_COUNTS: dict[str, ColumnElement[int]] = {
    **{state: _sum(condition) for state, condition in _IN.items()},
    "returned": _sum(and_(_IN["waiting"], trials.c.attempts > 0)),
    "failures": _sum(
        and_(
            _IN["fail"],
            not_(func.coalesce(trials.c.reason, "") == Outcome.CANCELLED.value),
        )
    ),
    "epochs": func.sum(trials.c.steps),
    "finished_epochs": _sum(trials.c.state.in_(_FINISHED), trials.c.steps),
}
_TEST_COUNTS = {
    f"range_tests_{state}": _sum(range_tests.c.state == state) for state in ("waiting", "running")
}
_READ = {
    **{state.value: f"{state.value} trials" for state in TrialState},
    "fail": "failed trials",
    "returned": "waiting trials that were started before",
    "failures": "trials that failed by themselves",
    "finished_epochs": "epochs of finished trials",
    "range_tests_waiting": "waiting range tests",
    "range_tests_running": "running range tests",
}


def _counted_trials() -> Select[Any]:
    counts = [count.label(name) for name, count in _TRIAL_COUNTS.items()]
    return select(trials.c.study_id, *counts).group_by(trials.c.study_id)


def _counted_tests() -> Select[Any]:
    counts = [count.label(name) for name, count in _TEST_COUNTS.items()]
    return select(range_tests.c.study_id, *counts).group_by(range_tests.c.study_id)


def _each(
    connection: Connection,
    query: Select[Any],
    check: str,
    says: str,
    *,
    named: bool = True,
) -> Iterator[Finding]:
    """One finding for all rows, with the first of them as examples."""
    rows = connection.execute(query.order_by(text("1"), text("2"))).all()
    if not rows:
        return
    told = []
    for row in rows[:_SHOWN]:
        which = f"{row.number} of {row.name!r}" if named else str(row.number)
        told.append(says.format(which, **row._mapping))
    yield Finding(check, "wrong", _some(told, len(rows)))


def _some(told: list[str], count: int | None = None) -> str:
    more = (len(told) if count is None else count) - _SHOWN
    return "; ".join(told[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


CHECKS: tuple[Check, ...] = (
    integrity,
    counters,
    numbers,
    leases,
    outcomes,
    started,
    strays,
    values,
)
