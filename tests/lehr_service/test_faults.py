"""A database that is locked, read-only, full, gone or slow: 503, nothing half-written, and then on.

The faults are real ones: another process holds SQLite's lock, SQLite itself refuses to write
(``query_only``) or to grow (``max_page_count``), a PostgreSQL server of our own stops and starts,
another session locks a row. Disks without room: ``test_full_disk.py``.
"""

import logging
import shutil
import sqlite3
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from lehr_service.storage import engines
from lehr_service.storage.session import Database

from .in_trouble import OwnPostgres, at_work, goes_on, is_not_ready, is_ready, refuses_all, writes

WAIT = 0.3  # seconds for a lock


@pytest.fixture
def file(tmp_path):
    return tmp_path / "lehr.db"


@pytest.fixture
def on_sqlite(serve, file):
    return serve(database_url=f"sqlite:///{file}", database_wait_seconds=WAIT)


@contextmanager
def locked(file):
    """Another connection holds the lock of writers."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_sqlite_locked_for_too_long(on_sqlite, create, simulated, file, wait_for):
    worker, lease = at_work(on_sqlite, create, simulated)
    with locked(file):
        refuses_all(worker, lease)
        assert on_sqlite.http.get("/v1/studies/study").json()["counts"]["running"] == 1
        is_not_ready(on_sqlite, "locked", wait_for)
    wait_for(lambda: is_ready(on_sqlite))
    goes_on(on_sqlite, worker, lease, f"sqlite:///{file}")


def test_a_lock_of_a_moment_is_waited_for(serve, create, simulated, file):
    server = serve(database_url=f"sqlite:///{file}", database_wait_seconds=30)
    worker, lease = at_work(server, create, simulated)
    with locked(file):
        found = []
        thread = threading.Thread(target=lambda: found.append(worker.report(lease, 1, 0.6)))
        thread.start()
        thread.join(0.2)
        assert not found
    thread.join(20)
    assert found[0]["verdict"] == "continue"


def test_many_requests_to_a_locked_database_fail_together(
    on_sqlite, create, simulated, file, wait_for
):
    """Not one after the other, each after a wait of its own."""
    worker, lease = at_work(on_sqlite, create, simulated)
    statuses = []

    def report(step):
        body = {"reports": [{"step": step, "value": 0.5}]}
        answer = worker.http.post(f"/v1/attempts/{lease['token']}/reports", json=body)
        statuses.append(answer.status_code)

    with locked(file):
        begin = time.monotonic()
        threads = [threading.Thread(target=report, args=(1 + i % 3,)) for i in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        took = time.monotonic() - begin
    assert statuses == [503] * 60
    assert took < 60 * WAIT / 2


def test_sqlite_read_only(on_sqlite, create, simulated, file, wait_for):
    worker, lease = at_work(on_sqlite, create, simulated)
    with on_sqlite.app.state.server.database._writer.connect() as connection:
        driver = connection.connection.driver_connection
    driver.execute("PRAGMA query_only=ON")
    refuses_all(worker, lease)
    is_not_ready(on_sqlite, "readonly", wait_for)
    driver.execute("PRAGMA query_only=OFF")
    wait_for(lambda: is_ready(on_sqlite))
    goes_on(on_sqlite, worker, lease, f"sqlite:///{file}")


def test_sqlite_full(on_sqlite, create, simulated, file, wait_for):
    worker, lease = at_work(on_sqlite, create, simulated)
    with on_sqlite.app.state.server.database._writer.connect() as connection:
        driver = connection.connection.driver_connection
    driver.execute("PRAGMA max_page_count=1")  # as many as there are
    traceback = "x" * 50_000
    answer = worker.send(lease, "fail", outcome="error", message="no", traceback=traceback)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    trial = on_sqlite.http.get("/v1/studies/study/trials/0").json()
    assert (trial["state"], trial["history"][0]["outcome"]) == ("running", None)
    driver.execute("PRAGMA max_page_count=1000000")
    wait_for(lambda: is_ready(on_sqlite))
    goes_on(on_sqlite, worker, lease, f"sqlite:///{file}")


def test_a_file_that_was_replaced_is_not_written_to(on_sqlite, create, simulated, file, wait_for):
    """Whoever restores a backup under a running server would lose what it acknowledges."""
    worker, lease = at_work(on_sqlite, create, simulated)
    moved = file.with_name("moved.db")
    file.rename(moved)
    refuses_all(worker, lease)
    is_not_ready(on_sqlite, "is not the file any more", wait_for)
    on_sqlite.app.state.server.database._reader.dispose()  # so that who reads now connects anew
    assert on_sqlite.http.get("/v1/studies/study").status_code == 503
    assert not file.exists()
    shutil.copy(moved, file)
    refuses_all(worker, lease)
    file.unlink()
    moved.rename(file)
    wait_for(lambda: is_ready(on_sqlite))
    goes_on(on_sqlite, worker, lease, f"sqlite:///{file}")


@pytest.fixture
def own_postgres():
    folder = Path(tempfile.mkdtemp(prefix="lehr-own-pg-"))
    server = OwnPostgres(folder / "data")
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_postgres_gone_and_back(serve, create, simulated, own_postgres, wait_for, caplog):
    server = serve(database_url=own_postgres.url, database_wait_seconds=2)
    worker, lease = at_work(server, create, simulated)
    own_postgres.stop()
    refuses_all(worker, lease)
    server.app.state.server.keyring._read_at = float("-inf")  # as after seconds without a database
    assert server.http.get("/v1/studies/study").status_code == 503
    assert "lehr_database_up 0.0" in server.http.get("/metrics").text
    is_not_ready(server, "takes no writes", wait_for)
    own_postgres.start()
    wait_for(lambda: is_ready(server))
    goes_on(server, worker, lease, own_postgres.url)
    assert "lehr_database_up 1.0" in server.http.get("/metrics").text
    assert "other servers are not heard, so requests poll" in caplog.text
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR], "it is no bug of ours"


def test_postgres_slow_behind_a_lock(serve, create, simulated, postgres, wait_for):
    url = postgres()
    server = serve(database_url=url, database_wait_seconds=WAIT)
    worker, lease = at_work(server, create, simulated)
    with psycopg.connect(url) as other:
        other.execute("SELECT * FROM studies FOR UPDATE")
        requests = writes(worker, lease)
        for name in ("report", "claim", "complete", "pause"):
            answer = requests[name]()
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1"), name
        assert worker.heartbeat(lease).status_code == 200  # needs no study
        other.rollback()
    goes_on(server, worker, lease, url)


def end_connections(connection, database):
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = %s AND pid <> pg_backend_pid()",
        [database],
    )


def test_postgres_ends_a_connection_that_rests(postgres, monkeypatch):
    """It is found out before anything is asked through it."""
    url = postgres()
    database = Database(url.replace("postgresql://", "postgresql+psycopg://"))
    monkeypatch.setattr(engines, "_REST_SECONDS", 0.0)
    asked = text("SELECT pg_backend_pid()")
    with database.read() as connection:
        before = connection.scalar(asked)
    with psycopg.connect(url, autocommit=True) as other:
        end_connections(other, psycopg.conninfo.conninfo_to_dict(url)["dbname"])
    with database.read() as connection:
        after = connection.scalar(asked)
    with database.read() as connection:
        assert connection.scalar(asked) == after != before
    database.close()


def test_postgres_read_only(serve, create, simulated, postgres, wait_for):
    url = postgres()
    server = serve(database_url=url, database_wait_seconds=WAIT)
    worker, lease = at_work(server, create, simulated)
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        end_connections(other, name)  # those of before may still write
        refuses_all(worker, lease)
        is_not_ready(server, "read-only", wait_for)
        other.execute("SET default_transaction_read_only = off")
        other.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        end_connections(other, name)
    wait_for(lambda: is_ready(server))
    goes_on(server, worker, lease, url)
