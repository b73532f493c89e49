"""The migrations make exactly the tables that the code names, on both databases."""

import subprocess
import sys

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from lehr.wire.trials import TrialState
from lehr_service.storage import attempts, schema, trials, workers
from lehr_service.storage.session import Database
from lehr_service.storage.tables import metadata


def test_migrations_and_tables_agree(database_url):
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    database.migrate()
    assert database.problem() is None
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    database.close()


def test_the_known_revisions_are_alembics():
    walked = ScriptDirectory(str(schema.MIGRATIONS)).walk_revisions()
    assert schema.known() == tuple(script.revision for script in walked)


def test_what_the_first_schema_held_is_kept(database_url):
    """SQLite replaces tables to change them: neither rows nor what refers to them may go."""
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with database.write() as connection:
        schema.upgrade(connection, "0001")
        counts = dict.fromkeys(
            ("revision", "waiting", "running", "complete", "pruned", "fail", "returned"), 0
        ) | dict.fromkeys(("failures", "epochs", "finished_epochs", "virtual_time"), 0)
        known = {"id": 1, "name": "s", "definition": "{}", "seed": 1, "state": "active"}
        study = known | counts | {"exhausted": False, "attrs": "{}", "created_at": 1.0}
        texts = dict.fromkeys(("tasks", "devices", "versions"), "{}")
        moments = dict.fromkeys(("registered_at", "heard_at", "deadline"), 1.0)
        worker = {"id": "w", "name": "w", "draining": False, "lost": False} | texts | moments
        trial = {"study_id": 1, "number": 0, "state": "running", "revision": 1, "created_at": 1.0}
        trial |= dict.fromkeys(("fixed_params", "metrics", "attrs"), "{}")
        trial |= dict.fromkeys(("attempts", "lost", "steps"), 0)
        attempt = {"token": "1-t", "study_id": 1, "trial": 0, "attempt": 1, "worker_id": "w"}
        attempt |= {"request_id": "r", "started_at": 1.0}
        rows = {"studies": study, "workers": worker, "trials": trial, "attempts": attempt}
        for table, row in rows.items():
            names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)
    database.migrate()
    with database.read() as connection:
        assert attempts.by_token(connection, "1-t").kind == "trial"
        assert [t.number for t in trials.in_state(connection, 1, TrialState.RUNNING)] == [0]
        assert workers.get(connection, "w").abilities == []
        assert workers.get(connection, "w").problems == {}
    database.close()


def test_servers_that_start_together_migrate_once(database_url):
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    script = "import sys; from lehr_service.storage.session import Database as D; "
    script += "d = D(sys.argv[1]); d.migrate(); print(d.problem())"
    started = [
        subprocess.Popen([sys.executable, "-c", script, url], stdout=-1, stderr=-2, text=True)
        for _ in range(4)
    ]
    assert [process.communicate(timeout=60)[0] for process in started] == ["None\n"] * 4


def test_an_empty_database_is_not_ready(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    assert "None" in database.problem()
    database.close()
