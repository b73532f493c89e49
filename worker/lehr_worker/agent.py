"""The story of a worker: one agent a machine, one trainer process a device.

    start a trainer on each device -> register what they can train -> on each device, again and
    again: claim a trial, train it, report each epoch, heed the verdicts, say how it ended

A server that is away stops nothing; a trainer that dies is reported and started again; SIGTERM or
SIGINT lets running trials finish for ``drain_seconds``, then hands them back; a second signal hands
them back at once. This process loads no TensorFlow.
"""

from __future__ import annotations

import logging
import platform
import queue
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from lehr.client import Client
from lehr.errors import LehrError, WorkerUnknown
from lehr.wire.workers import Completion, Failure, Lease, NewReport, Registration
from lehr_worker.attempts import Attempt
from lehr_worker.devices import Device, DeviceError, find_devices
from lehr_worker.failures import failure
from lehr_worker.leases import RETRY_SECONDS, Keeper
from lehr_worker.patience import GaveUp, insist
from lehr_worker.process import TrainerDied, TrainerProcess

TICK_SECONDS = 0.2  # how soon a signal, a stop or a drain is noticed
HEARTBEAT_TIMEOUT_SECONDS = 5.0  # well below a lease: a hanging request must not cost it
STARTS = 3  # of a trainer that never gets ready, before its device is given up
CLAIM_GRACE_SECONDS = 2.0  # for a claim under way to be answered when the worker leaves

FINE, FAILED, MISUSED = 0, 1, 2  # exit status

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """Settings of one worker; durations in seconds.

    ``server`` and ``token`` default to ``LEHR_SERVER`` and ``LEHR_TOKEN``, ``data_dir`` to
    ``LEHR_DATA_DIR``. ``drain_seconds`` is below the 30 s that Kubernetes, Slurm and systemd leave
    between SIGTERM and SIGKILL, so that trials can still be handed back.
    """

    server: str | None = None
    token: str | None = None
    tasks: tuple[str, ...] = ()  # modules with tasks, beside the built-in ones
    devices: str = "auto"  # auto, cpu, or positions among the visible GPUs: 0,1
    name: str | None = None  # default: the machine's
    data_dir: str | None = None
    checkpoint_seconds: float = 60.0  # of training between two checkpoints, at least
    drain_seconds: float = 20.0  # for trials to finish after the first signal
    hand_back_seconds: float = 5.0  # for the last checkpoint of a trial that is handed back
    stop_seconds: float = 60.0  # for a trial to stop between two epochs, before it is killed
    claim_seconds: float = 20.0  # a claim waits for work
    engine: str = "lehr_worker.keras_engine:KerasEngine"  # package.module:factory


def run(options: AgentOptions) -> int:
    """Work until drained; returns the exit status: 0 drained, 1 failed, 2 wrong settings."""
    try:
        agent = Agent(options, find_devices(options.devices))
    except (DeviceError, LehrError) as error:
        log.error("%s", error)
        return MISUSED
    with agent.signals():
        return agent.run()


class Agent:
    """One worker; ``run`` is its life."""

    def __init__(self, options: AgentOptions, devices: list[Device]) -> None:
        self._options = options
        self._devices = devices
        self._client = self._connect(timeout=30.0)
        self._keeper: Keeper | None = None
        self._readiness: queue.Queue[dict[str, Any]] = queue.Queue()
        self._registered = threading.Event()
        self._signals = 0  # received
        self.leaving = threading.Event()  # no new trials
        self.handing_back = threading.Event()  # trials that run end after their epoch
        self.at_once = threading.Event()  # trials that run are given up now
        self._status = FINE

    def run(self) -> int:
        threads = [
            threading.Thread(target=self._work, args=(device,), name=str(device), daemon=True)
            for device in self._devices
        ]
        for thread in threads:
            thread.start()
        self._register(threads)
        self._look_after(threads)
        if self._keeper is not None:
            self._keeper.end()
        log.info("worker leaves")
        return self._status

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Drain on SIGTERM and SIGINT while the block runs (in the main thread only)."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {s: signal.signal(s, self._signalled) for s in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def drain(self) -> None:
        """As a first SIGTERM does; a second call hands back at once."""
        self._signals += 1

    def _signalled(self, signum: int, frame: Any) -> None:
        self._signals += 1  # no lock may be taken here: the main thread may hold it

    def _connect(self, timeout: float) -> Client:
        return Client(
            self._options.server, self._options.token, timeout=timeout, retry_seconds=0.0
        )

    # --- the main thread: presents the worker, then waits for the end

    def _register(self, threads: list[threading.Thread]) -> None:
        ready = self._first_ready(threads)
        if ready is None:
            return
        registration = Registration(
            name=self._options.name or platform.node() or "worker",
            tasks=ready["tasks"],
            devices=[device.description for device in self._devices],
            versions=ready["versions"],
        )
        keeper = Keeper(self._connect(HEARTBEAT_TIMEOUT_SECONDS), registration)
        watch = threading.Thread(target=self._present, args=(keeper,), daemon=True)
        watch.start()
        while watch.is_alive() and not self.leaving.is_set():
            watch.join(TICK_SECONDS)
            self._notice_signals()

    def _present(self, keeper: Keeper) -> None:
        try:
            keeper.register(self.leaving)
        except GaveUp:
            return
        except LehrError as error:
            self._fail("the server does not take this worker: %s", error)
            return
        self._keeper = keeper
        keeper.start()
        self._registered.set()

    def _first_ready(self, threads: list[threading.Thread]) -> dict[str, Any] | None:
        """What the first trainer that is ready can train; None if none will be."""
        while not self.leaving.is_set():
            try:
                return self._readiness.get(timeout=TICK_SECONDS)
            except queue.Empty:
                self._notice_signals()
                if not any(thread.is_alive() for thread in threads):
                    return None
        return None

    def _look_after(self, threads: list[threading.Thread]) -> None:
        """Wait until all devices are done; when leaving, see to it that they soon are."""
        hand_back_at: float | None = None
        while any(thread.is_alive() for thread in threads):
            self._notice_signals()
            if self._signals and hand_back_at is None:
                hand_back_at = time.monotonic() + self._options.drain_seconds
                self._tell_server()
            if hand_back_at is not None and time.monotonic() >= hand_back_at:
                self.handing_back.set()
            if self.handing_back.is_set() or self._idle_for(CLAIM_GRACE_SECONDS):
                break
            _join_one(threads, TICK_SECONDS)
        limit = time.monotonic() + self._options.hand_back_seconds + CLAIM_GRACE_SECONDS
        while any(thread.is_alive() for thread in threads) and time.monotonic() < limit:
            self._notice_signals()
            _join_one(threads, TICK_SECONDS)
