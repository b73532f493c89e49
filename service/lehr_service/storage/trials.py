"""Queries about trials, their attempts, reports and checkpoints; one function a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from lehr.wire.trials import Outcome, TrialState
from lehr_service.domain.attempt import Attempt
from lehr_service.domain.trial import Trial
from lehr_service.storage.tables import attempts, checkpoints, reports, trials

OrderBy = Literal["number", "-number", "value", "-value"]

_TRIAL_COLUMNS = [c for c in trials.c if c.name not in ("id", "study_id", "attrs")]
_ATTEMPT_COLUMNS = [c for c in attempts.c if c.name not in ("id", "request_id")]


def add(connection: Connection, study_id: int, trial: Trial) -> None:
    connection.execute(insert(trials).values(**vars(trial), study_id=study_id))


def save(connection: Connection, study_id: int, trial: Trial) -> None:
    """Write all of a trial but its Optuna attributes."""
    connection.execute(
        update(trials)
        .where(trials.c.study_id == study_id, trials.c.number == trial.number)
        .values(**vars(trial))
    )


def save_attrs(
    connection: Connection, study_id: int, number: int, attrs: Mapping[str, Any], revision: int
) -> None:
    """Write a trial's Optuna attributes."""
    connection.execute(
        update(trials)
        .where(trials.c.study_id == study_id, trials.c.number == number)
        .values(attrs=dict(attrs), revision=revision)
    )


def get(connection: Connection, study_id: int, number: int) -> Trial | None:
    query = select(*_TRIAL_COLUMNS).where(trials.c.study_id == study_id, trials.c.number == number)
    row = connection.execute(query).first()
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


def _in_state(study_id: int, state: TrialState) -> Select[Any]:
    return select(*_TRIAL_COLUMNS).where(
        trials.c.study_id == study_id, trials.c.state == state.value
    )


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


def complete_with_values(connection: Connection, study_id: int) -> list[Trial]:
    """Complete trials of a study with several objectives."""
    query = _in_state(study_id, TrialState.COMPLETE).order_by(trials.c.number)
    return [
        trial for trial in map(_trial, connection.execute(query).all()) if trial.objective_values
    ]


def changed_since(
    connection: Connection, study_id: int, revision: int
) -> list[tuple[Trial, dict[str, Any]]]:
    """Trials changed after a revision, by number, each with its Optuna attributes."""
    query = (
        select(*_TRIAL_COLUMNS, trials.c.attrs)
        .where(trials.c.study_id == study_id, trials.c.revision > revision)
        .order_by(trials.c.number)
    )
    found = []
    for row in connection.execute(query).all():
        values = dict(row._mapping)
        attrs = values.pop("attrs")
        found.append((_from(values), attrs))
    return found


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
    query = select(*_TRIAL_COLUMNS).where(trials.c.study_id == study_id)
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


# Attempts


def add_attempt(connection: Connection, attempt: Attempt, request_id: str) -> None:
    connection.execute(insert(attempts).values(**vars(attempt), request_id=request_id))


def end_attempt(connection: Connection, attempt: Attempt) -> None:
    connection.execute(
        update(attempts)
        .where(attempts.c.token == attempt.token)
        .values(
            outcome=attempt.outcome,
            message=attempt.message,
            traceback=attempt.traceback,
            finished_at=attempt.finished_at,
        )
    )


def attempt_by_token(connection: Connection, token: str) -> Attempt | None:
    return _one_attempt(connection, attempts.c.token == token)


def attempt_by_request(connection: Connection, worker_id: str, request_id: str) -> Attempt | None:
    mine = and_(attempts.c.worker_id == worker_id, attempts.c.request_id == request_id)
    return _one_attempt(connection, mine)


def running_attempt(connection: Connection, study_id: int, number: int) -> Attempt | None:
    running = and_(
        attempts.c.study_id == study_id,
        attempts.c.trial == number,
        attempts.c.outcome.is_(None),
    )
    return _one_attempt(connection, running)


def history(connection: Connection, study_id: int, number: int) -> list[Attempt]:
    query = (
        select(*_ATTEMPT_COLUMNS)
        .where(attempts.c.study_id == study_id, attempts.c.trial == number)
        .order_by(attempts.c.attempt)
    )
    return [_attempt(row) for row in connection.execute(query).all()]


def running_of_worker(connection: Connection, worker_id: str) -> list[Attempt]:
    query = select(*_ATTEMPT_COLUMNS).where(
        attempts.c.worker_id == worker_id, attempts.c.outcome.is_(None)
    )
    return [_attempt(row) for row in connection.execute(query).all()]


def running_tokens(connection: Connection, tokens: Sequence[str]) -> set[str]:
    """Which of these tokens hold a lease."""
    query = select(attempts.c.token).where(
        attempts.c.token.in_(tokens), attempts.c.outcome.is_(None)
    )
    return set(connection.execute(query).scalars().all()) if tokens else set()


def _one_attempt(connection: Connection, condition: ColumnElement[bool]) -> Attempt | None:
    row = connection.execute(select(*_ATTEMPT_COLUMNS).where(condition)).first()
    return None if row is None else _attempt(row)


def _attempt(row: Row[Any]) -> Attempt:
    values = dict(row._mapping)
    values["outcome"] = None if values["outcome"] is None else Outcome(values["outcome"])
    return Attempt(**values)


# Reports


def add_report(connection: Connection, row: Mapping[str, Any]) -> None:
    connection.execute(insert(reports).values(**row))


def report(connection: Connection, attempt: Attempt, step: int) -> Row[Any] | None:
    query = select(reports).where(*_of_attempt(attempt), reports.c.step == step)
    return connection.execute(query).first()


def last_step(connection: Connection, attempt: Attempt) -> int:
    """The last step this attempt reported, -1 before the first."""
    query = select(func.max(reports.c.step)).where(*_of_attempt(attempt))
    found = connection.execute(query).scalar()
    return -1 if found is None else int(found)


def _of_attempt(attempt: Attempt) -> tuple[ColumnElement[bool], ...]:
    return (
        reports.c.study_id == attempt.study_id,
        reports.c.trial == attempt.trial,
        reports.c.attempt == attempt.attempt,
    )


def curve(
    connection: Connection, study_id: int, number: int, attempt: int | None = None
) -> list[Row[Any]]:
    """A trial's reports by step; where attempts overlap, the latest attempt's.

    With ``attempt``, the reports of that attempt only.
    """
    query = (
        select(reports)
        .where(reports.c.study_id == study_id, reports.c.trial == number)
        .order_by(reports.c.step, reports.c.attempt)
    )
    if attempt is not None:
        query = query.where(reports.c.attempt == attempt)
    return list({row.step: row for row in connection.execute(query).all()}.values())


def curves_of(
    connection: Connection, study_id: int, numbers: Iterable[int]
) -> dict[int, dict[int, float | None]]:
    """Reported values by trial and step, for the given trials."""
    wanted = list(numbers)
    found: dict[int, dict[int, float | None]] = {number: {} for number in wanted}
    query = select(reports.c.trial, reports.c.step, reports.c.value).where(
        reports.c.study_id == study_id
    )
    if len(wanted) <= 500:  # databases bound the length of a list of parameters
        query = query.where(reports.c.trial.in_(wanted))
    for trial, step, value in connection.execute(query.order_by(reports.c.attempt)).all():
        if trial in found:
            found[trial][step] = value
    return found


# Checkpoints


def save_checkpoint(connection: Connection, row: Mapping[str, Any]) -> None:
    """Store a trial's checkpoint in place of the one before."""
    remove_checkpoint(connection, row["study_id"], row["trial"])
    connection.execute(insert(checkpoints).values(**row))


def checkpoint(connection: Connection, study_id: int, number: int) -> Row[Any] | None:
    query = select(checkpoints).where(
        checkpoints.c.study_id == study_id, checkpoints.c.trial == number
    )
    return connection.execute(query).first()


def has_checkpoint(connection: Connection, study_id: int, number: int) -> bool:
    query = select(checkpoints.c.attempt).where(
        checkpoints.c.study_id == study_id, checkpoints.c.trial == number
    )
    return connection.execute(query).first() is not None


def remove_checkpoint(connection: Connection, study_id: int, number: int) -> None:
    connection.execute(
        delete(checkpoints).where(checkpoints.c.study_id == study_id, checkpoints.c.trial == number)
    )
