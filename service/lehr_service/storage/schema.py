"""The revisions of the schema: which one a database has, and the way to this version's."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaUnknown(Exception):
    """The database was written by another version of lehr, most likely a newer one."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"the database has schema {found}, which lehr {version('lehr')} (schema {head()}) does "
            f"not know: a newer version has upgraded it. Start that version, or give this one the "
            f"backup that was made before the upgrade"
        )


@lru_cache
def known() -> tuple[str, ...]:
    """The revisions that this version knows, the newest first."""
    return tuple(script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions())


def head() -> str:
    """The revision that this version needs."""
    return known()[0]


def found(connection: Connection) -> str | None:
    """The revision that a database has; None where it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring a database up to a revision, in the connection's transaction. Raises SchemaUnknown."""
    current = found(connection)
    if current is not None and current not in known():
        raise SchemaUnknown(current)
    command.upgrade(_configuration(connection), revision)


def _configuration(connection: Connection) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS))
    configuration.attributes["connection"] = connection
    return configuration
