"""The database: one engine that writes, one that reads, and what happens when it cannot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, make_url, text

from lehr_service.storage import schema
from lehr_service.storage.driver import driver_of, unanswered
from lehr_service.storage.engines import (
    BEGINS_ITSELF,
    bound_waits,
    postgres,
    sqlite,
    sqlite_file,
)
from lehr_service.storage.faults import FileGone, is_fault, told
from lehr_service.storage.questions import Question, ask_all

_MIGRATION_LOCK = 0x6C656872  # any constant that all servers of one database share
_WAIT_SECONDS = 10.0
_CHANNEL = "lehr"
_NOTIFY = text(f"SELECT pg_notify('{_CHANNEL}', :message)")
_IS_READ_ONLY = text("SHOW transaction_read_only")


@dataclass(frozen=True)
class Turn:
    """A transaction at whose begin and end a database is waited for once each."""

    connection: Connection
    answers: Sequence[Any]  # to its questions

    @contextmanager
    def closing(self) -> Iterator[None]:
        """A block of writes that nobody looks at the results of, the last of the turn."""
        with unanswered(self.connection):
            yield
            if self.connection.dialect.name != "sqlite":
                with driver_of(self.connection) as driver:
                    driver.execute("COMMIT")  # SQLAlchemy finds then that nothing is left to commit


class Database:
    """Connections to one database.

    SQLite has one writer at a time, so its writing engine has a single connection and each write
    begins with ``BEGIN IMMEDIATE``; readers never wait for it (WAL). On PostgreSQL both are one
    engine, and writers are serialised by the row locks they take.
    """

    def __init__(
        self, url: str, connections: int = 24, wait_seconds: float = _WAIT_SECONDS
    ) -> None:
        """``connections``: how many are open at most; who needs one more waits for it.

        ``wait_seconds``: for a connection or a lock; then there is an error for which ``is_fault``.
        """
        if make_url(url).get_backend_name() == "sqlite":
            self._writer = sqlite(url, "BEGIN IMMEDIATE", 1, wait_seconds)
            self._reader = sqlite(url, "BEGIN", max(1, connections - 1), wait_seconds)
        else:
            self._writer = postgres(url, connections, wait_seconds)
            self._reader = self._writer.execution_options(**BEGINS_ITSELF)
        self._wait_seconds = wait_seconds
        self._file, self._inode = sqlite_file(url), 0
        self.failure: str | None = None  # what a write failed for; ``problem`` tries anew
        self.failed: Callable[[], None] = lambda: None  # called at each fault

    @property
    def is_sqlite(self) -> bool:
        return self._writer.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that commits at the end, or rolls back on an exception."""
        with self._noting_faults():
            self._check_file()
            with self._writer.begin() as connection:
                self._check_file()
                yield connection

    @contextmanager
    def turn(self, questions: Sequence[Question[Any]]) -> Iterator[Turn]:
        """One transaction that begins with questions and ends with ``Turn.closing``."""
        with self._noting_faults():
            self._check_file()
            turns = self._writer if self.is_sqlite else self._reader
            with turns.begin() as connection:
                self._check_file()
                answers = ask_all(connection, questions, begin=not self.is_sqlite)
                yield Turn(connection, answers)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the database (PostgreSQL: one of each statement)."""
        try:
            self._check_file()
            with self._reader.begin() as connection:
                yield connection
        except Exception as error:
            if is_fault(error):
                self.failed()
            raise

    @contextmanager
    def _noting_faults(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if is_fault(error):
                self.failure = told(error)
                self.failed()
            raise

    def migrate(self) -> None:
        """Bring the schema to this version; servers that start together take turns.

        Raises SchemaUnknown.
        """
        with self._reader.connect() as connection:
            is_done = schema.found(connection) == schema.head()
        if not is_done:
            self._upgrade()
        if self._file is not None:
            self._inode = self._file.stat().st_ino

    def _upgrade(self) -> None:
        with self._writer.connect() as connection:
            if not self.is_sqlite:
                bound_waits(connection, 0)  # however long another server takes to migrate
                connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
                connection.commit()
            try:
                schema.upgrade(connection)
                connection.commit()
            finally:
                if not self.is_sqlite:
                    connection.rollback()
                    connection.execute(
                        text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK}
                    )
                    bound_waits(connection, self._wait_seconds)
                    connection.commit()

    def _check_file(self) -> None:
        """Before SQLite makes an empty file where one is gone, and keeps a connection to it."""
        if self._file is None or not self._inode:
            return
        try:
            inode = self._file.stat().st_ino
        except FileNotFoundError:
            inode = -1
        if inode != self._inode:
            raise FileGone(self._file)

    def problem(self) -> str | None:
        """Why nothing can be stored now; None where it can. Raises what a write raises."""
        with self.read() as connection:
            found = schema.found(connection)
        # A newer version has upgraded it under this server: it only adds, so this one serves on
        # until it is replaced.
        if found is None or (found in schema.known() and found != schema.head()):
            return f"the database has schema {found}, and this version needs {schema.head()}"
        after_failure = self.failure is not None
        with self.write() as connection:
            if not self.is_sqlite and connection.scalar(_IS_READ_ONLY) == "on":
                return "the database takes no writes: it is read-only"
            if after_failure:
                connection.execute(text(self._small_write))
        self.failure = None  # only now: other transactions may have had nothing to store
        return None

    @property
    def _small_write(self) -> str:
        """Changes nothing that anybody reads, but has to reach the disk."""
        if self.is_sqlite:
            return f"PRAGMA user_version = {int(time.time()) % 2**31}"
        return "UPDATE alembic_version SET version_num = version_num"

    def notify(self, connection: Connection, message: str) -> None:
        """Tell all servers of this database, once the connection's transaction is committed."""
        if not self.is_sqlite:
            connection.execute(_NOTIFY, {"message": message})

    def listen(self, heard: Callable[[str], None], is_over: Callable[[], bool]) -> None:
        """Hear what servers of this database say until it is over; returns where it breaks.

        Looks whether it is over once a second. Nothing is heard on SQLite.
        """
        if self.is_sqlite:
            return
        with self._writer.connect() as connection, driver_of(connection) as driver:
            try:
                driver.execute(f"LISTEN {_CHANNEL}")
                while not is_over():
                    for notice in driver.notifies(timeout=1.0):
                        heard(notice.payload)
            finally:
                connection.invalidate()  # it would go on listening for whoever gets it next

    def close(self) -> None:
        self._writer.dispose()
        self._reader.dispose()
