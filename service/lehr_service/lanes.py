"""Lanes: one a study. Commands queue; one batch of a lane is in flight; a batch is one transaction.

A slow disk makes batches larger instead of queues longer (group commit), and no answer is sent
before its commit. The lock on the study's row and its revision make any number of servers on one
database correct: a mirror that is behind catches up before it is asked anything.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from lehr_service.batches import Batch, Batches, Clock, Command, Lane
from lehr_service.domain.study import Study
from lehr_service.errors import Unavailable
from lehr_service.metrics import Metrics
from lehr_service.operations.desk import Desk
from lehr_service.operations.ledger import Claim
from lehr_service.storage.session import Database

T = TypeVar("T")

_THREADS = 8
_TOGETHER = 32  # lanes of one transaction: others that write, as heartbeats do, wait for it
_LANES = 4096


class Lanes:
    """All lanes of this server, each made when its study is first used.

    SQLite has one writer, so all lanes that wait for it share a transaction, as those do that write
    past the lanes.
    """

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
        self._batches = Batches(
            database, lease_seconds=lease_seconds, clock=clock, asks_here=asks_here
        )
        self._queue_commands = queue_commands
        self._changed = changed
        self._mirror_trials = mirror_trials
        self._metrics = metrics or Metrics()
        self._lanes: OrderedDict[int, Lane] = OrderedDict()
        self._ready: deque[Lane] = deque()  # those with commands that no thread is at
        self._most_threads = 1 if database.is_sqlite else _THREADS
        self._most_lanes = _TOGETHER if database.is_sqlite else 1
        self._threads = ThreadPoolExecutor(self._most_threads, thread_name_prefix="lane")
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

        lane.queue.append(Command(in_context, answer, time.perf_counter(), claim))
        if not lane.running:
            self._begin(lane)
        return await answer

    @property
    def grace_until(self) -> float:
        """Before it no worker is given up."""
        return self._batches.grace_until

    def spare_workers(self) -> None:
        """Give none up before a lease's time has passed from now on."""
        self._batches.spare_workers()

    async def close(self) -> None:
        """Let what is queued finish."""
        self.is_open = False
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._threads.shutdown()

    def _lane(self, study_id: int) -> Lane:
        lane = self._lanes.get(study_id)
        if lane is None:
            lane = self._lanes[study_id] = Lane(study_id)
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

    def _begin(self, lane: Lane) -> None:
        """Let a thread come to a lane."""
        lane.running = True
        self._ready.append(lane)
        self._send_thread()

    def _send_thread(self) -> None:
        """One more, unless enough are at work: they look for lanes until there is none."""
        if len(self._tasks) < self._most_threads:
            loop = asyncio.get_running_loop()
            task = loop.run_in_executor(self._threads, self._work, loop)
            self._tasks.add(task)
            task.add_done_callback(self._left)

    def _left(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if self._ready:  # it may have come after the thread had looked
            self._send_thread()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: turn after turn, without a wait for the event loop between them."""
        while batches := self._taken():
            self._batches.do(batches)
            for batch in batches:
                goes_on = bool(batch.lane.queue)
                if goes_on:
                    self._ready.append(batch.lane)  # behind the others
                loop.call_soon_threadsafe(self._deliver, batch, goes_on)

    def _taken(self) -> list[Batch]:
        """A batch of the lane that has waited longest; on SQLite one each of those that wait."""
        taken: list[Batch] = []
        for _ in range(min(self._most_lanes, len(self._ready))):
            try:
                lane = self._ready.popleft()
            except IndexError:  # another thread was quicker
                break
            taken.append(Batch(lane, lane.take()))
        return taken

    def _deliver(self, batch: Batch, goes_on: bool) -> None:
        """``goes_on``: a thread will come to the lane again."""
        try:
            for command, result in zip(batch.commands, batch.results, strict=True):
                _resolve(command.answer, result)
            waits = [max(0.0, batch.begin - command.begin) for command in batch.commands]
            self._metrics.batch(waits, batch.asks)
            self._changed(batch.lane.study_id, batch.opened, batch.study)
        finally:
            if not goes_on:
                self._rest(batch.lane)

    def _rest(self, lane: Lane) -> None:
        if lane.queue:  # it has come after the thread had looked
            self._begin(lane)
        else:
            lane.running = False
            self._evict()


def _resolve(answer: asyncio.Future[Any], result: Any) -> None:
    if answer.done():  # its client has gone
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
