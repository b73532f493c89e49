"""The migrations make exactly the tables that the code names, on both databases."""

import subprocess
import sys

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from lehr_service.storage.session import Database
from lehr_service.storage.tables import metadata


def test_migrations_and_tables_agree(database_url):
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    database.migrate()
    assert database.is_ready()
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    database.close()


def test_servers_that_start_together_migrate_once(database_url):
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    script = "import sys; from lehr_service.storage.session import Database as D; "
    script += "d = D(sys.argv[1]); d.migrate(); print(d.is_ready())"
    started = [
        subprocess.Popen([sys.executable, "-c", script, url], stdout=-1, stderr=-2, text=True)
        for _ in range(4)
    ]
    assert [process.communicate(timeout=60)[0] for process in started] == ["True\n"] * 4


def test_an_empty_database_is_not_ready(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    assert not database.is_ready()
    database.close()
