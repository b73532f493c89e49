"""The database: one engine that writes, one that reads, and what happens when it cannot."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InvalidatePoolError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from lehr_service.storage import schema
from lehr_service.storage.driver import driver_of, unanswered
from lehr_service.storage.questions import Question, ask_all

_MIGRATION_LOCK = 0x6C656872  # any constant that all servers of one database share
_WAIT_SECONDS = 10.0
_REST_SECONDS = 1.0
_RESTED_AT = "lehr.rested_at"
_CHANNEL = "lehr"
_BEGINS_ITSELF = {"lehr.begins_itself": True}  # an option of connections that no BEGIN is sent for
_NOTIFY = text(f"SELECT pg_notify('{_CHANNEL}', :message)")
_IS_READ_ONLY = text("SHOW transaction_read_only")
_OF_THE_STATEMENT = (DataError, IntegrityError, NotSupportedError, ProgrammingError)
_CONFLICTS = ("40001", "40P01")  # SQLSTATE: the same statements may well succeed at once
_NO_ROOM = "its disk is full: make room there"
_NO_DISK = (
    "its disk fails: look whether there is room, whether it is healthy and, for SQLite, that it is "
    "no network file system"
)
_SQLITE_IOERR = 10
_DISK_TROUBLE = {
    _SQLITE_IOERR: _NO_DISK,
    13: _NO_ROOM,  # SQLITE_FULL
    "58030": _NO_DISK,  # SQLSTATE io_error
    "53100": _NO_ROOM,  # SQLSTATE disk_full
}


class FileGone(Exception):
    """The file of a running server was moved, deleted or replaced: what is stored would be lost."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file} is not the file any more that this server has opened: put that one back, or "
            "restart the server to go on with what is there now"
        )


def is_fault(error: Exception) -> bool:
    """Whether the database cannot do anything now: locked, full, read-only, gone, slow."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout | FileGone)
    return _code(error) not in _CONFLICTS and not isinstance(error, _OF_THE_STATEMENT)


def told(error: Exception) -> str:
    """What the database says is wrong, in a line."""
    orig = error.orig if isinstance(error, DBAPIError) else error
    said = str(orig).strip().partition("\n")[0]
    if _code(error) == _SQLITE_IOERR:
        said += f" ({getattr(orig, 'sqlite_errorname', 'SQLITE_IOERR')})"  # which says at what
    return f"{said}{because(error)}"


def because(error: Exception) -> str:
    """``: where to look``, if it is the database's disk that fails; empty for anything else."""
    trouble = _DISK_TROUBLE.get(_code(error))
    return f": {trouble}" if trouble else ""


def _code(error: Exception) -> int | str | None:
    """SQLite's primary result code, PostgreSQL's SQLSTATE, or None."""
    orig = error.orig if isinstance(error, DBAPIError) else None
    code: int | None = getattr(orig, "sqlite_errorcode", None)
    state: str | None = getattr(orig, "sqlstate", None)
    return state if code is None else code & 0xFF


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
            self._writer = _sqlite(url, "BEGIN IMMEDIATE", 1, wait_seconds)
            self._reader = _sqlite(url, "BEGIN", max(1, connections - 1), wait_seconds)
        else:
            self._writer = _postgres(url, connections, wait_seconds)
            self._reader = self._writer.execution_options(**_BEGINS_ITSELF)
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
                _bound_waits(connection, 0)  # however long another server takes to migrate
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
                    _bound_waits(connection, self._wait_seconds)
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


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite database; None for any other."""
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, ":memory:")
    return Path(str(parsed.database)) if is_file else None


def _bound_waits(connection: Connection, seconds: float) -> None:
    """How long statements of a connection to PostgreSQL wait for a lock; 0: for ever."""
    connection.exec_driver_sql(_lock_timeout(seconds))


def _lock_timeout(seconds: float) -> str:
    return f"SET lock_timeout = {int(1e3 * seconds)}"


def _postgres(url: str, connections: int, wait_seconds: float) -> Engine:
    given = make_url(url).query
    # A host that vanishes says nothing: the kernel has to ask whether it is still there.
    alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    usual = alive | {"connect_timeout": max(2, round(wait_seconds))}
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_use_lifo=True,  # one that was used lately has its statements planned
        pool_timeout=wait_seconds,
        hide_parameters=True,  # leases' tokens are among them, and errors are logged
        connect_args={name: value for name, value in usual.items() if name not in given},
        isolation_level="AUTOCOMMIT",  # the driver would begin by itself, and wait for an answer
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.execute(_lock_timeout(wait_seconds))

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if not connection.get_execution_options().keys() & _BEGINS_ITSELF:
            connection.exec_driver_sql("BEGIN")

    @event.listens_for(engine, "checkin")
    def _rest(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[_RESTED_AT] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _check(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        """A connection in use is as good as asked; each question costs a transaction a tenth."""
        if time.monotonic() - record.info.get(_RESTED_AT, math.inf) < _REST_SECONDS:
            return
        try:
            is_alive = engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            is_alive = False
        if not is_alive:
            raise InvalidatePoolError  # none of the others has outlived this one's server

    return engine


def _sqlite(url: str, begin: str, pool_size: int, wait_seconds: float) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=wait_seconds,
        hide_parameters=True,
        connect_args={"timeout": wait_seconds, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling would begin too late, and never IMMEDIATE.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        with driver_of(connection) as driver:
            driver.execute(begin)

    return engine
