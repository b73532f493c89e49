"""Suggestions made ahead: limits and enqueued trials stay exact, verdicts never wait for them."""

import os
import signal
import threading
from pathlib import Path

import pytest

from lehr_service import suggestions
from lehr_service.suggestions import process as sampler_process

NONE = {"name": "none"}
TPE = {"name": "tpe", "n_startup_trials": 4}


@pytest.fixture
def eager(monkeypatch):
    """Lanes leave even the first suggestions to the sampler process."""
    monkeypatch.setattr(suggestions, "_SMALL", -1)


@pytest.fixture
def gate(monkeypatch, tmp_path, eager):
    """A file without which no suggestion is made."""
    gate = tmp_path / "gate"
    here, before = str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{here}{os.pathsep}{before}")
    monkeypatch.setenv("BLOCKING_SAMPLER_GATE", str(gate))
    monkeypatch.setattr(sampler_process, "MODULE", "blocking_sampler")
    return gate


def in_thread(act):
    found = []
    thread = threading.Thread(target=lambda: found.append(act()))
    thread.start()
    return thread, found


def test_verdicts_and_completions_do_not_wait_for_a_sampler(
    serve, create, simulated, gate, wait_for, database_url
):
    server = serve(database_url=database_url)
    create(server.http, pruner=NONE, sampler=TPE)
    server.http.post("/v1/studies/study/trials", json={"params": full(0.1)})
    worker = simulated(server.http)
    lease = worker.claim()  # an enqueued trial that has all parameters needs no sampler
    thread, found = in_thread(simulated(server.http).claim)
    wait_for(gate.with_suffix(".asked").exists)
    for step in range(4):
        assert worker.report(lease, step, 0.5)["verdict"] == "continue"
    assert worker.complete(lease)["state"] == "complete"
    assert server.http.get("/v1/studies/study").json()["counts"]["complete"] == 1
    assert not found
    gate.touch()
    thread.join(30)
    assert found[0]["trial"]["number"] == 1


def full(rate):
    return {"optimizer": "sgd", "sgd.learning_rate": rate, "schedule": "constant"}


def test_limits_hold_and_all_points_differ(serve, create, simulated, eager, database_url):
    server = serve(database_url=database_url)
    create(server.http, pruner=NONE, sampler=TPE, limits={"max_trials": 40})
    points, lock = [], threading.Lock()

    def work():
        worker = simulated(server.http)
        while (lease := worker.claim()) is not None:
            worker.report(lease, 0, 0.5)
            worker.complete(lease, value=sum(map(ord, str(lease["trial"]["params"]))) % 97)
            with lock:
                points.append((lease["trial"]["number"], str(lease["trial"]["params"])))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(number for number, _ in points) == list(range(40))
    assert len({params for _, params in points}) == 40
    assert server.http.get("/v1/studies/study").json()["state"] == "completed"


def test_enqueued_trials_come_first_with_what_was_given(serve, create, simulated, eager):
    server = serve()
    create(server.http, pruner=NONE, sampler=TPE)
    worker = simulated(server.http)
    for _ in range(6):
        worker.run_one()
    some = {"optimizer": "adam", "adam.learning_rate": 0.01}
    server.http.post("/v1/studies/study/trials", json={"params": full(0.5)})
    server.http.post("/v1/studies/study/trials", json={"params": some})
    given, half_given, after = (worker.claim()["trial"] for _ in range(3))
    assert (given["number"], given["params"]) == (6, full(0.5))
    assert half_given["number"] == 7
    assert some.items() <= half_given["params"].items()
    assert half_given["params"].keys() > some.keys()
    assert after["number"] == 8


def test_where_cores_are_few_verdicts_come_before_suggestions(serve, create, simulated, eager):
    server = serve()
    create(server.http, pruner=NONE, sampler=TPE)
    simulated(server.http).run_one()
    (process,) = server.app.state.server.suggestions.processes[:1]
    niceness = os.getpriority(os.PRIO_PROCESS, process.pid)
    assert niceness > os.getpriority(os.PRIO_PROCESS, 0) or niceness == 19


def test_a_killed_sampler_process_is_started_again(serve, create, simulated, eager, wait_for):
    server = serve()
    create(server.http, pruner=NONE, sampler=TPE)
    worker = simulated(server.http)
    assert worker.run_one()["number"] == 0
    (process,) = server.app.state.server.suggestions.processes[:1]
    for number in range(1, 3):
        wait_for(lambda: process.is_ready)
        os.kill(process.pid, signal.SIGKILL)
        assert worker.run_one()["number"] == number


def test_a_sampler_process_that_hangs_is_ended(
    serve, create, simulated, eager, wait_for, monkeypatch, caplog
):
    server = serve()
    create(server.http, pruner=NONE, sampler=TPE)
    worker = simulated(server.http)
    assert worker.run_one()["number"] == 0
    (process,) = server.app.state.server.suggestions.processes[:1]
    wait_for(lambda: process.is_ready)
    os.kill(process.pid, signal.SIGSTOP)
    monkeypatch.setattr(sampler_process, "_ANSWER_SECONDS", 0.2)
    thread, found = in_thread(worker.run_one)
    wait_for(lambda: process.failures)
    monkeypatch.setattr(sampler_process, "_ANSWER_SECONDS", 60.0)
    thread.join(30)
    assert found[0]["number"] == 1
    assert "a sampler process hung" in caplog.text


def test_a_sampler_process_that_never_starts_is_done_without(
    serve, create, simulated, eager, monkeypatch
):
    monkeypatch.setattr(sampler_process, "MODULE", "no_such_module")
    server = serve()
    create(server.http, pruner=NONE, sampler=TPE)
    assert [simulated(server.http).run_one()["number"] for _ in range(2)] == [0, 1]
