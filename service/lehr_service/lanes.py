"""Lanes: one a study. Commands queue; one batch is in flight; a batch is one transaction.

A slow disk makes batches larger instead of queues longer (group commit), and no answer is sent
before its commit. The lock on the study's row and its revision make any number of servers on one
database correct: a mirror that is behind catches up before it is asked anything.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError

from lehr import logs
from lehr_service.domain.study import Study
from lehr_service.errors import ServiceError, StudyDeleted, Unavailable
from lehr_service.metrics import Metrics
from lehr_service.operations.desk import Desk
from lehr_service.operations.known import Known
from lehr_service.operations.ledger import Claim
from lehr_service.storage import attempts, studies, workers
from lehr_service.storage.faults import because, is_fault, told
from lehr_service.storage.questions import Question, ask_all
from lehr_service.storage.session import Database

log = logging.getLogger(__name__)

T = TypeVar("T")
Act = Callable[[Desk], Any]
Clock = Callable[[], float]

_BATCH = 256
_THREADS = 8
_LANES = 4096


@dataclass
class _Command:
    act: Act
    answer: asyncio.Future[Any]
    begin: float
    claim: Claim | None  # that it is, for a batch to look all of them up at once


@dataclass
class _Batch:
    """Commands of a lane, and what became of them."""

    commands: list[_Command]
    begin: float
    results: list[Any] = field(default_factory=list)
    asks: list[float] = field(default_factory=list)  # seconds of each suggestion made in the lane
    opened: bool = False  # it may have made room for a claim
    study: Study | None = None  # as it has left it


@dataclass
class _Lane:
    study_id: int
    queue: deque[_Command] = field(default_factory=deque)
    running: bool = False  # a thread is at it, or will be
    known: Known = field(default_factory=Known)

    def take(self, most: int) -> list[_Command]:
        """The next commands, which others may add to meanwhile."""
        return [self.queue.popleft() for _ in range(min(most, len(self.queue)))]


class Lanes:
    """All lanes of this server, each made when its study is first used."""

    def __init__(
        self,
        database: Database,
        *,
        lease_seconds: float,
        queue_commands: int,
        clock: Clock = time.time,
        changed: Callable[[int, bool, Study | None], None] = lambda study_id, opened, study: None,
        asks_here: Callable[[Study], bool] = lambda study: True,
        mirror_trials: int = 100_000,
        metrics: Metrics | None = None,
    ) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._queue_commands = queue_commands
        self._clock = clock
        self._changed = changed
        self._asks_here = asks_here
        self._mirror_trials = mirror_trials
        self._metrics = metrics or Metrics()
        self._lanes: OrderedDict[int, _Lane] = OrderedDict()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lane")
        self.spare_workers()  # they could not be heard while the server was down
        self._tasks: set[asyncio.Future[None]] = set()  # a thread's each
        self.is_open = True

    async def submit(
        self, study_id: int, act: Callable[[Desk], T], claim: Claim | None = None
    ) -> T:
        """Run an act on a study in its lane, and answer after the commit.

        ``claim``: the one that the act meets. Raises what the act raises, and Unavailable where
        nothing could be stored.
        """
        lane = self._lane(study_id)
        if len(lane.queue) >= self._queue_commands:
            raise Unavailable("too many requests wait for this study")
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        context = copy_context()

        def in_context(desk: Desk) -> T:
            """So that the log knows whose act it is."""
            return context.run(act, desk)

        lane.queue.append(_Command(in_context, answer, time.perf_counter(), claim))
        if not lane.running:
            lane.running = True
            self._start(lane)
        return await answer

    def spare_workers(self) -> None:
        """Give none up before a lease's time has passed from now on."""
        self.grace_until = self._clock() + self._lease_seconds

    async def close(self) -> None:
        """Let what is queued finish."""
        self.is_open = False
        while self._tasks:
            await asyncio.gather(*self._tasks)
        self._threads.shutdown()

    def _lane(self, study_id: int) -> _Lane:
        lane = self._lanes.get(study_id)
        if lane is None:
            lane = self._lanes[study_id] = _Lane(study_id)
        self._lanes.move_to_end(study_id)
        return lane

    def _evict(self) -> None:
        """Forget the lanes that were idle for longest, as many as it takes to stay in bounds.

        Their mirrors can be rebuilt.
        """
        held = {study_id: lane.known.size for study_id, lane in self._lanes.items()}
        trials = sum(held.values())
        for study_id, lane in list(self._lanes.items())[:-1]:
            if trials <= self._mirror_trials and len(self._lanes) <= _LANES:
                return
            if not lane.running and not lane.queue:
                del self._lanes[study_id]
                trials -= held[study_id]

    def _start(self, lane: _Lane) -> None:
        loop = asyncio.get_running_loop()
        task = loop.run_in_executor(self._threads, self._drain, lane, loop)
        self._tasks.add(task)
        task.add_done_callback(partial(self._rest, lane))

    def _rest(self, lane: _Lane, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if lane.queue:
            self._start(lane)
        else:
            lane.running = False
            self._evict()

    def _drain(self, lane: _Lane, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: batch after batch, without a wait for the event loop between them.

        Where other lanes wait for a thread, one batch.
        """
        while lane.queue:
            batch = _Batch(lane.take(_BATCH), time.perf_counter())
            batch.results = self._answer(lane, batch)
            loop.call_soon_threadsafe(self._deliver, lane, batch)
            if len(self._tasks) > _THREADS:
                return

    def _deliver(self, lane: _Lane, batch: _Batch) -> None:
        for command, result in zip(batch.commands, batch.results, strict=True):
            _resolve(command.answer, result)
        waits = [max(0.0, batch.begin - command.begin) for command in batch.commands]
        self._metrics.batch(waits, batch.asks)
        self._changed(lane.study_id, batch.opened, batch.study)

    def _answer(self, lane: _Lane, batch: _Batch, only: list[_Command] | None = None) -> list[Any]:
        """Results in their order, an exception in place of a result where one was raised."""
        commands = batch.commands if only is None else only
        try:
            return self._transact(lane, batch, commands)
        except StudyDeleted as error:
            return [error] * len(commands)
        except Exception as error:
            lane.known.forget()
            if len(commands) > 1 and not is_fault(error):  # the act that cannot be done fails alone
                return [result for c in commands for result in self._answer(lane, batch, [c])]
            with logs.about(study_id=lane.study_id):
                if is_fault(error) or isinstance(error, DBAPIError):
                    log.warning("nothing was stored: %s", told(error))
                    says = f"the database cannot store anything at the moment{because(error)}"
                    return [Unavailable(says)] * len(commands)
                log.exception("an unexpected error; nothing was stored")
            return [error]

    def _transact(self, lane: _Lane, batch: _Batch, commands: list[_Command]) -> list[Any]:
        claims, about_claims = _claims(commands)
        about_others = lane.known.questions(lane.study_id)
        asked = [studies.lock(lane.study_id), *about_claims, *about_others]
        with self._database.turn(asked) as turn:
            study, *told = turn.answers
            if study is None:
                raise StudyDeleted
            of_claims, of_others = told[: len(about_claims)], told[len(about_claims) :]
            mirror, ledger = lane.known.caught_up(turn.connection, study, of_others)
            desk = Desk(
                unflushed=turn.connection,
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
            if commands is batch.commands:  # those that have come while the lock was waited for
                late = lane.take(_BATCH - len(commands))
                commands += late
                claims, about_claims = _claims(late)
                if claims:
                    desk.know(claims, *ask_all(turn.connection, about_claims))
            results = [_try(command.act, desk) for command in commands]
            with turn.closing():
                desk.close()
        batch.asks += desk.asks
        mirror.revision = desk.study.revision
        batch.opened |= _opens(study, desk.study)
        batch.study = desk.study
        if desk.study.state is not study.state:
            with logs.about(study=study.name):
                log.info("the study is %s: %s", desk.study.state, desk.study.reason)
        ledger.forget_finished()
        if desk.study.state.is_finished:
            lane.known.forget()
        return results


def _claims(commands: Sequence[_Command]) -> tuple[list[Claim], list[Question[Any]]]:
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


def _resolve(answer: asyncio.Future[Any], result: Any) -> None:
    if answer.done():  # its client has gone
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
