"""Batches: what lanes have to do is one transaction, and what cannot be done fails alone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from lehr import logs
from lehr_service.domain.study import Study
from lehr_service.errors import ServiceError, StudyDeleted, Unavailable
from lehr_service.operations.desk import Desk
from lehr_service.operations.known import Known
from lehr_service.operations.ledger import Claim
from lehr_service.storage import attempts, studies, workers
from lehr_service.storage.faults import because, is_fault, told
from lehr_service.storage.questions import Question, ask_all
from lehr_service.storage.session import Database

log = logging.getLogger(__name__)

Act = Callable[[Desk], Any]
Clock = Callable[[], float]

_MOST = 256


@dataclass
class Command:
    """An act on a study, and who waits for what it answers."""

    act: Act
    answer: asyncio.Future[Any]
    begin: float
    claim: Claim | None  # that it is, for a batch to look all of them up at once


@dataclass
class Lane:
    """The commands of one study that wait, and what is known of it between transactions."""

    study_id: int
    queue: deque[Command] = field(default_factory=deque)
    running: bool = False  # a thread is at it, or will be
    known: Known = field(default_factory=Known)

    def take(self, most: int = _MOST) -> list[Command]:
        """The next commands, which others may add to meanwhile."""
        return [self.queue.popleft() for _ in range(min(most, len(self.queue)))]


@dataclass
class Batch:
    """Commands of a lane, and what became of them."""

    lane: Lane
    commands: list[Command]
    begin: float = field(default_factory=time.perf_counter)
    is_open: bool = True  # to commands that come before it has its lock
    results: list[Any] = field(default_factory=list)  # an exception where one was raised
    asks: list[float] = field(default_factory=list)  # seconds of each suggestion made in the lane
    opened: bool = False  # it may have made room for a claim
    study: Study | None = None  # as it has left it

    def fail(self, error: Exception) -> None:
        self.results = [error] * len(self.commands)

    def questions(self) -> list[Question[Any]]:
        """The study, locked; about the claims; about what other servers have stored."""
        study_id = self.lane.study_id
        _, about_claims = _claims(self.commands)
        return [studies.lock(study_id), *about_claims, *self.lane.known.questions(study_id)]

    def stored(self, desk: Desk) -> None:
        """What was done at the desk is in the database now."""
        self.asks += desk.asks
        desk.mirror.revision = desk.study.revision
        self.opened = _opens(desk.found, desk.study)
        self.study = desk.study
        if desk.study.state is not desk.found.state:
            with logs.about(study=desk.study.name):
                log.info("the study is %s: %s", desk.study.state, desk.study.reason)
        desk.ledger.forget_finished()
        if desk.study.state.is_finished:
            self.lane.known.forget()


class Batches:
    """Does what batches say, in a thread of a lane."""

    def __init__(
        self,
        database: Database,
        *,
        lease_seconds: float,
        clock: Clock,
        asks_here: Callable[[Study], bool],
    ) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._asks_here = asks_here
        self.spare_workers()  # they could not be heard while the server was down

    def spare_workers(self) -> None:
        """Give none up before a lease's time has passed from now on."""
        self.grace_until = self._clock() + self._lease_seconds

    def do(self, batches: Sequence[Batch]) -> None:
        """One transaction for batches of one lane each; all have their results then."""
        try:
            self._transact(batches)
            return
        except Exception as error:
            failure = error
        for batch in batches:
            batch.lane.known.forget()
        if is_fault(failure):
            for batch in batches:
                batch.fail(_unavailable(batch, failure))
        elif len(batches) > 1:
            for batch in batches:
                self.do([batch])
        else:
            self._do_each(batches[0], failure)

    def _do_each(self, batch: Batch, failure: Exception) -> None:
        """After a failure that is an act's: the one that cannot be done fails alone."""
        if len(batch.commands) == 1:
            batch.fail(_refusal(batch, failure))
            return
        batch.results = []
        for command in batch.commands:
            one = Batch(batch.lane, [command], batch.begin, is_open=False)
            self.do([one])
            batch.results += one.results
            batch.asks += one.asks
            batch.opened |= one.opened
            batch.study = one.study or batch.study

    def _transact(self, batches: Sequence[Batch]) -> None:
        asked = [batch.questions() for batch in batches]
        with self._database.turn([question for some in asked for question in some]) as turn:
            answers = iter(turn.answers)
            desks = [
                self._act(turn.connection, batch, *(next(answers) for _ in some))
                for batch, some in zip(batches, asked, strict=True)
            ]
            with turn.closing():
                for desk in desks:
                    if desk is not None:
                        desk.close()
        for batch, desk in zip(batches, desks, strict=True):
            if desk is not None:
                batch.stored(desk)

    def _act(
        self, connection: Connection, batch: Batch, study: Study | None, *told: Any
    ) -> Desk | None:
        """Do a batch's commands on its study; None where that is gone."""
        if study is None:
            batch.fail(StudyDeleted())
            return None
        claims, about_claims = _claims(batch.commands)
        of_claims, of_others = told[: len(about_claims)], told[len(about_claims) :]
        mirror, ledger = batch.lane.known.caught_up(connection, study, of_others)
        desk = Desk(
            unflushed=connection,
            study=study,
            mirror=mirror,
            ledger=ledger,
            now=self._clock(),
            lease_seconds=self._lease_seconds,
            grace_until=self.grace_until,
            asks_here=self._asks_here(study),
        )
        if claims:
            desk.know(claims, *of_claims)
        if batch.is_open:  # to those that have come while the lock was waited for
            late = batch.lane.take(_MOST - len(batch.commands))
            batch.commands += late
            claims, about_claims = _claims(late)
            if claims:
                desk.know(claims, *ask_all(connection, about_claims))
        batch.is_open = False
        batch.results = [_try(command.act, desk) for command in batch.commands]
        return desk


def _claims(commands: Sequence[Command]) -> tuple[list[Claim], list[Question[Any]]]:
    """The claims among commands, and what to ask for ``Desk.know``: nothing where there is none."""
    claims = [command.claim for command in commands if command.claim is not None]
    if not claims:
        return [], []
    asking = {worker_id for worker_id, _ in claims}
    return claims, [attempts.by_requests(claims), workers.some(asking)]


def _opens(before: Study, after: Study) -> bool:
    """Whether a claim that found nothing before may find a trial now."""
    return (
        after.running < before.running
        or after.range_tests_running < before.range_tests_running
        or after.is_testing is not before.is_testing
        or after.waiting > before.waiting
        or after.state is not before.state
        or after.definition is not before.definition
    )


def _try(act: Act, desk: Desk) -> Any:
    try:
        return act(desk)
    except ServiceError as refusal:
        return refusal


def _refusal(batch: Batch, failure: Exception) -> Exception:
    """What the one command that cannot be done is answered."""
    if isinstance(failure, DBAPIError):
        return _unavailable(batch, failure)
    with logs.about(study_id=batch.lane.study_id):
        log.error("an unexpected error; nothing was stored", exc_info=failure)
    return failure


def _unavailable(batch: Batch, failure: Exception) -> Unavailable:
    with logs.about(study_id=batch.lane.study_id):
        log.warning("nothing was stored: %s", told(failure))
    return Unavailable(f"the database cannot store anything at the moment{because(failure)}")
