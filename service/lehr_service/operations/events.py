"""What happened in a study, in order, read from the database by revision.

Every row carries the revision that wrote it. A report is written once, so each is one event; a
trial or a study is one event for each state that a reader finds it in, and the last is never left
out. A position says exactly what was read, so any server of the database can go on from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel
from sqlalchemy import Connection

from lehr.wire.events import ReportEvent
from lehr.wire.studies import Study as StudyView
from lehr_service.domain.study import Study
from lehr_service.operations.views import report_view, trial_view
from lehr_service.storage import reports, trials

REPORT, TRIAL, STUDY = range(3)  # their order within a revision
NAMES = ("report", "trial", "study")

CHUNK = 1000

_ID = re.compile(r"[0-9]{1,10}(?:-[0-9]{1,10}){5}")


@dataclass(frozen=True, order=True)
class Position:
    """Where an event stands among those of its study; by itself, after all of its revision."""

    revision: int
    kind: int = STUDY
    trial: int = 0
    attempt: int = 0
    step: int = 0


BEGINNING = Position(-1)


@dataclass(frozen=True)
class Event:
    """Something that happened; ``data`` is what the REST API shows of it."""

    position: Position
    data: BaseModel

    @property
    def name(self) -> str:
        return NAMES[self.position.kind]


def id_of(study: Study, position: Position) -> str:
    """The text by which a reader names what it has read last."""
    return "-".join(map(str, (study.id, *vars(position).values())))


def read_id(text: str) -> tuple[int, Position] | None:
    """A study's id and the position in it; None for what no event has as its id."""
    if not _ID.fullmatch(text):
        return None
    study_id, *numbers = map(int, text.split("-"))
    largest = 2**31 - 1
    fits = study_id <= largest and max(numbers) <= largest and numbers[1] <= STUDY
    return (study_id, Position(*numbers)) if fits else None


def following(
    connection: Connection,
    study: Study,
    after: Position,
    show: Callable[[Connection, Study], StudyView],
    chunk: int = CHUNK,
) -> list[Event]:
    """Events after a position in their order, the next ``chunk`` or so.

    The last is the study's, as ``show`` shows it, where no other is left out.
    """
    found = _reports(connection, study, after, chunk), _trials(connection, study, after, chunk)
    # Beyond the last event of a list that is cut, others may be missing in between.
    ends = [events[-1].position for events in found if len(events) == chunk]
    events = sorted((e for some in found for e in some), key=lambda event: event.position)
    if ends:
        return [event for event in events if event.position <= min(ends)]
    now = Position(study.revision)
    return [*events, Event(now, show(connection, study))] if now > after else events


def _reports(connection: Connection, study: Study, after: Position, limit: int) -> list[Event]:
    within = after.kind == REPORT
    rows = reports.written_after(
        connection,
        study.id,
        revision=after.revision,
        within=(after.trial, after.attempt, after.step) if within else None,
        upto=study.revision,
        limit=limit,
    )
    return [
        Event(
            Position(row.revision, REPORT, row.trial, row.attempt, row.step),
            ReportEvent(
                study=study.name,
                trial=row.trial,
                verdict=row.verdict,
                reason=row.reason,
                **vars(report_view(row)),
            ),
        )
        for row in rows
    ]


def _trials(connection: Connection, study: Study, after: Position, limit: int) -> list[Event]:
    within = {REPORT: -1, TRIAL: after.trial}.get(after.kind)
    changed = trials.written_after(
        connection,
        study.id,
        revision=after.revision,
        within=within,
        upto=study.revision,
        limit=limit,
    )
    return [
        Event(Position(trial.revision, TRIAL, trial.number), trial_view(study.name, trial))
        for trial in changed
    ]
