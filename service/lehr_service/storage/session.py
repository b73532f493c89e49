"""The database: one engine that writes, one that reads, and the migrations that both need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text

_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x6C656872  # any constant that all servers of one database share
_BUSY_SECONDS = 30.0
_CHANNEL = "lehr"
_NOTIFY = text(f"SELECT pg_notify('{_CHANNEL}', :message)")


class Database:
    """Connections to one database.

    SQLite has one writer at a time, so its writing engine has a single connection and each write
    begins with ``BEGIN IMMEDIATE``; readers never wait for it (WAL). On PostgreSQL both are one
    engine, and writers are serialised by the row locks they take.
    """

    def __init__(self, url: str, connections: int = 24) -> None:
        """``connections``: how many are open at most; who needs one more waits for it."""
        if make_url(url).get_backend_name() == "sqlite":
            self._writer = _sqlite(url, "BEGIN IMMEDIATE", pool_size=1)
            self._reader = _sqlite(url, "BEGIN", pool_size=max(1, connections - 1))
        else:
            self._writer = create_engine(
                url,
                pool_size=connections,
                max_overflow=0,
                pool_pre_ping=True,
                hide_parameters=True,  # leases' tokens are among them, and errors are logged
            )
            self._reader = self._writer

    @property
    def is_sqlite(self) -> bool:
        return self._writer.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that commits at the end, or rolls back on an exception."""
        with self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the database."""
        with self._reader.begin() as connection:
            yield connection

    def migrate(self) -> None:
        """Bring the schema to this version; servers that start together take turns."""
        with self._writer.connect() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
                connection.commit()
            try:
                command.upgrade(_configuration(connection), "head")
                connection.commit()
            finally:
                if not self.is_sqlite:
                    connection.rollback()
                    connection.execute(
                        text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK}
                    )
                    connection.commit()

    def is_ready(self) -> bool:
        """Whether the database answers and has this version's schema."""
        with self.read() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
        return current == ScriptDirectory(str(_MIGRATIONS)).get_current_head()

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
        with self._writer.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.autocommit = True
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


def _configuration(connection: Connection) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(_MIGRATIONS))
    configuration.attributes["connection"] = connection
    return configuration


def _sqlite(url: str, begin: str, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling would begin too late, and never IMMEDIATE.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
