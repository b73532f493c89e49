"""What a database raises: whether it is the database's fault, and what to tell of it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

_OF_THE_STATEMENT = (DataError, IntegrityError, NotSupportedError, ProgrammingError)
_CONFLICTS = ("40001", "40P01")  # SQLSTATE: the same statements may well succeed at once
_NO_ROOM = "its disk is full: make room there"
_NO_DISK = (
    "its disk fails: look whether there is room, whether it is healthy and, for SQLite, that it is "
    "no network file system"
)
_SQLITE_IOERR = 10
_DISK_TROUBLE = {
    _SQLITE_IOERR: _NO_DISK,
    13: _NO_ROOM,  # SQLITE_FULL
    "58030": _NO_DISK,  # SQLSTATE io_error
    "53100": _NO_ROOM,  # SQLSTATE disk_full
}


class FileGone(Exception):
    """The file of a running server was moved, deleted or replaced: what is stored would be lost."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file} is not the file any more that this server has opened: put that one back, or "
            "restart the server to go on with what is there now"
        )


def is_fault(error: Exception) -> bool:
    """Whether the database cannot do anything now: locked, full, read-only, gone, slow."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout | FileGone)
    return _code(error) not in _CONFLICTS and not isinstance(error, _OF_THE_STATEMENT)


def told(error: Exception) -> str:
    """What the database says is wrong, in a line."""
    orig = error.orig if isinstance(error, DBAPIError) else error
    said = str(orig).strip().partition("\n")[0]
    if _code(error) == _SQLITE_IOERR:
        said += f" ({getattr(orig, 'sqlite_errorname', 'SQLITE_IOERR')})"  # which says at what
    return f"{said}{because(error)}"


def because(error: Exception) -> str:
    """``: where to look``, if it is the database's disk that fails; empty for anything else."""
    trouble = _DISK_TROUBLE.get(_code(error))
    return f": {trouble}" if trouble else ""


def _code(error: Exception) -> int | str | None:
    """SQLite's primary result code, PostgreSQL's SQLSTATE, or None."""
    orig = error.orig if isinstance(error, DBAPIError) else None
    code: int | None = getattr(orig, "sqlite_errorcode", None)
    state: str | None = getattr(orig, "sqlstate", None)
    return state if code is None else code & 0xFF
