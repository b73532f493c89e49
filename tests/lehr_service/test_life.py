"""The life of a trial over HTTP, on both databases: claim, report, verdict, end, recovery."""

import uuid

import pytest


@pytest.fixture
def server(serve, database_url):
    return serve(database_url=database_url, lease_seconds=30, heartbeat_seconds=10)


def test_a_study_runs_to_max_trials_exactly(server, create, simulated):
    create(server.http, limits={"max_trials": 3})
    worker = simulated(server.http)
    numbers = [worker.run_one(value=0.1 * i)["number"] for i in range(3)]
    assert numbers == [0, 1, 2]
    assert worker.claim() is None
    study = server.http.get("/v1/studies/study").json()
    assert study["state"] == "completed"
    assert "max_trials" in study["reason"]
    assert study["counts"] == {"waiting": 0, "running": 0, "complete": 3, "pruned": 0, "fail": 0}
    assert study["best"]["number"] == 2


def test_the_lease_carries_what_training_needs(server, create, simulated):
    create(server.http, training={"epochs": 4, "seed": 7})
    lease = simulated(server.http).claim()
    assert lease["trial"]["state"] == "running"
    assert lease["training"] == {"epochs": 4, "seed": 7, "ema": 0.99}
    assert lease["optimizer"]["name"] == lease["trial"]["params"]["optimizer"]
    name = lease["optimizer"]["name"]
    assert lease["optimizer"]["learning_rate"] == lease["trial"]["params"][f"{name}.learning_rate"]
    assert lease["schedule"]["name"] in ("constant", "cosine")
    assert lease["objective"]["metric"] == "val_accuracy"
    assert (lease["attempt"], lease["reports"], lease["checkpoint"]) == (1, [], None)


def test_the_same_request_gets_the_same_lease(server, create, simulated):
    create(server.http)
    worker, request = simulated(server.http), str(uuid.uuid4())
    first, again = worker.claim(request), worker.claim(request)
    assert first["token"] == again["token"]
    assert server.http.get("/v1/studies/study").json()["counts"]["running"] == 1


def test_a_report_sent_again_gets_its_stored_verdict(server, create, simulated):
    create(server.http, pruner={"name": "threshold", "lower": 0.5})
    worker = simulated(server.http)
    lease = worker.claim()
    first = worker.report(lease, 0, 0.2)
    again = worker.report(lease, 0, 0.2)
    assert first["verdict"] == again["verdict"] == "prune"
    assert first["reason"] == again["reason"] != ""
    assert worker.send(lease, "reports", reports=[{"step": 1, "value": 1}]).status_code == 409
    trial = server.http.get("/v1/studies/study/trials/0").json()
    assert (trial["state"], trial["steps"]) == ("pruned", 1)
    assert [a["outcome"] for a in trial["history"]] == ["pruned"]


def test_complete_and_fail_sent_again_answer_the_same(server, create, simulated):
    create(server.http)
    worker = simulated(server.http)
    lease = worker.claim()
    assert worker.complete(lease, value=0.5) == worker.complete(lease, value=0.5)
    assert worker.send(lease, "fail", outcome="error").status_code == 409
    lease = worker.claim()
    first = worker.send(lease, "fail", outcome="error", message="boom", traceback="line 1")
    assert first.json() == worker.send(lease, "fail", outcome="error").json()
    assert (first.json()["state"], first.json()["reason"]) == ("fail", "error")
    assert server.http.get("/v1/studies/study").json()["counts"]["fail"] == 1


@pytest.mark.parametrize(
    ("select", "value"), [("last", 0.4), ("best", 0.9), ("mean_of_last_2", 0.5)]
)
def test_the_value_is_selected_from_the_reports(server, create, simulated, select, value):
    objective = {"metric": "val_accuracy", "direction": "maximize", "select": select}
    create(server.http, objective=objective)
    worker = simulated(server.http)
    lease = worker.claim()
    for step, reported in enumerate([0.1, 0.9, 0.6, 0.4]):
        assert worker.report(lease, step, reported)["verdict"] == "continue"
    assert worker.complete(lease)["value"] == pytest.approx(value)


def test_a_value_that_is_not_a_number_ends_the_attempt_as_diverged(server, create, simulated):
    create(server.http)
    worker = simulated(server.http)
    lease = worker.claim()
    body = b'{"reports": [{"step": 0, "value": NaN, "metrics": {"loss": Infinity}}]}'
    headers = {"content-type": "application/json"}
    url = f"/v1/attempts/{lease['token']}/reports"
    answer = server.http.post(url, content=body, headers=headers)
    assert answer.json()["verdict"] == "stop"
    trial = server.http.get("/v1/studies/study/trials/0").json()
    assert (trial["state"], trial["reason"]) == ("fail", "diverged")
    stored = server.http.get("/v1/studies/study/trials/0/reports").json()
    assert (stored[0]["value"], stored[0]["metrics"]) == (None, {"loss": None})


def test_several_reports_in_one_request(server, create, simulated):
    create(server.http)
    worker = simulated(server.http)
    lease = worker.claim()
    reports = [{"step": s, "value": 0.1 * s, "learning_rate": 0.1} for s in range(3)]
    assert worker.send(lease, "reports", reports=reports).json()["verdict"] == "continue"
    stored = server.http.get("/v1/studies/study/trials/0/reports").json()
    assert [(r["step"], r["learning_rate"]) for r in stored] == [(0, 0.1), (1, 0.1), (2, 0.1)]
    late = worker.send(lease, "reports", reports=[{"step": 4, "value": 1}])
    assert late.status_code == 422
    assert late.json()["error"]["fields"][0]["path"] == "reports.0.step"


def test_a_lost_workers_trial_runs_again_with_the_same_number(server, create, simulated):
    create(server.http, limits={"max_trials": 1})
    dead, heir = simulated(server.http, "dead"), simulated(server.http, "heir")
    lease = dead.claim()
    dead.report(lease, 0, 0.5)
    assert heir.claim() is None
    server.clock.advance(31)
    heir.register()
    taken = heir.claim(wait=10)
    assert (taken["trial"]["number"], taken["attempt"]) == (0, 2)
    assert taken["trial"]["params"] == lease["trial"]["params"]
    assert [report["step"] for report in taken["reports"]] == [0]
    zombie = dead.send(lease, "reports", reports=[{"step": 1, "value": 0.9}])
    assert (zombie.status_code, zombie.json()["error"]["code"]) == (409, "lease_lost")
    assert dead.send(lease, "complete", value=1.0).status_code == 409
    assert dead.heartbeat(lease).status_code == 404
    assert heir.complete(taken, value=0.7)["value"] == 0.7
    history = server.http.get("/v1/studies/study/trials/0").json()["history"]
    assert [a["outcome"] for a in history] == ["lost", "complete"]


def test_a_worker_that_dies_before_its_first_heartbeat_is_noticed(
    server, create, simulated, wait_for
):
    create(server.http)
    simulated(server.http).claim()
    server.clock.advance(31)
    wait_for(lambda: server.http.get("/v1/studies/study").json()["counts"]["waiting"] == 1)


def test_heartbeats_and_reports_keep_a_lease(server, create, simulated):
    create(server.http)
    worker = simulated(server.http)
    lease = worker.claim()
    for step in range(3):
        server.clock.advance(20)
        assert worker.heartbeat(lease).json()["stop"] == []
        server.clock.advance(20)
        worker.report(lease, step, 0.5)
    assert server.http.get("/v1/studies/study/trials/0").json()["attempts"] == 1


def test_a_trial_whose_workers_are_lost_too_often_fails(server, create, simulated, wait_for):
    create(server.http, retry={"max_attempts": 2}, limits={"max_trials": 1})
    for _ in range(2):
        assert simulated(server.http).claim(wait=5) is not None
        server.clock.advance(61)
        wait_for(lambda: server.http.get("/v1/studies/study").json()["counts"]["running"] == 0)
    trial = server.http.get("/v1/studies/study/trials/0").json()
    assert (trial["state"], trial["reason"], trial["attempts"]) == ("fail", "lost", 2)
    assert server.http.get("/v1/studies/study").json()["state"] == "completed"


def test_a_preempted_trial_waits_again_with_its_checkpoint(server, create, simulated):
    create(server.http)
    worker = simulated(server.http)
    lease = worker.claim()
    url = f"/v1/attempts/{lease['token']}/checkpoint"
    assert server.http.get(url).status_code == 404
    assert server.http.put(url, content=b"state").status_code == 204
    damaged = server.http.put(url, content=b"x", headers={"X-Checkpoint-SHA256": "0" * 64})
    assert damaged.status_code == 422
    assert worker.send(lease, "fail", outcome="preempted").json()["state"] == "waiting"
    assert server.http.put(url, content=b"zombie").status_code == 409
    again = worker.claim()
    assert (again["trial"]["number"], again["attempt"]) == (0, 2)
    assert server.http.get(again["checkpoint"]).content == b"state"
    worker.complete(again, value=1.0)
    assert server.http.get(again["checkpoint"]).status_code == 409


def test_a_stopped_trials_attempt_hears_stop(server, create, simulated):
    create(server.http)
    worker = simulated(server.http)
    lease = worker.claim()
    stopped = server.http.post("/v1/studies/study/trials/0/stop").json()
    assert (stopped["state"], stopped["reason"]) == ("fail", "cancelled")
    assert worker.heartbeat(lease).json()["stop"] == [lease["token"]]
    assert worker.report(lease, 0, 0.5)["verdict"] == "stop"
    assert server.http.get("/v1/studies/study/trials/0/reports").json() == []
    assert server.http.post("/v1/studies/study/trials/0/stop").status_code == 409


def test_enqueued_trials_come_first(server, create, simulated):
    create(server.http, limits={"max_trials": 3})
    params = {"optimizer": "sgd", "sgd.learning_rate": 0.25, "schedule": "constant"}
    queued = server.http.post("/v1/studies/study/trials", json={"params": params})
    assert queued.status_code == 201
    assert (queued.json()["state"], queued.json()["params"]) == ("waiting", params)
    some = {"params": {"optimizer": "adam"}}
    assert server.http.post("/v1/studies/study/trials", json=some).json()["number"] == 1
    worker = simulated(server.http)
    first, second, third = worker.claim(), worker.claim(), worker.claim()
    assert first["trial"]["params"] == params
    assert second["trial"]["params"]["optimizer"] == "adam"
    assert [lease["trial"]["number"] for lease in (first, second, third)] == [0, 1, 2]
    over = server.http.post("/v1/studies/study/trials", json={"params": {}})
    assert (over.status_code, over.json()["error"]["code"]) == (409, "limit_reached")


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"optimizer": "rmsprop"}, "params.optimizer"),
        ({"sgd.learning_rate": 5.0, "optimizer": "sgd"}, "params.sgd.learning_rate"),
        ({"momentum": 0.5}, "params.momentum"),
        ({"optimizer": "adam", "sgd.learning_rate": 0.1}, "params.sgd.learning_rate"),
    ],
)
def test_enqueued_parameters_are_checked(server, create, params, path):
    create(server.http)
    answer = server.http.post("/v1/studies/study/trials", json={"params": params})
    assert answer.status_code == 422
    assert [f["path"] for f in answer.json()["error"]["fields"]] == [path]
    assert server.http.get("/v1/studies/study").json()["counts"]["waiting"] == 0
