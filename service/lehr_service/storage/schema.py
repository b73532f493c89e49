"""The revisions of the schema: which one a database has, and the way to this version's.

Alembic is imported where it upgrades only: a server that starts has mostly nothing to upgrade.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import Connection, inspect, text

MIGRATIONS = Path(__file__).parent / "migrations"

_FOUND = text("SELECT version_num FROM alembic_version")


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
    """The revisions that this version knows, the newest first; their files are named by them."""
    files = (MIGRATIONS / "versions").glob("[0-9]*_*.py")
    return tuple(sorted((file.name.partition("_")[0] for file in files), reverse=True))


def head() -> str:
    """The revision that this version needs."""
    return known()[0]


def found(connection: Connection) -> str | None:
    """The revision that a database has; None where it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(_FOUND).scalar()
    return revision


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring a database up to a revision, in the connection's transaction. Raises SchemaUnknown."""
    current = found(connection)
    if current is not None and current not in known():
        raise SchemaUnknown(current)
    from alembic import command
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS))
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, revision)
