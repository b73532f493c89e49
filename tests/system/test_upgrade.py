"""Two servers are replaced by a newer version, one after the other, while workers work."""

import os
import shutil
from pathlib import Path

import httpx
import psycopg
import pytest

import lehr_service

from .conftest import Lab, digits
from .test_replicas import Clock, Worker

pytestmark = pytest.mark.system

SOURCES = Path(lehr_service.__file__).parents[1]
NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{newest}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trials", sa.Column("novelty", sa.Integer(), server_default="7"))
    op.create_table("novelties", sa.Column("id", sa.Integer(), primary_key=True))
"""


class Steadfast(Worker):
    """A worker with both servers' addresses: it asks the other where one does not answer."""

    def __init__(self, urls, clock):
        super().__init__(urls[0], clock)
        self._others = [httpx.Client(base_url=url, timeout=30) for url in urls]

    def post(self, path, **body):
        for _ in range(600):
            for server in self._others:
                try:
                    answer = server.post(path, json=body)
                except httpx.TransportError:
                    continue
                if answer.status_code < 500:
                    assert answer.status_code in (200, 201, 204), answer.text
                    return answer.json() if answer.content else None
        raise AssertionError("no server answers")

    def run(self):
        super().run()
        for server in self._others:
            server.close()


@pytest.fixture
def next_version(tmp_path):
    """Where the sources of a version with one more migration are."""
    folder = tmp_path / "next"
    for package in ("lehr", "lehr_service"):
        shutil.copytree(SOURCES / package, folder / package)
    migrations = folder / "lehr_service/storage/migrations/versions"
    newest = max(file.name[:4] for file in migrations.glob("0*.py"))
    (migrations / "9999_next.py").write_text(NEXT.format(newest=newest))
    return folder


def test_servers_are_replaced_by_the_next_version_one_after_the_other(
    postgres, tmp_path, wait_for, next_version
):
    database, labs = postgres(), []
    try:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            labs.append(Lab(tmp_path / name, database))
            labs[-1].old = labs[-1].start("server", "serve")
        for here in labs:
            wait_for(here.is_ready)
        labs[0].post("/v1/studies", **digits(limits={"max_trials": 1000}))
        workers = [Steadfast([here.url for here in labs], Clock()) for _ in range(4)]
        for worker in workers:
            worker.start()
        trained = [0]

        def goes_on():
            """Every worker has ended a trial since the last look."""
            now = [len(worker.held) for worker in workers]
            if any(worker.errors for worker in workers):
                raise AssertionError([worker.errors for worker in workers])
            if len(trained) == 1 or all(n > t for n, t in zip(now, trained, strict=True)):
                trained[:] = now
                return len(trained) > 1 and min(now) > 0
            return False

        wait_for(goes_on)
        for here, other in (labs, labs[::-1]):
            here.old.terminate()
            here.old.wait(30)
            assert other.is_ready()
            sources = os.pathsep.join([str(next_version), os.environ.get("PYTHONPATH", "")])
            here._environment["PYTHONPATH"] = sources
            here.start("server", "serve")
            wait_for(here.is_ready)
            assert other.is_ready(), "an old server serves on beside a newer one"
            wait_for(goes_on)
        labs[0].post("/v1/studies/digits/stop")
        for worker in workers:
            worker.join(60)
        assert [worker.errors for worker in workers] == [[]] * 4
        trials = labs[1].trials()
        assert [trial["number"] for trial in sorted(trials, key=lambda t: t["number"])] == list(
            range(len(trials))
        )
        held = {number for worker in workers for number, *_ in worker.held}
        ended = {t["number"] for t in trials if t["state"] in ("complete", "pruned")}
        assert held <= ended
        with psycopg.connect(database) as connection:
            novelties = connection.execute("SELECT DISTINCT novelty FROM trials").fetchall()
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        assert (novelties, revision) == ([(7,)], [("9999",)])
    finally:
        for here in labs:
            here.stop()
            print(here.logs())  # noqa: T201 - pytest shows it where a test fails
