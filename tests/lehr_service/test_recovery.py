"""When a lost worker's trial runs again: at its deadline, at the next sweep, and not before."""

import threading

import pytest

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
