"""What servers of one database tell each other, so that a request waits at any of them."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import threading
from collections.abc import Hashable

from sqlalchemy.exc import SQLAlchemyError

from lehr_service.api.changes import ALONE_SECONDS, HEARING_SECONDS, Changes
from lehr_service.storage.faults import told
from lehr_service.storage.session import Database

log = logging.getLogger(__name__)

_GATHER_SECONDS = 0.05  # one message for all that changes in this time
_RETRY_SECONDS = 1.0
_MOST_KEYS = 500  # PostgreSQL takes messages of up to 8,000 bytes


class Replicas:
    """Passes changes on between the servers of a database; on SQLite there is only this one."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database, self._changes = database, changes
        self._me = secrets.token_hex(8)
        self._over = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        if self._database.is_sqlite:
            self._changes.poll_seconds = HEARING_SECONDS
            return
        self._tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._tell())]

    async def stop(self) -> None:
        self._over.set()
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _hear(self) -> None:
        loop = asyncio.get_running_loop()

        def heard(message: str) -> None:
            loop.call_soon_threadsafe(self._read, message)

        while not self._over.is_set():
            try:
                await asyncio.to_thread(self._database.listen, heard, self._over.is_set)
            except SQLAlchemyError as error:
                log.warning("other servers are not heard, so requests poll: %s", told(error))
            except Exception:
                log.exception("other servers are not heard, so waiting requests poll")
            self._changes.poll_seconds = ALONE_SECONDS
            await asyncio.to_thread(self._over.wait, _RETRY_SECONDS)

    def _read(self, message: str) -> None:
        sender, *keys = json.loads(message)
        if sender != self._me:
            self._changes.hear(*keys)
        else:  # what was told comes back, so others are heard too
            self._changes.poll_seconds = HEARING_SECONDS

    async def _tell(self) -> None:
        self._changes.news.add("hello")
        self._changes.has_news.set()
        while True:
            await self._changes.has_news.wait()
            self._changes.has_news.clear()
            keys: list[Hashable] = list(self._changes.news)
            self._changes.news.clear()
            try:
                for start in range(0, len(keys), _MOST_KEYS):
                    message = json.dumps([self._me, *keys[start : start + _MOST_KEYS]])
                    await asyncio.to_thread(self._send, message)
            except SQLAlchemyError as error:
                log.warning("other servers were not told of a change: %s", told(error))
            await asyncio.sleep(_GATHER_SECONDS)

    def _send(self, message: str) -> None:
        with self._database.write() as connection:
            self._database.notify(connection, message)
