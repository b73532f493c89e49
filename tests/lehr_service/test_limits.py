"""Where studies end: every limit, exactly, and what people may do to a study."""

import threading

import pytest


@pytest.fixture
def server(serve):
    return serve(lease_seconds=30, heartbeat_seconds=10)


def study(server):
    return server.http.get("/v1/studies/study").json()


def act(server, action):
    answer = server.http.post(f"/v1/studies/study/{action}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_max_parallel(server, create, simulated):
    create(server.http, limits={"max_parallel": 2})
    worker = simulated(server.http)
    first, second = worker.claim(), worker.claim()
    assert second is not None
    assert worker.claim() is None
    worker.complete(first, value=0.5)
    assert worker.claim() is not None


def test_max_epochs_reserves_full_trainings(server, create, simulated):
    create(server.http, limits={"max_epochs": 10}, training={"epochs": 4})
    worker = simulated(server.http)
    first, second = worker.claim(), worker.claim()
    assert second is not None
    assert worker.claim() is None, "a third training of 4 epochs does not fit into 10"
    worker.report(first, 0, 0.5)
    worker.complete(first, value=0.5)
    third = worker.claim()
    assert third is not None, "1 epoch used, 4 reserved: 4 more fit"
    for lease in (second, third):
        for step in range(4):
            worker.report(lease, step, 0.5)
        worker.complete(lease)
    ended = study(server)
    assert (ended["state"], ended["epochs"]) == ("completed", 9)
    assert "max_epochs" in ended["reason"] or "10 epochs" in ended["reason"]


def test_max_failed_ends_the_study_and_cancels_what_runs(server, create, simulated):
    create(server.http, limits={"max_failed": 2})
    worker = simulated(server.http)
    leases = [worker.claim() for _ in range(3)]
    for lease in leases[:2]:
        worker.send(lease, "fail", outcome="error")
    ended = study(server)
    assert (ended["state"], ended["counts"]["fail"]) == ("failed", 3)
    assert worker.report(leases[2], 0, 0.5)["verdict"] == "stop"
    states = [t["reason"] for t in server.http.get("/v1/studies/study/trials").json()["items"]]
    assert states == ["error", "error", "cancelled"]


def test_the_target_stops_the_study(server, create, simulated):
    create(server.http, limits={"target": 0.9})
    worker = simulated(server.http)
    first, second = worker.claim(), worker.claim()
    worker.complete(first, value=0.95)
    assert study(server)["state"] == "stopping"
    assert worker.claim() is None
    worker.complete(second, value=0.1)
    ended = study(server)
    assert (ended["state"], ended["best"]["value"]) == ("completed", 0.95)
    assert "0.9" in ended["reason"]


def test_the_timeout_ends_a_study_without_any_worker(server, create, wait_for):
    create(server.http, limits={"timeout": "1h"})
    server.clock.advance(3599)
    assert study(server)["state"] == "active"
    server.clock.advance(2)
    wait_for(lambda: study(server)["state"] == "completed", 10)


def test_a_grid_ends_when_every_point_was_tried(server, create, simulated):
    space = {"optimizer": {"sgd": {"learning_rate": [0.1, 0.01]}}, "parameters": {"units": [1, 2]}}
    create(server.http, search_space=space, sampler={"name": "grid"})
    worker = simulated(server.http)
    points = [worker.run_one()["params"] for _ in range(4)]
    assert len({tuple(sorted(point.items())) for point in points}) == 4
    assert worker.claim() is None
    assert study(server)["state"] == "completed"


def test_pause_resume(server, create, simulated):
    create(server.http)
    worker = simulated(server.http)
    lease = worker.claim()
    assert act(server, "pause")["state"] == "paused"
    assert worker.claim() is None
    assert worker.report(lease, 0, 0.5)["verdict"] == "continue"
    worker.complete(lease, value=0.5)
    assert act(server, "resume")["state"] == "active"
    assert worker.claim() is not None


def test_resume_wakes_a_waiting_claim(server, create, simulated):
    create(server.http)
    act(server, "pause")
    worker, claimed = simulated(server.http), []
    waiting = threading.Thread(target=lambda: claimed.append(worker.claim(wait=30)))
    waiting.start()
    act(server, "resume")
    waiting.join(10)
    assert claimed[0] is not None


def test_stop_lets_running_trials_finish(server, create, simulated):
    create(server.http)
    worker = simulated(server.http)
    lease = worker.claim()
    server.http.post("/v1/studies/study/trials", json={"params": {}})
    assert act(server, "stop")["state"] == "stopping"
    assert study(server)["counts"] == {
        "waiting": 0, "running": 1, "complete": 0, "pruned": 0, "fail": 1,
    }  # fmt: skip
    assert worker.report(lease, 0, 0.5)["verdict"] == "continue"
    worker.complete(lease, value=0.5)
    assert study(server)["state"] == "completed"


def test_cancel_ends_everything_at_once(server, create, simulated):
    create(server.http)
    worker = simulated(server.http)
    lease = worker.claim()
    assert act(server, "cancel")["state"] == "cancelled"
    assert study(server)["counts"]["running"] == 0
    assert worker.heartbeat(lease).json()["stop"] == [lease["token"]]
    assert worker.report(lease, 0, 0.5)["verdict"] == "stop"
    refused = server.http.post("/v1/studies/study/resume")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "invalid_transition")
    assert "cancelled" in refused.json()["error"]["message"]


def test_a_lower_max_trials_than_there_are_trials_is_refused(server, create, simulated):
    create(server.http, limits={"max_trials": 5})
    simulated(server.http).run_one()
    simulated(server.http).run_one()
    refused = server.http.patch("/v1/studies/study", json={"limits": {"max_trials": 1}})
    assert refused.json()["error"]["fields"][0]["path"] == "limits.max_trials"
    changed = server.http.patch("/v1/studies/study", json={"limits": {"max_trials": 2}})
    assert (changed.status_code, changed.json()["state"]) == (200, "completed")


def test_several_objectives(server, create, simulated):
    goals = [
        {"metric": "val_accuracy", "direction": "maximize"},
        {"metric": "latency", "direction": "minimize"},
    ]
    create(server.http, objective=None, objectives=goals, sampler={"name": "nsga2", "seed": 1})
    worker = simulated(server.http)
    for values in ([0.9, 10.0], [0.8, 5.0], [0.7, 7.0]):
        assert worker.complete(worker.claim(), values=values)["values"] == values
    lease = worker.claim()
    refused = worker.send(lease, "complete", value=0.5)
    assert refused.json()["error"]["fields"][0]["path"] == "values"
    best = server.http.get("/v1/studies/study/best").json()["items"]
    assert [trial["number"] for trial in best] == [0, 1]
