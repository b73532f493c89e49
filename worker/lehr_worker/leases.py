"""The keeper of a worker's leases: one heartbeat for all attempts, whatever else happens."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

from lehr.client import Client
from lehr.errors import LehrError, WorkerUnknown
from lehr.wire.workers import Registered, Registration
from lehr_worker.patience import insist

RETRY_SECONDS = 2.0

log = logging.getLogger(__name__)


class Holder(Protocol):
    """An attempt, as far as its lease is concerned."""

    @property
    def token(self) -> str: ...

    def lose(self, reason: str) -> None:
        """The lease is gone: stop, and send nothing more."""


class Keeper:
    """Registers the worker, keeps it alive, and tells attempts that their lease is lost.

    An outage of the server stops nothing: training goes on, for the server may come back and still
    honour the leases, and if it does not, its next answer says so.
    """

    def __init__(
        self, client: Client, registration: Registration, leaving: threading.Event
    ) -> None:
        self._client = client
        self._registration = registration
        self._registered: Registered | None = None
        self._registering = threading.Lock()
        self._holders: dict[str, Holder] = {}
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._silent = False  # whether the last heartbeat went unanswered
        self._expired = False  # whether that was said to have outlasted the leases
        self._leaving = leaving  # set when the server asks the worker to leave

    @property
    def worker_id(self) -> str:
        """Raises RuntimeError before ``register``."""
        if self._registered is None:
            raise RuntimeError("the worker is not registered yet")
        return self._registered.id

    def register(self) -> None:
        """Present the worker, as soon as a server answers. Raises GaveUp, LehrError."""
        self._accept(
            insist(lambda: self._client.register(self._registration), self._leaving, "registering")
        )

    def register_again(self, unknown: str) -> None:
        """Register anew if ``unknown`` is still this worker's id. Raises LehrError."""
        with self._registering:
            if self.worker_id == unknown:
                self._accept(self._client.register(self._registration))

    def _accept(self, registered: Registered) -> None:
        self._registered = registered
        log.info("registered as worker %s", registered.id)

    @contextmanager
    def holding(self, holder: Holder) -> Iterator[None]:
        """Heartbeats speak for this attempt too, as long as the block runs."""
        with self._guard:
            self._holders[holder.token] = holder
        try:
            yield
        finally:
            with self._guard:
                del self._holders[holder.token]

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Send no more heartbeats; waits for one that is under way to be answered."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                pause = self._beat()
            except LehrError as error:
                self._unanswered(error)
                pause = min(RETRY_SECONDS, self._interval)
            except Exception:  # the worker's life hangs on this thread
                log.exception("heartbeat failed")
                pause = RETRY_SECONDS
            self._ended.wait(pause)

    def _beat(self) -> float:
        """One heartbeat; returns the seconds to wait for the next. Raises LehrError."""
        worker = self.worker_id
        try:
            answer = self._client.heartbeat(worker, self._tokens())
        except WorkerUnknown:
            log.warning("the server does not know worker %s any more: registering again", worker)
            self.register_again(worker)
            return 0.0
        self._answered(answer.deadline)
        for token in answer.stop:
            self._lose(token)
        if answer.drain and not self._leaving.is_set():
            log.info("the server asks this worker to leave when its trials end")
            self._leaving.set()
        return self._interval

    @property
    def _interval(self) -> float:
        return self._registered.heartbeat_seconds if self._registered else RETRY_SECONDS

    def _tokens(self) -> list[str]:
        with self._guard:
            return list(self._holders)

    def _lose(self, token: str) -> None:
        with self._guard:
            holder = self._holders.get(token)
        if holder is not None:
            holder.lose("the heartbeat's answer says that its lease is lost")

    def _answered(self, deadline: datetime) -> None:
        if self._silent:
            log.info("the server answers heartbeats again")
        self._silent = self._expired = False
        if self._registered is not None:
            self._registered = self._registered.model_copy(update={"deadline": deadline})

    def _unanswered(self, error: LehrError) -> None:
        if not self._silent:
            log.warning("no answer to the heartbeat: %s; training goes on", error)
        self._silent = True
        late = self._registered is not None and datetime.now(UTC) > self._registered.deadline
        if late and not self._expired:
            self._expired = True
            log.warning(
                "unheard for longer than leases last; trials go on training, "
                "in case the server still honours them"
            )
