"""Writes that belong to no study's lane: heartbeats, registrations, new studies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection

from lehr_service.errors import ServiceError, Unavailable
from lehr_service.storage.session import Database

T = TypeVar("T")
Act = Callable[[Connection], Any]
Result = tuple[bool, Any]

_TOO_LATE: Result = True, Unavailable("the database is too slow at the moment")

_BATCH = 256
_THREADS = 8


class Writes:
    """Runs acts, each in a transaction, and answers after the commit.

    SQLite has one writer, so those that wait for it share a transaction (group commit), each in a
    savepoint of its own: on a slow disk batches grow, and no queue does. They have threads of their
    own, for nobody who reads is to wait for the writer. An act that could not begin within
    ``wait_seconds`` is refused with Unavailable.
    """

    def __init__(self, database: Database, wait_seconds: float) -> None:
        self._database = database
        self._wait_seconds = wait_seconds
        self._most = _BATCH if database.is_sqlite else 1
        self._free = 1 if database.is_sqlite else _THREADS
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="writer")
        self._queue: list[tuple[Act, float, asyncio.Future[Any]]] = []  # with the latest start
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, act: Callable[[Connection], T]) -> T:
        """Run an act and answer after the commit. Raises what the act raises, and Unavailable."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        in_context: Act = partial(copy_context().run, act)  # type: ignore[call-arg]  # for the log
        self._queue.append((in_context, time.monotonic() + self._wait_seconds, answer))
        if self._free:
            self._free -= 1
            task = asyncio.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def close(self) -> None:
        """Let what is queued finish."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._threads.shutdown()

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            batch, self._queue = self._queue[: self._most], self._queue[self._most :]
            acts = [(act, last) for act, last, _ in batch]
            results = await loop.run_in_executor(self._threads, self._results, acts)
            for (*_, answer), (is_error, result) in zip(batch, results, strict=True):
                if answer.done():  # its client has gone
                    continue
                if is_error:
                    answer.set_exception(result)
                else:
                    answer.set_result(result)
        self._free += 1

    def _results(self, acts: Sequence[tuple[Act, float]]) -> list[Result]:
        """For each act whether it raised, and what it raised or answered."""
        now = time.monotonic()
        due = [act for act, last in acts if now <= last]
        found = iter([self._alone(due[0])] if len(due) == 1 else self._together(due))
        return [next(found) if now <= last else _TOO_LATE for _, last in acts]

    def _together(self, acts: Sequence[Act]) -> list[Result]:
        begun = False
        try:
            with self._database.write() as connection:
                begun = True
                return [_within(connection, act) for act in acts]
        except Exception as error:
            if not begun:  # nor would the others now
                return [(True, error)] * len(acts)
        return [self._alone(act) for act in acts]  # nothing was stored: what cannot be, fails alone

    def _alone(self, act: Act) -> Result:
        try:
            with self._database.write() as connection:
                return False, act(connection)
        except Exception as error:
            return True, error


def _within(connection: Connection, act: Act) -> Result:
    """Run an act in a savepoint; a refusal undoes its own changes only."""
    try:
        with connection.begin_nested():
            return False, act(connection)
    except ServiceError as refusal:
        return True, refusal
