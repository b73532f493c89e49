"""A copy of a database while servers go on writing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from lehr_service.storage.engines import sqlite_file


class BackupFailed(Exception):
    """There is no backup; what it was to replace is as it was."""


def backup(url: str, target: Path) -> None:
    """Copy a database to a file as it is at one moment. Raises BackupFailed.

    It is written beside the target and renamed when it is whole. SQLite: a database file, by
    SQLite's backup API, which no writer waits for. PostgreSQL: an archive for ``pg_restore``, made
    by ``pg_dump``.
    """
    source = sqlite_file(url)
    if not target.parent.is_dir():
        raise BackupFailed(f"there is no folder {target.parent}")
    if source is not None and target.exists() and target.samefile(source):
        raise BackupFailed(f"{target} is the database itself: name another file")
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    os.close(handle)
    partial = Path(name)
    try:
        if source is None:
            _dump(url, partial)
        else:
            _copy(source, partial)
        _flush(partial)
        partial.replace(target)
        _flush(target.parent)
    finally:
        partial.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    if not source.exists():
        raise BackupFailed(f"there is no database {source}")
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as here,
            closing(sqlite3.connect(target)) as there,
        ):
            here.backup(there)  # in one step, hence of one moment
            there.execute("PRAGMA journal_mode=DELETE")  # the copy is one file
            (found,) = there.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        raise BackupFailed(f"{source} cannot be copied: {error}") from error
    if found != "ok":
        raise BackupFailed(f"the copy is damaged, and so may be {source}: {found}")


def pg_dump(url: str, target: Path) -> list[str]:
    """The command that makes a backup of a PostgreSQL database; the password is not part of it."""
    plain = make_url(url)._replace(drivername="postgresql", password=None)
    return [
        "pg_dump",
        "--format=custom",
        f"--file={target}",
        f"--dbname={plain.render_as_string(hide_password=False)}",
    ]


def _dump(url: str, target: Path) -> None:
    if shutil.which("pg_dump") is None:
        raise BackupFailed("pg_dump, which comes with PostgreSQL's client programs, is not here")
    password = make_url(url).password
    environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    done = subprocess.run(
        pg_dump(url, target), env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BackupFailed(done.stderr.strip() or f"pg_dump ended with {done.returncode}")


def _flush(path: Path) -> None:
    """See to it that a power failure does not undo it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
