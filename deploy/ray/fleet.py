"""A fleet of lehr workers on a Ray cluster: one a GPU, as many as the studies could use.

    LEHR_SERVER=https://lehr.example.org LEHR_TOKEN_FILE=... python deploy/ray/fleet.py --most 64

or `ray job submit -- python deploy/ray/fleet.py ...`; every node needs lehr[worker-gpu]. Each
worker has a placement group of its own, so that Ray's autoscaler sees what is wanted. A worker
leaves when it is idle; one whose node died is replaced while there is work. SIGTERM or Ctrl-C
drains them all.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from lehr import Client
from lehr.credentials import token_of_environment
from lehr.demand import devices_wanted
from lehr.errors import LehrError

MISUSED = 2  # a worker's exit status where its settings are wrong: another one would fare no better
_TEXTS = ("server", "checkpoints", "data_dir")
_SECONDS = ("checkpoint_seconds", "drain_seconds")
LEAVE_SECONDS = 60.0  # for workers to hand their trials back

log = logging.getLogger("lehr.fleet")


@ray.remote(max_concurrency=2, max_restarts=0)
class Worker:
    """A worker in a process that Ray places; its trainers die with it."""

    def __init__(self) -> None:
        self._agent: Any = None
        self._leaving = False

    def work(self, options: dict[str, Any]) -> int:
        """Its exit status, once it has left."""
        from lehr_worker.agent import Agent
        from lehr_worker.devices import DeviceError, find_devices
        from lehr_worker.files import UnknownPlace
        from lehr_worker.options import AgentOptions

        _log_to_stderr()
        try:
            self._agent = Agent(AgentOptions(**options), find_devices(options["devices"]))
        except (DeviceError, LehrError, UnknownPlace) as error:
            log.error("%s", error)
            return MISUSED
        if self._leaving:
            self.leave()
        status: int = self._agent.run()
        return status

    def leave(self) -> None:
        self._leaving = True
        if self._agent is not None:
            self._agent.departure.ask()


@dataclass
class Fleet:
    """Workers that Ray runs or is about to run, by what tells of their end."""

    bundle: dict[str, float]
    options: dict[str, Any]
    members: dict[Any, tuple[Any, Any]] = field(default_factory=dict)
    started: int = 0

    def fit(self, wanted: int) -> None:
        """Ask for more workers, or no longer for those that have no place yet."""
        for _ in range(wanted - len(self.members)):
            self._start()
        surplus = len(self.members) - wanted
        placeless = [end for end, (_, group) in self.members.items() if not group.wait(0)]
        for end in placeless[: max(0, surplus)]:
            worker, group = self.members.pop(end)
            ray.kill(worker)
            remove_placement_group(group)

    def _start(self) -> None:
        self.started += 1
        group = placement_group([self.bundle])
        place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=0)
        needs = {"num_gpus": self.bundle.get("GPU", 0), "num_cpus": self.bundle.get("CPU", 0)}
        worker = Worker.options(scheduling_strategy=place, **needs).remote()
        end = worker.work.remote(self.options | {"name": f"ray-{self.started}"})
        self.members[end] = worker, group
        log.info("worker ray-%d is wanted", self.started)

    def reap(self, seconds: float) -> None:
        """Let go of workers that left or died, waiting so long for the first of them."""
        if not self.members:
            return
        ended, _ = ray.wait(list(self.members), timeout=seconds)
        for reference in ended:
            _, group = self.members.pop(reference)
            remove_placement_group(group)
            try:
                status = ray.get(reference)
            except ray.exceptions.RayActorError as death:
                log.warning("a worker died: %s", " ".join(str(death).split())[:200])
                continue
            log.info("a worker left with status %d", status)
            if status == MISUSED:
                raise SystemExit("a worker's settings are wrong: see its log")

    def leave(self) -> None:
        """Drain them all; those that do not answer are left to the server's recovery."""
        if not self.members:
            return
        for worker, _ in self.members.values():
            worker.leave.remote()
        ray.wait(list(self.members), num_returns=len(self.members), timeout=LEAVE_SECONDS)


def main() -> None:
    given = _arguments()
    _log_to_stderr()
    leaving = threading.Event()
    ray.init(address=given.address)
    for number in (signal.SIGTERM, signal.SIGINT):  # Ray's own handlers would end the workers
        signal.signal(number, lambda *_: leaving.set())
    bundle = {"GPU": given.gpus, "CPU": given.cpus}
    fleet = Fleet({name: amount for name, amount in bundle.items() if amount}, _options(given))
    with Client() as client:
        while not leaving.is_set():
            wanted = _wanted(client, given)
            if wanted is not None:
                fleet.fit(wanted)
            if given.until_done and wanted == 0 and not fleet.members:
                return
            fleet.reap(given.every)
            leaving.wait(1.0 if fleet.members else given.every)
    fleet.leave()


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _options(given: argparse.Namespace) -> dict[str, Any]:
    """The settings of the workers, which may run on machines with another environment."""
    texts = {name: os.environ.get(f"LEHR_{name.upper()}") for name in _TEXTS}
    seconds = {name: os.environ.get(f"LEHR_{name.upper()}") for name in _SECONDS}
    return {
        **{name: text for name, text in texts.items() if text},
        **{name: float(text) for name, text in seconds.items() if text},
        "token": token_of_environment(),
        "devices": given.devices,
        "tasks": tuple(given.tasks),
        "idle_exit_seconds": given.idle_exit_seconds,
    }


def _wanted(client: Client, given: argparse.Namespace) -> int | None:
    try:
        return devices_wanted(client, given.most, given.task)
    except LehrError as error:
        log.warning("the fleet stays as it is: %s", error)
        return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--most", type=int, required=True, help="workers at a time, at most")
    add("--address", default="auto", help="of the Ray cluster")
    add("--gpus", default=1.0, type=float, help="of each worker")
    add("--cpus", default=2.0, type=float, help="of each worker")
    add("--every", default=15.0, type=float, help="seconds between looks at the studies")
    add("--idle-exit-seconds", default=120.0, type=float, help="a worker leaves after so long")
    add("--devices", default="auto", help="as lehr work takes them")
    add("--tasks", action="append", default=[], help="module with tasks, as lehr work takes them")
    add("--task", action="append", default=[], help="count only studies of this task")
    add("--until-done", action="store_true", help="end when there is no more work")
    return parser.parse_args()


if __name__ == "__main__":
    main()
