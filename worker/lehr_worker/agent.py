"""The story of a worker: one agent a machine, one trainer process a device.

    start a trainer on each device -> register what they can train -> on each device, again and
    again: claim a trial, train it, report each epoch, heed the verdicts, say how it ended
    (or a range test: run it, send its losses)

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
from itertools import islice
from typing import Any
from uuid import uuid4

from lehr import logs
from lehr.client import Client
from lehr.errors import LehrError, WorkerUnknown
from lehr.wire.range_tests import RangeTestLease, RangeTestResult
from lehr.wire.workers import (
    PROBLEM_CHARACTERS,
    PROBLEMS,
    AnyLease,
    Completion,
    Failure,
    Lease,
    Registration,
)
from lehr_worker.attempts import Attempt
from lehr_worker.departure import Departure, Idleness
from lehr_worker.devices import Device, DeviceError, find_devices
from lehr_worker.failures import failure, storable
from lehr_worker.files import UnknownPlace
from lehr_worker.leases import RETRY_SECONDS, Keeper
from lehr_worker.limits import Limits
from lehr_worker.memory import usual_limit
from lehr_worker.options import AgentOptions
from lehr_worker.patience import GaveUp, insist
from lehr_worker.process import TrainerDied, TrainerProcess
from lehr_worker.range_tests import RangeTestAttempt
from lehr_worker.starts import Unusable, bring_up
from lehr_worker.stores import Checkpoints, Store
from lehr_worker.supervision import TICK_SECONDS, R, Supervised, Supervisor
from lehr_worker.trials import TrialAttempt

CLIENT_TIMEOUT_SECONDS = 30.0
HEARTBEAT_TIMEOUT_SECONDS = 5.0  # well below a lease: a request that hangs must not cost it
STARTS = 3  # of a trainer that does not get ready, before its device is given up

DRAINED, FAILED, MISUSED = 0, 1, 2  # exit status

log = logging.getLogger(__name__)


def run(options: AgentOptions) -> int:
    """Work until drained; returns the exit status: 0 drained, 1 failed, 2 wrong settings."""
    try:
        agent = Agent(options, find_devices(options.devices))
    except (DeviceError, LehrError, UnknownPlace) as error:
        log.error("%s", error)
        return MISUSED
    with _signals_to(agent.departure):
        return agent.run()


class Agent:
    """One worker; ``run`` is its life, ``departure`` the way to end it."""

    def __init__(self, options: AgentOptions, devices: list[Device]) -> None:
        self.departure = Departure(options.drain_seconds, options.hand_back_seconds)
        self._idleness = Idleness(options.idle_exit_seconds)
        self._options = options
        self._devices = devices
        self._checkpoints = Checkpoints(options.checkpoints)
        self._limits = Limits(options.step_seconds, options.memory_bytes or usual_limit())
        self._client = self._connect(CLIENT_TIMEOUT_SECONDS)
        self._heart = self._connect(HEARTBEAT_TIMEOUT_SECONDS)  # its connection is its own
        self._keeper: Keeper | None = None
        self._readiness: queue.Queue[dict[str, Any]] = queue.Queue()
        self._registered = threading.Event()
        self._busy: dict[str, Attempt] = {}  # those at hand, by token
        self._status = DRAINED

    def run(self) -> int:
        """Start the devices, register, and watch over them until they are done."""
        threads = [self._thread(self._work, device) for device in self._devices]
        presenting = self._thread(self._present)
        told = False
        while not self._is_done(threads):
            if self.departure.requests and not told:
                told = True
                log.info("leaving: no new trials, those at hand may finish")
                self._thread(self._tell_server)
            _join(threads, TICK_SECONDS)
        presenting.join(TICK_SECONDS)
        if self._keeper is not None:
            self._keeper.end()
        for attempt in list(self._busy.values()):
            log.warning("%s: left to the server's recovery", attempt.label)
            attempt.give_up()
        self._client.close()
        self._heart.close()
        log.info("the worker has left")
        return self._status

    # --- one device

    def _work(self, device: Device) -> None:
        """Train one trial after another, until the worker leaves."""
        trainer = TrainerProcess(device, self._setup(), self._options.data_dir)
        try:
            while not self.departure.leaving.is_set() and self._is_ready(trainer):
                lease = self._claim()
                if lease is not None:
                    with logs.about(**lease.named):
                        self._execute(trainer, lease)
        except Exception:
            log.exception("%s: given up", device)
            self._status = FAILED
        finally:
            trainer.kill()

    def _execute(self, trainer: TrainerProcess, lease: AnyLease) -> None:
        if isinstance(lease, RangeTestLease):
            self._test_range(trainer, lease)
        else:
            self._train(trainer, lease)

    def _is_ready(self, trainer: TrainerProcess) -> bool:
        """Start the trainer unless it lives; whether it can train."""
        if trainer.alive:
            return True
        for _ in range(STARTS):
            try:
                return self._is_started(trainer)
            except Unusable as error:
                log.error("%s", error)
                self._status = MISUSED
                return False
            except (TrainerDied, OSError) as error:
                log.error("%s: not started: %s", trainer.device, error)
            if self.departure.leaving.wait(RETRY_SECONDS):
                return False
        log.error("%s: given up after %d starts", trainer.device, STARTS)
        self._status = FAILED
        return False

    def _is_started(self, trainer: TrainerProcess) -> bool:
        """Raises Unusable, TrainerDied, OSError."""
        patience = self._options.start_seconds
        log.info("%s: loading Keras and the tasks", trainer.device)
        offer = bring_up(trainer, self._limits, patience, self.departure.leaving)
        if offer is None:
            return False
        self._readiness.put(offer)
        return self._await_registration()

    def _await_registration(self) -> bool:
        while not self._registered.wait(TICK_SECONDS):
            if self.departure.leaving.is_set():
                return False
        return True

    def _claim(self) -> AnyLease | None:
        """Work, or None if there is none for now; one request id until there is an answer."""
        request, worker = uuid4(), self._known_keeper().worker_id
        try:
            return insist(
                lambda: self._client.claim(worker, request, self._options.claim_seconds),
                self.departure.leaving,
                "claiming a trial",
            )
        except GaveUp:
            return None
        except WorkerUnknown:
            self._register_again(worker)
        except LehrError as error:
            log.error("claiming a trial: %s", error)
            self.departure.leaving.wait(RETRY_SECONDS)
        return None

    def _train(self, trainer: TrainerProcess, lease: Lease) -> None:
        """One trial, from its lease to its end."""
        store = self._checkpoints.of(lease, self._client)
        attempt = TrialAttempt(self._client, lease, trainer, store)
        self._busy[attempt.token] = attempt
        with self._known_keeper().holding(attempt):
            about = lease.attempt, trainer.device, _parameters(lease)
            log.info("%s: attempt %d on %s: %s", attempt.label, *about)
            if obstacle := self._obstacle(trainer):
                attempt.end(obstacle)
            else:
                trainer.train(lease, self._state(attempt, store))
                attempt.end(self._supervisor(trainer, attempt, Completion).follow())
            attempt.wait()
        if self.departure.leaving.is_set():
            attempt.uploads.join(self._options.hand_back_seconds)
        self._done_with(attempt)

    def _test_range(self, trainer: TrainerProcess, lease: RangeTestLease) -> None:
        """One range test, from its lease to its end."""
        attempt = RangeTestAttempt(self._client, lease, trainer)
        self._busy[attempt.token] = attempt
        with self._known_keeper().holding(attempt):
            log.info("%s: attempt %d on %s", attempt.label, lease.attempt, trainer.device)
            if obstacle := self._obstacle(trainer):
                attempt.end(obstacle)
            else:
                trainer.test_range(lease)
                attempt.end(self._supervisor(trainer, attempt, RangeTestResult).follow())
        self._done_with(attempt)

    def _done_with(self, attempt: Attempt) -> None:
        self._idleness.begin(time.monotonic())
        del self._busy[attempt.token]

    def _obstacle(self, trainer: TrainerProcess) -> Failure | None:
        """Why work that was claimed goes back untouched; a trainer may die while it waits."""
        if self.departure.leaving.is_set():
            return failure("preempted", "claimed while the worker was leaving")
        if not self._is_ready(trainer):
            return failure("preempted", "the worker's trainer does not start")
        return None

    def _state(self, attempt: TrialAttempt, store: Store) -> bytes | None:
        """What the trial resumes from; without it, it starts anew."""
        try:
            return insist(store.newest, attempt.over, attempt.label)
        except Exception as error:  # the drivers of object stores raise what they like
            log.warning("%s: starts anew, for its checkpoint is lost: %s", attempt.label, error)
            return None

    def _supervisor(
        self, trainer: TrainerProcess, attempt: Supervised, result: type[R]
    ) -> Supervisor[R]:
        return Supervisor(
            trainer,
            attempt,
            self.departure,
            result,
            limits=self._limits,
            stop_seconds=self._options.stop_seconds,
            hand_back_seconds=self._options.hand_back_seconds,
        )

    # --- the worker as a whole

    def _present(self) -> None:
        """Register what the first trainer that is ready can train."""
        ready = self._first_ready()
        if ready is None:
            return
        for module, why in ready["problems"].items():
            log.error("%s cannot be used: %s; the other tasks can", module, why)
        self._idleness.begin(time.monotonic())
        registration = Registration(
            name=self._options.name or platform.node() or "worker",
            tasks=ready["tasks"],
            devices=[device.description for device in self._devices],
            versions=ready["versions"],
            abilities=ready["abilities"],
            **_problems(ready["problems"]),
        )
        keeper = Keeper(self._heart, registration, self.departure.leaving)
        try:
            keeper.register()
        except GaveUp:
            return
        except LehrError as error:
            log.error("the server does not take this worker: %s", error)
            self._status = FAILED
            self.departure.leaving.set()
            return
        self._keeper = keeper
        keeper.start()
        self._thread(self._checkpoints.sweep, self._client)
        self._registered.set()

    def _first_ready(self) -> dict[str, Any] | None:
        while not self.departure.leaving.is_set():
            try:
                return self._readiness.get(timeout=TICK_SECONDS)
            except queue.Empty:
                continue
        return None

    def _register_again(self, unknown: str) -> None:
        try:
            self._known_keeper().register_again(unknown)
        except LehrError as error:
            log.warning("registering again: %s", error)
            self.departure.leaving.wait(RETRY_SECONDS)

    def _is_done(self, threads: list[threading.Thread]) -> bool:
        now = time.monotonic()
        if not self.departure.requests and self._idleness.is_over(now, busy=bool(self._busy)):
            log.info("no work for %g s", self._options.idle_exit_seconds)
            self.departure.ask()
        self.departure.advance(now)
        working = any(thread.is_alive() for thread in threads)
        return not working or self.departure.is_over(now, busy=bool(self._busy))

    def _tell_server(self) -> None:
        """So that it answers claims under way, and shows that the worker leaves."""
        try:
            if self._keeper is not None:
                self._client.drain(self._keeper.worker_id)
        except LehrError as error:
            log.debug("the server was not told: %s", error)

    def _known_keeper(self) -> Keeper:
        if self._keeper is None:
            raise RuntimeError("the worker is not registered yet")
        return self._keeper

    def _connect(self, timeout: float) -> Client:
        """A client that leaves all waiting to this worker, which can be interrupted."""
        return Client(self._options.server, self._options.token, timeout=timeout, retry_seconds=0.0)

    def _setup(self) -> dict[str, Any]:
        options = self._options
        return {
            "engine": options.engine,
            "tasks": list(options.tasks),
            "checkpoint_epochs": options.checkpoint_epochs,
            "checkpoint_seconds": options.checkpoint_seconds,
            "tensorboard": options.tensorboard,
            "log_format": options.log_format,
            "log_level": options.log_level,
        }

    @staticmethod
    def _thread(target: Any, *arguments: Any) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        thread.start()
        return thread


@contextmanager
def _signals_to(departure: Departure) -> Iterator[None]:
    """SIGTERM and SIGINT ask to leave while the block runs (in the main thread only)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = (signal.SIGTERM, signal.SIGINT)
    before = {signum: signal.signal(signum, lambda *_: departure.ask()) for signum in wanted}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _join(threads: list[threading.Thread], seconds: float) -> None:
    """Wait so long, or until one of the threads that run has ended."""
    for thread in threads:
        if thread.is_alive():
            thread.join(seconds)
            return


def _problems(found: dict[str, str]) -> dict[str, dict[str, str]]:
    """Left out where there are none, as an older server would have it."""
    if not found:
        return {}
    told = {module: storable(why)[:PROBLEM_CHARACTERS] for module, why in found.items()}
    return {"problems": dict(islice(told.items(), PROBLEMS))}


def _parameters(lease: Lease) -> str:
    """With as many digits as people read; the server has them all."""
    return " ".join(f"{n}={_short(value)}" for n, value in lease.trial.params.items())


def _short(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else value
