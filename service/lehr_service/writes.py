"""Writes that belong to no study's lane: heartbeats, registrations, new studies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection

from lehr_service.errors import ServiceError
from lehr_service.storage.session import Database

T = TypeVar("T")
Act = Callable[[Connection], Any]

_BATCH = 256
_THREADS = 8


class Writes:
    """Runs acts, each in a transaction, and answers after the commit.

    SQLite has one writer, so those that wait for it share a transaction (group commit), each in a
    savepoint of its own: on a slow disk batches grow, and no queue does. They have threads of their
    own, for nobody who reads is to wait for the writer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._most = _BATCH if database.is_sqlite else 1
        self._free = 1 if database.is_sqlite else _THREADS
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="writer")
        self._queue: list[tuple[Act, asyncio.Future[Any]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, act: Callable[[Connection], T]) -> T:
        """Run an act and answer after the commit. Raises what the act raises."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append((act, answer))
        if self._free:
            self._free -= 1
            task = asyncio.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def close(self) -> None:
        """Let what is queued finish."""
        while self._tasks:
            await asyncio.gather(*self._tasks)
        self._threads.shutdown()

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            batch, self._queue = self._queue[: self._most], self._queue[self._most :]
            acts = [act for act, _ in batch]
            results = await loop.run_in_executor(self._threads, self._results, acts)
            for (_, answer), (is_error, result) in zip(batch, results, strict=True):
                if answer.done():  # its client has gone
                    continue
                if is_error:
                    answer.set_exception(result)
                else:
                    answer.set_result(result)
        self._free += 1

    def _results(self, acts: Sequence[Act]) -> list[tuple[bool, Any]]:
        """For each act whether it raised, and what it raised or answered."""
        if len(acts) == 1:
            return [self._alone(acts[0])]
        try:
            with self._database.write() as connection:
                return [_within(connection, act) for act in acts]
        except Exception:  # nothing was stored: so that what cannot be done fails alone
            return [self._alone(act) for act in acts]

    def _alone(self, act: Act) -> tuple[bool, Any]:
        try:
            with self._database.write() as connection:
                return False, act(connection)
        except Exception as error:
            return True, error


def _within(connection: Connection, act: Act) -> tuple[bool, Any]:
    """Run an act in a savepoint; a refusal undoes its own changes only."""
    try:
        with connection.begin_nested():
            return False, act(connection)
    except ServiceError as refusal:
        return True, refusal
