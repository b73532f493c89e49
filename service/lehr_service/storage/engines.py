"""How connections to the two databases are made, kept and begun."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from lehr_service.storage.driver import driver_of

BEGINS_ITSELF = {"lehr.begins_itself": True}
"""An option of connections to PostgreSQL that no BEGIN is sent for."""

_REST_SECONDS = 1.0
_RESTED_AT = "lehr.rested_at"


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite database; None for any other."""
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, ":memory:")
    return Path(str(parsed.database)) if is_file else None


def bound_waits(connection: Connection, seconds: float) -> None:
    """How long statements of a connection to PostgreSQL wait for a lock; 0: for ever."""
    connection.exec_driver_sql(_lock_timeout(seconds))


def _lock_timeout(seconds: float) -> str:
    return f"SET lock_timeout = {int(1e3 * seconds)}"


def postgres(url: str, connections: int, wait_seconds: float) -> Engine:
    """So many connections at most; who needs one more, or a lock, waits so long."""
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
        if not connection.get_execution_options().keys() & BEGINS_ITSELF:
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


def sqlite(url: str, begin: str, pool_size: int, wait_seconds: float) -> Engine:
    """As ``postgres``; transactions begin with ``begin``."""
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
