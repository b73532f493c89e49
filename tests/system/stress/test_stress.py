"""Sixty-four workers, several studies, and everything that can fail failing: promises 1, 2 and 3.

A short run by default. ``LEHR_STRESS_SECONDS`` of faults each, ``LEHR_STRESS_SEEDS`` runs, from
seed ``LEHR_STRESS_SEED`` on: the seed that a failing run prints gives its faults again.
"""

import os
import threading
import time

import pytest
from sqlalchemy.exc import DBAPIError

from lehr import Client
from lehr.errors import LehrError

from . import invariants
from .faults import faults
from .researcher import Researcher
from .scene import Postgres, Scene, Sqlite

pytestmark = pytest.mark.system

SECONDS = float(os.environ.get("LEHR_STRESS_SECONDS", "20"))
FIRST_SEED = int(os.environ.get("LEHR_STRESS_SEED", "7"))
SEEDS = range(FIRST_SEED, FIRST_SEED + int(os.environ.get("LEHR_STRESS_SEEDS", "1")))
PROCESSES = 4  # of 16 workers
_STUCK_SECONDS = 90  # without a change, once the faults are over


class Watcher(threading.Thread):
    """Looks at the database while everything happens: limits must hold at every moment."""

    def __init__(self, url):
        super().__init__(name="watcher")
        self.url, self.looks, self.broken = url, 0, []
        self.leaving = threading.Event()

    def run(self):
        while not self.leaving.wait(2):
            try:
                self.broken += invariants.broken(invariants.load(self.url))
                self.looks += 1
            except DBAPIError:
                continue  # it is just being restarted


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("database", [Sqlite, Postgres], ids=["sqlite", "postgres"])
def test_nothing_is_lost_doubled_or_stuck(database, seed, tmp_path, wait_for):
    begin = time.monotonic()
    scene = Scene(tmp_path, database(tmp_path), seed, PROCESSES)
    try:
        url = scene.database.url.replace("postgresql://", "postgresql+psycopg://")
        researcher, watcher = Researcher(scene.urls, seed), Watcher(url)
        with Client(scene.urls, timeout=3, retry_seconds=0) as client:
            wait_for(lambda: is_ready(client), 180)
            scene.start_workers()
            researcher.start()
            watcher.start()
            try:
                scene.perform(faults(seed, scene.database.kind), SECONDS)
            finally:
                researcher.leave()
                watcher.leaving.set()
                watcher.join(30)
            calm = time.monotonic()
            stuck = all_end(client, scene)
            times = (calm - begin, time.monotonic() - calm)
        scene.end_workers()
        told = [*scene.told(), *researcher.told]
        stored = invariants.load(url)
        wrong = [
            *dict.fromkeys(watcher.broken),
            *invariants.broken(stored),
            *invariants.unfinished(stored),
            *invariants.unkept(stored, told),
        ]
        describe(scene, stored, told, watcher, times)
        wrong += [f"study {name} did not end" for name in stuck]
        if wrong:
            print(*scene.story, sep="\n")  # noqa: T201
        assert not wrong, "\n".join([f"LEHR_STRESS_SEED={seed}:", *wrong[:50]])
        assert any(entry["what"] == "report" for entry in told)
    finally:
        scene.close()
        print(scene.logs())  # noqa: T201 - pytest shows it where a test fails


def is_ready(client):
    try:
        client.ready()
    except LehrError:
        return False
    return True


def all_end(client, scene):
    """Wait for the studies for as long as they come on; the names of those that do not."""
    seen, deadline = None, time.monotonic() + _STUCK_SECONDS
    studies = []
    while time.monotonic() < deadline:
        scene.supervise()
        try:
            studies = [
                study
                for state in ("paused", "active", "stopping")
                for study in client.studies(state)
            ]
            for study in client.studies("paused"):
                client.resume(study.name)
        except LehrError:
            continue
        if not studies:
            return []
        if all(study.name.startswith("timed") for study in studies):
            scene.pass_time(3600)
        revisions = [(study.name, study.revision) for study in studies]
        if revisions != seen:
            seen, deadline = revisions, time.monotonic() + _STUCK_SECONDS
        scene.wait(0.2)
    return [study.name for study in studies]


def describe(scene, stored, told, watcher, times):
    """Print what the run was."""
    trials = sum(map(len, stored.trials.values()))
    reports = sum(map(len, stored.reports.values()))
    noted = {what: sum(e["what"] == what for e in told) for what in {e["what"] for e in told}}
    lost = sum(attempt["outcome"] == "lost" for attempt in stored.tokens.values())
    print(  # noqa: T201
        f"\nseed {scene.seed} on {scene.database.kind}, {times[0]:.0f} s of faults, "
        f"{times[1]:.0f} s until all studies ended: "
        f"{sum(scene.injected.values())} faults {dict(sorted(scene.injected.items()))}, "
        f"{scene.restarts} servers started again, "
        f"{sum(proxy.cut for proxy in scene.proxies)} answers cut, "
        f"{sum(proxy.dropped for proxy in scene.proxies)} connections dropped; "
        f"{scene.requests} requests, {scene.hours:.1f} simulated hours; "
        f"{len(stored.studies)} studies, {trials} trials, {len(stored.tokens)} attempts "
        f"({lost} lost), {reports} reports; told: {dict(sorted(noted.items()))}; "
        f"{watcher.looks} looks at the database meanwhile"
    )
