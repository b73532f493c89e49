"""When a lost worker's trial runs again: at its deadline, at the next sweep, and not before."""

import threading
import time

import pytest
from sqlalchemy import text

from lehr_service import app


class Still:
    """Time that only tests move."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds


@pytest.fixture
def sweeps(monkeypatch):
    """Counts the sweeps that are done; they follow each other at a hundredth of their pace."""
    done = []
    sweep = app.sweep

    async def counted(server):
        await sweep(server)
        done.append(server.clock())

    assert app._LONGEST_SWEEP_SECONDS <= 1.0  # of the two that a lost trial may wait
    monkeypatch.setattr(app, "sweep", counted)
    monkeypatch.setattr(app, "_LONGEST_SWEEP_SECONDS", 0.01)
    return done


def test_a_lost_trial_runs_again_from_its_deadline_on(
    serve, create, simulated, sweeps, wait_for, database_url
):
    clock = Still()
    server = serve(clock=clock, database_url=database_url, lease_seconds=30)
    create(server.http, limits={"max_trials": 1})
    lost = simulated(server.http).claim()
    other = simulated(server.http)
    found = []
    thread = threading.Thread(target=lambda: found.append(other.claim(wait=60)))
    thread.start()
    clock.advance(30 - 1e-3)
    later = len(sweeps) + 3
    wait_for(lambda: len(sweeps) >= later)
    other.heartbeat()
    trial = server.http.get("/v1/studies/study/trials/0").json()
    assert (trial["state"], trial["attempts"]) == ("running", 1)
    clock.advance(1e-3)
    thread.join(30)
    assert (found[0]["trial"]["number"], found[0]["attempt"]) == (0, 2)
    trial = server.http.get("/v1/studies/study/trials/0").json()
    assert [a["outcome"] for a in trial["history"]] == ["lost", None]
    answer = server.http.post(f"/v1/attempts/{lost['token']}/complete", json={"value": 1.0})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "lease_lost")


@pytest.fixture
def slept(monkeypatch):
    """Seconds in which the machine was suspended."""
    times = []
    monkeypatch.setattr(app, "_awake", lambda: time.monotonic() + sum(times))
    return times


@pytest.fixture
def swept(sweeps, wait_for):
    """Waits until whatever a sweep would do now is done."""

    def wait():
        later = len(sweeps) + 3
        wait_for(lambda: len(sweeps) >= later)

    return wait


def test_a_machine_that_was_suspended_gives_its_workers_time(
    serve, create, simulated, swept, slept
):
    clock = Still()
    server = serve(clock=clock, lease_seconds=30)
    create(server.http)
    workers = [simulated(server.http), simulated(server.http)]
    leases = [worker.claim() for worker in workers]
    slept.append(3600)
    clock.advance(3600)
    swept()
    clock.advance(29)
    assert workers[0].heartbeat(leases[0]).json()["stop"] == []
    clock.advance(2)
    swept()
    assert workers[0].heartbeat(leases[0]).json()["stop"] == []
    assert workers[1].heartbeat(leases[1]).status_code == 404, "a lease's time, and no more"


def test_workers_that_a_database_without_room_could_not_hear_are_not_lost(
    serve, create, simulated, swept
):
    clock = Still()
    server = serve(clock=clock, lease_seconds=30)
    create(server.http)
    worker = simulated(server.http)
    lease = worker.claim()
    with server.app.state.server.database._writer.connect() as connection:
        driver = connection.connection.driver_connection
    driver.execute("PRAGMA query_only=ON")
    clock.advance(31)
    assert worker.heartbeat(lease).status_code == 503
    driver.execute("PRAGMA query_only=OFF")
    swept()
    assert worker.heartbeat(lease).json()["stop"] == []


def break_the_first_study(server):
    """So that no server can load it any more."""
    with server.app.state.server.database.write() as connection:
        for change in (
            "UPDATE trials SET params = '[1]', revision = 100 WHERE study_id = 1",
            "UPDATE studies SET revision = 100 WHERE id = 1",
        ):
            connection.execute(text(change))


def test_a_study_that_cannot_be_read_keeps_no_worker_from_the_others(
    serve, create, simulated, database_url
):
    server = serve(database_url=database_url, sampler_processes=0)
    worker = simulated(server.http)
    for name, weight in (("broken", 10), ("sound", 1)):
        create(server.http, name=name, weight=weight, limits={"max_trials": 2})
    assert [worker.run_one()["study"] for _ in range(2)] == ["broken", "sound"]
    break_the_first_study(server)  # which is the one to be asked first
    assert worker.run_one()["study"] == "sound"
    assert worker.claim() is None


def test_a_study_that_cannot_be_read_keeps_no_other_from_recovering(
    serve, create, simulated, wait_for, database_url
):
    server = serve(database_url=database_url, lease_seconds=30, sampler_processes=0)
    worker = simulated(server.http)
    for name in ("broken", "sound"):
        create(server.http, name=name, limits={"max_parallel": 1})
        assert worker.claim()["study"] == name
    break_the_first_study(server)
    server.clock.advance(31)
    sound = "/v1/studies/sound/trials/0"
    wait_for(lambda: server.http.get(sound).json()["history"][0]["outcome"] == "lost")
