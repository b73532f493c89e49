"""A database on a disk without room, or one that fails: 503, nothing half-written, and then on.

Each database lies on a small file system of its own, which a file of ballast fills.
"""

import os
import resource
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from lehr.cli import app as command
from lehr_service.operations import upkeep
from lehr_service.settings import Settings

from .in_trouble import OwnPostgres, at_work, goes_on, is_not_ready, is_ready, refuses_all

WAIT = 2.0  # seconds for a lock or a connection
LARGE = 1_000_000  # bytes of a checkpoint
NO_ROOM = "its disk is full: make room there"
FAILS = "its disk fails: look whether there is room, whether it is healthy"
USELESS = "the database cannot be used: "
MANY = 500  # studies, more than any disk here has room for


@dataclass
class Stored:
    """Where a database lies."""

    disk: Any
    url: str
    postgres: OwnPostgres | None = None


@pytest.fixture
def sqlite_disk(small_disk, sqlite_template):
    disk = small_disk("4m")
    file = disk.place / "lehr.db"
    shutil.copy(sqlite_template, file)
    return Stored(disk, f"sqlite:///{file}")


@pytest.fixture
def postgres_disk(small_disk):
    disk = small_disk("120m")
    server = OwnPostgres(disk.place / "data")
    yield Stored(disk, server.url, server)
    disk.free()
    server.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def stored(request):
    return request.getfixturevalue(f"{request.param}_disk")


def is_refused(answer):
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json()["error"]["code"] == "unavailable"


def studies_until_refused(http, definition):
    """The names that were acknowledged, and the definition that was not."""
    names = []
    for number in range(MANY):
        labels = {str(i): os.urandom(100).hex() for i in range(100)}
        given = definition(name=f"large-{number}", task="other", labels=labels)
        answer = http.post("/v1/studies", json=given)
        if answer.status_code != 201:
            is_refused(answer)
            return names, given
        names.append(given["name"])
    raise AssertionError("the disk is not full")


def test_what_was_acknowledged_is_stored_and_nothing_else(
    stored, serve, create, definition, simulated, wait_for
):
    server = serve(database_url=stored.url, database_wait_seconds=WAIT)
    worker, lease = at_work(server, create, simulated)
    stored.disk.fill()
    path, state = f"/v1/attempts/{lease['token']}/checkpoint", os.urandom(LARGE)
    names, refused = studies_until_refused(server.http, definition)
    is_refused(server.http.put(path, content=state))
    found = server.http.get("/v1/studies", params={"limit": 1000}).json()["items"]
    assert {study["name"] for study in found} == {"study", *names}
    assert server.http.get(path).json()["error"]["code"] == "no_checkpoint"

    stored.disk.free()
    wait_for(lambda: is_ready(server))
    assert server.http.post("/v1/studies", json=refused).status_code == 201
    assert server.http.put(path, content=state).status_code == 204
    assert server.http.get(path).content == state
    goes_on(server, worker, lease, stored.url)


def test_a_full_disk_under_sqlite(sqlite_disk, serve, create, simulated, wait_for):
    server = serve(database_url=sqlite_disk.url, database_wait_seconds=WAIT)
    worker, lease = at_work(server, create, simulated)
    sqlite_disk.disk.fill()
    refuses_all(worker, lease, NO_ROOM)
    assert server.http.get("/v1/studies/study").json()["counts"]["running"] == 1
    is_not_ready(server, f"database or disk is full: {NO_ROOM}", wait_for)
    sqlite_disk.disk.free()
    wait_for(lambda: is_ready(server))
    goes_on(server, worker, lease, sqlite_disk.url)


@contextmanager
def no_file_grows_beyond(size):
    """The kernel refuses this process's writes behind so many bytes of any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fails_under_sqlite_is_named(serve, create, simulated, tmp_path, wait_for):
    url = f"sqlite:///{tmp_path / 'lehr.db'}"
    server = serve(database_url=url)
    worker, lease = at_work(server, create, simulated)
    with no_file_grows_beyond((tmp_path / "lehr.db-wal").stat().st_size):
        refuses_all(worker, lease, FAILS)
        is_not_ready(server, f"disk I/O error (SQLITE_IOERR_WRITE): {FAILS}", wait_for)
    wait_for(lambda: is_ready(server))
    goes_on(server, worker, lease, url)


@pytest.mark.parametrize(("state", "says"), [("58030", FAILS), ("53100", NO_ROOM)])
def test_a_disk_that_fails_under_postgres_is_named(
    state, says, serve, create, simulated, postgres, wait_for
):
    """PostgreSQL says which of the two it is; a trigger says it here in its place."""
    url = postgres()
    server = serve(database_url=url)
    worker, lease = at_work(server, create, simulated)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "CREATE FUNCTION fail() RETURNS trigger AS "
            "$$BEGIN RAISE 'could not extend file \"base/5/16384\"' "
            f"USING ERRCODE = '{state}'; END$$ LANGUAGE plpgsql"
        )
        tables = ("studies", "workers", "alembic_version")
        for table in tables:
            other.execute(
                f"CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION fail()"
            )
        refuses_all(worker, lease, says)
        is_not_ready(server, f'could not extend file "base/5/16384": {says}', wait_for)
        for table in tables:
            other.execute(f"DROP TRIGGER fail ON {table}")
    wait_for(lambda: is_ready(server))
    goes_on(server, worker, lease, url)


def test_what_is_too_large_for_a_disk_leaves_room_for_what_is_not(
    sqlite_disk, serve, create, simulated
):
    server = serve(database_url=sqlite_disk.url, database_wait_seconds=WAIT)
    worker, lease = at_work(server, create, simulated)
    sqlite_disk.disk.fill(but=LARGE // 2)
    path = f"/v1/attempts/{lease['token']}/checkpoint"
    is_refused(server.http.put(path, content=os.urandom(LARGE)))
    assert server.http.put(path, content=b"small").status_code == 204
    goes_on(server, worker, lease, sqlite_disk.url)


def test_a_server_that_ends_on_a_full_disk_loses_nothing(sqlite_disk, serve, create, simulated):
    server = serve(database_url=sqlite_disk.url, database_wait_seconds=WAIT)
    worker, lease = at_work(server, create, simulated)
    sqlite_disk.disk.fill()
    is_refused(worker.send(lease, "complete", value=0.5))
    server.stop()
    sqlite_disk.disk.free()
    server = serve(database_url=sqlite_disk.url)
    worker.http = server.http
    goes_on(server, worker, lease, sqlite_disk.url)


@pytest.mark.parametrize("room", [0, 40_000])
def test_a_server_does_not_start_where_its_tables_have_no_room(small_disk, room):
    """It says why, and what it began is no obstacle later."""
    disk = small_disk("4m")
    url = f"sqlite:///{disk.place / 'lehr.db'}"
    disk.fill(but=room)
    done = CliRunner().invoke(command, ["serve", "--database-url", url, "--port", "0"])
    said = str(done.exception)  # which Python writes to standard error
    assert said.startswith(f"{USELESS}database or disk is full: {NO_ROOM}") or (
        said.startswith(f"{USELESS}disk I/O error (SQLITE_IOERR") and FAILS in said
    )
    disk.free()
    given = Settings(database_url=url)
    upkeep.upgrade(given)
    assert upkeep.check(given).is_sound


def test_postgres_that_fell_over_its_full_disk(postgres_disk, serve, create, simulated, wait_for):
    """Without room for its log PostgreSQL ends, and whoever watches it starts it again."""
    server = serve(database_url=postgres_disk.url, database_wait_seconds=WAIT)
    worker, lease = at_work(server, create, simulated)
    postgres_disk.disk.fill()
    with suppress(psycopg.Error), psycopg.connect(postgres_disk.url, autocommit=True) as other:
        while True:
            other.execute("SELECT pg_switch_wal()")  # the next write needs a new file
            other.execute("UPDATE alembic_version SET version_num = version_num")
    refuses_all(worker, lease)
    is_not_ready(server, "takes no writes", wait_for)
    postgres_disk.disk.free()
    postgres_disk.postgres.stop()
    postgres_disk.postgres.start()
    wait_for(lambda: is_ready(server))
    goes_on(server, worker, lease, postgres_disk.url)
