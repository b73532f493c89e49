"""What an operator does to the database itself: upgrade it, check it, back it up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from lehr_service.settings import Settings
from lehr_service.storage import backup as copies
from lehr_service.storage import checks, schema
from lehr_service.storage.backup import BackupFailed
from lehr_service.storage.engines import sqlite_file
from lehr_service.storage.faults import told
from lehr_service.storage.session import Database

__all__ = ["FAILURES", "BackupFailed", "backup", "check", "command", "shown", "told", "upgrade"]

FAILURES = (OSError, schema.SchemaUnknown, SQLAlchemyError)
"""What any of these raises where the database, or its place, is not as it must be."""


@dataclass(frozen=True)
class Upgraded:
    """The schema before and after; None before: the database was empty."""

    before: str | None
    after: str


@dataclass(frozen=True)
class Checked:
    """What was found; ``schema`` is the one that the database has."""

    schema: str | None
    needed: str
    findings: list[checks.Finding] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not any(finding.state == "wrong" for finding in self.findings)


def shown(settings: Settings) -> str:
    """The database as it may be printed, without its password."""
    return make_url(settings.url).render_as_string(hide_password=True)


def upgrade(settings: Settings) -> Upgraded:
    """Bring the schema to this version. Raises SchemaUnknown, OSError, SQLAlchemyError."""
    if not settings.database_url:
        settings.home.mkdir(parents=True, exist_ok=True)
    database = Database(settings.url, 2, settings.database_wait_seconds)
    try:
        with database.read() as connection:
            before = schema.found(connection)
        database.migrate()
        return Upgraded(before, schema.head())
    finally:
        database.close()


def check(settings: Settings) -> Checked:
    """Look for what must not be. Raises FileNotFoundError, SQLAlchemyError."""
    file = sqlite_file(settings.url)
    if file is not None and not file.exists():
        raise FileNotFoundError(f"there is no database {file}")
    database = Database(settings.url, 2, settings.database_wait_seconds)
    found = None
    try:
        with database.read() as connection:
            found = schema.found(connection)
            if found == schema.head():
                return Checked(found, found, checks.every(connection))
        return Checked(found, schema.head(), [_other_schema(found)])
    except OperationalError:  # it cannot be reached now, which says nothing about it
        raise
    except DatabaseError as error:
        damage = checks.Finding("integrity", "wrong", f"the file is damaged: {told(error)}")
        return Checked(found, schema.head(), [damage])
    finally:
        database.close()


def _other_schema(found: str | None) -> checks.Finding:
    if found is None:
        says = "the database is empty: lehr db upgrade makes the tables, as does lehr serve"
    elif found in schema.known():
        says = f"the schema is {found}, this version needs {schema.head()}: run lehr db upgrade"
    else:
        says = str(schema.SchemaUnknown(found))
    return checks.Finding("schema", "wrong", says)


def backup(settings: Settings, target: Path) -> int:
    """Copy the database to a file; its size in bytes. Raises BackupFailed."""
    copies.backup(settings.url, target)
    return target.stat().st_size


def command(settings: Settings, target: Path) -> list[str] | None:
    """What would make the backup by hand; None for SQLite."""
    if sqlite_file(settings.url) is not None:
        return None
    return copies.pg_dump(settings.url, target)
