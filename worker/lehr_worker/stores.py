"""Where the checkpoints of trials are kept: with the server, in a folder or in an object store.

Any worker with the same place finds what another one kept. In a folder or object store a trial has
a folder of its own; a checkpoint is two files there, the state and then its manifest, and what has
no manifest is not one. The last two are kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
from collections.abc import Mapping
from typing import Any, Protocol

from lehr.client import Client
from lehr.errors import NotFound
from lehr.wire.trials import Trial
from lehr.wire.workers import Lease
from lehr_worker.files import Files, open_files

SERVER = "server"
KEPT = 2  # checkpoints of a trial

_MANIFEST = re.compile(r"(\d{8})\.json")

log = logging.getLogger(__name__)


class Store(Protocol):
    """The checkpoints of one trial."""

    def save(self, step: int, state: bytes) -> None:
        """Keep the state after this step. Raises LeaseLost, or whatever the place fails with."""

    def newest(self) -> bytes | None:
        """The last state that is whole, None if there is none. Raises like ``save``."""

    def remove(self) -> None:
        """Drop all of them: the trial is finished."""


class Checkpoints:
    """The place that the setting ``LEHR_CHECKPOINTS`` names: ``server``, a folder or a URL."""

    def __init__(self, place: str) -> None:
        """Raises UnknownPlace."""
        self._files = None if place == SERVER else open_files(place)

    def of(self, lease: Lease, client: Client) -> Store:
        """Those of the lease's trial."""
        if self._files is None:
            return ServerStore(lease, client)
        return FileStore(
            self._files, folder_of(lease), first=lease.attempt == 1, trial=_known_by(lease.trial)
        )

    def sweep(self, client: Client) -> None:
        """Remove those of trials that were finished while no worker had them.

        A trial of another server stays: it was created at another moment.
        """
        if self._files is None:
            return
        try:
            for folder in self._files.names(""):
                self._sweep(self._files, folder, client)
        except Exception as error:  # the drivers of object stores raise what they like
            log.warning("checkpoints of finished trials are not removed: %s", error)

    @staticmethod
    def _sweep(files: Files, folder: str, client: Client) -> None:
        manifests = sorted(filter(_MANIFEST.fullmatch, files.names(folder)))
        try:
            kept = json.loads(files.read(folder, manifests[-1]))["trial"]
            trial = client.trial(kept["study"], kept["number"])
        except (IndexError, ValueError, KeyError, FileNotFoundError, NotFound):
            return
        if trial.state.is_finished and _known_by(trial) == kept:
            log.info("%s #%d is finished: its checkpoints are removed", trial.study, trial.number)
            files.remove(folder)


class ServerStore:
    """The server keeps one checkpoint, and removes it when the trial is finished."""

    def __init__(self, lease: Lease, client: Client) -> None:
        self._lease = lease
        self._client = client

    def save(self, step: int, state: bytes) -> None:
        self._client.save_checkpoint(self._lease.token, state)

    def newest(self) -> bytes | None:
        if self._lease.checkpoint is None:
            return None
        return self._client.load_checkpoint(self._lease.token)

    def remove(self) -> None:
        """The server has done it."""


class FileStore:
    """The last two checkpoints of a trial in a folder; see the module."""

    def __init__(
        self,
        files: Files,
        folder: str,
        *,
        first: bool = False,
        trial: Mapping[str, Any] | None = None,
    ) -> None:
        """``first``: nothing can be there yet for this attempt to go on from.

        ``trial`` is noted beside each state, for ``sweep``.
        """
        self._files = files
        self._folder = folder
        self._first = first
        self._trial = trial

    def save(self, step: int, state: bytes) -> None:
        self._files.write(self._folder, _state(step), state)
        manifest = {"sha256": _sha256(state), "trial": self._trial}
        self._files.write(self._folder, _manifest(step), json.dumps(manifest).encode())
        self._tidy(step)

    def newest(self) -> bytes | None:
        for step in [] if self._first else reversed(self._steps()):
            try:
                return self._checked(step)
            except (DamagedCheckpoint, OSError) as error:
                log.warning("%s: checkpoint of step %d not used: %s", self._folder, step, error)
                with contextlib.suppress(OSError):
                    self._files.delete(self._folder, _manifest(step))
        return None

    def remove(self) -> None:
        self._files.remove(self._folder)

    def _steps(self) -> list[int]:
        found = map(_MANIFEST.fullmatch, self._files.names(self._folder))
        return sorted(int(match[1]) for match in found if match)

    def _checked(self, step: int) -> bytes:
        """The state of this step. Raises DamagedCheckpoint."""
        manifest = self._files.read(self._folder, _manifest(step))
        state = self._files.read(self._folder, _state(step))
        try:
            expected = json.loads(manifest)["sha256"]
        except (ValueError, TypeError, KeyError):
            raise DamagedCheckpoint("its manifest is damaged") from None
        if _sha256(state) != expected:
            raise DamagedCheckpoint("it is damaged: its SHA-256 is not the one in its manifest")
        return state

    def _tidy(self, newest: int) -> None:
        """Delete all but the last two, manifests first: what attempts left unfinished, too.

        A later step than the newest is of an attempt that could not be resumed.
        """
        steps = [step for step in self._steps() if step <= newest][-KEPT:]
        kept = {name(step) for step in steps for name in (_state, _manifest)}
        for name in sorted(set(self._files.names(self._folder)) - kept):
            self._files.delete(self._folder, name)


class DamagedCheckpoint(Exception):
    """What was kept is not what was saved."""


def _known_by(trial: Trial) -> dict[str, Any]:
    """What tells a trial from all others, those of other servers included."""
    return {
        "study": trial.study,
        "number": trial.number,
        "created_at": trial.created_at.timestamp(),
    }


def folder_of(lease: Lease) -> str:
    """A name for the trial that no trial of another server, or with another setup, has."""
    facts = lease.model_dump(
        mode="json",
        include={"task", "training", "objectives", "optimizer", "schedule", "warmup", "parameters"},
    )
    identity = json.dumps([_known_by(lease.trial), facts], sort_keys=True)
    study = re.sub(r"[^A-Za-z0-9_-]", "_", lease.study)
    return f"{study}-{lease.trial.number}-{_sha256(identity.encode())[:16]}"


def _state(step: int) -> str:
    return f"{step:08d}.state"


def _manifest(step: int) -> str:
    return f"{step:08d}.json"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
