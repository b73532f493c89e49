"""``lehr db ...`` as an operator runs it."""

import json
import sqlite3
from contextlib import closing

import pytest


@pytest.fixture
def db(lehr_at, tmp_path):
    """Runs ``lehr db ARGUMENTS`` on a database file of this test."""
    url = f"sqlite:///{tmp_path / 'lehr.db'}"
    return lambda *arguments: lehr_at("", "db", *arguments, "--database-url", url)


def test_upgrade_says_from_where_to_where(db):
    first = db("upgrade")
    assert first.exit_code == 0
    assert first.output.rstrip().endswith("lehr.db: from nothing to schema 0005")
    assert "has schema 0005 already" in db("upgrade").output
    assert json.loads(db("upgrade", "--json").output) == {"before": "0005", "after": "0005"}


def test_check_exits_with_1_where_something_is_wrong(db, tmp_path):
    missing = db("check")
    assert (missing.exit_code, "there is no database" in missing.output) == (1, True)
    db("upgrade")
    sound = db("check")
    assert (sound.exit_code, "is sound, with schema 0005" in sound.output) == (0, True)
    with closing(sqlite3.connect(tmp_path / "lehr.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
        connection.commit()
    old = db("check")
    assert old.exit_code == 1
    assert "wrong: schema: the schema is 0002, this version needs 0005: run lehr db" in old.output
    told = json.loads(db("check", "--json").output)
    assert (told["sound"], told["schema"], told["needed"]) == (False, "0002", "0005")
    assert told["findings"][0]["check"] == "schema"


def test_backup_says_what_it_made_or_why_not(db, tmp_path):
    db("upgrade")
    target = tmp_path / "copy.db"
    made = db("backup", str(target))
    assert (made.exit_code, "bytes of sqlite:///" in made.output) == (0, True)
    itself = db("backup", str(tmp_path / "lehr.db"))
    assert (itself.exit_code, "is the database itself: name another file" in itself.output) == (
        1,
        True,
    )


def test_without_pg_dump_the_command_is_said(lehr_at, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    url = "postgresql://lehr:secret@db/lehr"
    refused = lehr_at("", "db", "backup", str(tmp_path / "a b"), "--database-url", url)
    assert refused.exit_code == 1
    wanted = f"'--file={tmp_path / 'a b'}' --dbname=postgresql://lehr@db/lehr"
    assert f"where it is, run: pg_dump --format=custom {wanted}" in refused.output
    assert "secret" not in refused.output


@pytest.mark.parametrize("command", [["upgrade"], ["check"], ["backup", "copy.db"]])
def test_what_is_no_database_url_is_said_in_a_line(lehr_at, command):
    refused = lehr_at("", "db", *command, "--database-url", "foo")
    assert refused.exit_code == 2
    assert "invalid value for --database-url: is no database URL; give sqlite" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["upgrade", "check", "backup"])
def test_each_help_has_an_example(lehr_at, command):
    assert "Example:" in lehr_at("", "db", command, "--help").output
