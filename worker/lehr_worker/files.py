"""Folders of small files that appear whole or not at all: on a disk, or in an object store."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit
from uuid import uuid4


class Files(Protocol):
    """Folders under one root. Failures are OSErrors, or what an object store's driver raises."""

    def names(self, folder: str) -> list[str]:
        """Of all files in the folder; none if there is no such folder."""

    def read(self, folder: str, name: str) -> bytes: ...

    def write(self, folder: str, name: str, content: bytes) -> None:
        """Make or replace a file; what stops this half-way leaves no file of this name changed."""

    def delete(self, folder: str, name: str) -> None: ...

    def remove(self, folder: str) -> None:
        """The folder with all its files, if it is there."""


class UnknownPlace(ValueError):
    """A URL that nothing installed here can open."""


def _checked(name: str) -> str:
    """The name of a folder or file, which cannot lead anywhere else. Raises ValueError."""
    if name in ("", ".", "..") or any(character in name for character in "/\\\x00"):
        raise ValueError(f"{name!r:.100} is not a name of a folder or file")
    return name


def open_files(place: str) -> Files:
    """The files under a folder, a ``file://`` URL, or any other URL that fsspec knows.

    Raises UnknownPlace.
    """
    if "://" not in place:
        return Disk(Path(place).expanduser().absolute())
    if place.startswith("file://"):
        return Disk(Path(unquote(urlsplit(place).path)))
    return Objects(place)


class Disk:
    """Local or shared folders; a file is flushed to the disk before it takes its name."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self, folder: str) -> list[str]:
        try:
            return os.listdir(self._place(folder) if folder else self._root)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def read(self, folder: str, name: str) -> bytes:
        return self._place(folder, name).read_bytes()

    def write(self, folder: str, name: str, content: bytes) -> None:
        place, file_name = self._place(folder), _checked(name)
        place.mkdir(parents=True, exist_ok=True)
        unfinished = place / f".{file_name}.{uuid4().hex}"
        try:
            with unfinished.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(place / file_name)
        except BaseException:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            raise
        _flush_names(place)

    def delete(self, folder: str, name: str) -> None:
        self._place(folder, name).unlink(missing_ok=True)

    def remove(self, folder: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._place(folder))

    def _place(self, *names: str) -> Path:
        return self._root.joinpath(*map(_checked, names))


class Objects:
    """An object store: one object a file, and an object is there only once it is whole."""

    def __init__(self, url: str) -> None:
        """Raises UnknownPlace."""
        import fsspec

        try:
            self._system, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise UnknownPlace(str(error)) from error

    def names(self, folder: str) -> list[str]:
        place = self._path(folder) if folder else self._root.rstrip("/")
        self._system.invalidate_cache(place)  # other workers write there, too
        try:
            return [path.rpartition("/")[2] for path in self._system.ls(place, detail=False)]
        except FileNotFoundError:
            return []

    def read(self, folder: str, name: str) -> bytes:
        content: bytes = self._system.cat_file(self._path(folder, name))
        return content

    def write(self, folder: str, name: str, content: bytes) -> None:
        self._system.makedirs(self._path(folder), exist_ok=True)
        self._system.pipe_file(self._path(folder, name), content)

    def delete(self, folder: str, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._system.rm_file(self._path(folder, name))

    def remove(self, folder: str) -> None:
        self._system.invalidate_cache(self._path(folder))
        with contextlib.suppress(FileNotFoundError):
            self._system.rm(self._path(folder), recursive=True)

    def _path(self, *names: str) -> str:
        return "/".join([self._root.rstrip("/"), *map(_checked, names)])


def _flush_names(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
