"""What users go through, with real processes and real training."""

import signal
import threading
import uuid

import pytest

pytestmark = [pytest.mark.system, pytest.mark.tensorflow]
# A worker knows nothing of the database, and what a server stores is tested with both elsewhere:
# one story a database, and both where the server itself is killed.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
LONG = 300  # epochs: some seconds, of which the first few are enough to be killed in


@on_postgres
def test_a_researchers_story(lab, digits, wait_for):
    here = lab()
    for name in ("first", "second"):
        here.start(name, "work", "--name", name, "--devices", "cpu")
    here.post("/v1/studies", **digits())
    wait_for(lambda: here.study()["counts"]["complete"] >= 2)

    here.post("/v1/studies/digits/pause")
    wait_for(lambda: here.study()["counts"]["running"] == 0)
    paused = here.study()
    point = {"optimizer": "adam", "adam.learning_rate": 0.01, "schedule": "cosine"}
    queued = here.post("/v1/studies/digits/trials", params=point)
    assert (queued["state"], queued["number"]) == ("waiting", sum(paused["counts"].values()))
    here.post("/v1/studies/digits/resume")

    ended = wait_for(lambda: here.study() if here.study()["state"] != "active" else None)
    assert (ended["state"], ended["counts"]["fail"]) == ("completed", 0)
    trials = here.trials()
    assert [trial["number"] for trial in trials] == list(range(10))
    assert trials[queued["number"]]["params"] == point
    assert {trial["worker"] for trial in trials} == {"first", "second"}
    complete = [trial for trial in trials if trial["state"] == "complete"]
    best = here.get("/v1/studies/digits/best")
    assert best["value"] == max(trial["value"] for trial in complete) > 0.9
    for trial in complete:
        reports = here.get(f"/v1/studies/digits/trials/{trial['number']}/reports")
        assert [report["step"] for report in reports] == list(range(6))
        assert trial["value"] == reports[-1]["metrics"]["val_accuracy"]
        for report in reports:  # schedules are searched: judged by averaged weights
            assert report["value"] == report["metrics"]["ema_val_accuracy"]


@on_sqlite
def test_another_worker_finishes_the_trial_of_a_killed_one(lab, digits, wait_for):
    here = lab(LEHR_LEASE_SECONDS="3", LEHR_HEARTBEAT_SECONDS="1")
    doomed = here.start("doomed", "work", "--name", "doomed", "--devices", "cpu")
    study = digits(training={"epochs": LONG, "seed": 7}, limits={"max_trials": 1}, pruner="none")
    here.post("/v1/studies", **study)
    wait_for(lambda: here.study()["epochs"] >= 20)
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    seen = here.get("/v1/studies/digits/trials/0/reports")
    here.start("heir", "work", "--name", "heir", "--devices", "cpu")
    wait_for(lambda: here.study()["state"] == "completed")

    (trial,) = here.trials()
    assert (trial["number"], trial["state"], trial["worker"]) == (0, "complete", "heir")
    history = here.get("/v1/studies/digits/trials/0")["history"]
    assert [(a["worker"], a["outcome"]) for a in history] == [
        ("doomed", "lost"),
        ("heir", "complete"),
    ]
    curve = here.get("/v1/studies/digits/trials/0/reports")
    assert [report["step"] for report in curve] == list(range(LONG))
    before = here.get("/v1/studies/digits/trials/0/reports?attempt=1")
    assert before[: len(seen)] == seen, "no acknowledged report is lost"
    assert [r["value"] for r in curve[: len(seen)]] == [r["value"] for r in seen]


def reports(here, number):
    return here.get(f"/v1/studies/digits/trials/{number}/reports")


def test_a_killed_server_loses_nothing_and_searches_on(lab, digits, wait_for):
    here = lab()
    here.start("worker", "work", "--devices", "cpu")
    study = digits(training={"epochs": 30, "seed": 7}, limits={"max_trials": 14})
    here.post("/v1/studies", **study)
    here.post("/v1/studies", **study | {"name": "unbroken", "weight": 0.001})
    wait_for(lambda: here.study()["counts"]["complete"] >= 5)
    acknowledged = {t["number"]: reports(here, t["number"]) for t in here.trials()}
    here.server.send_signal(signal.SIGKILL)
    here.server.wait()
    here.server = here.start("server", "serve")
    wait_for(here.is_ready)
    for number, seen in acknowledged.items():
        assert reports(here, number)[: len(seen)] == seen
    wait_for(lambda: here.study("unbroken")["state"] == "completed")

    broken, unbroken = here.trials(), here.trials("unbroken")
    assert here.study()["counts"] == here.study("unbroken")["counts"]
    assert [t["params"] for t in broken] == [t["params"] for t in unbroken]
    assert [(t["state"], t["value"]) for t in broken] == [
        (t["state"], t["value"]) for t in unbroken
    ]
    assert [t["attempts"] for t in broken] == [1] * 14, "no trial was run twice"


@on_sqlite
def test_a_server_that_is_told_to_stop_lets_waiting_requests_go(lab, digits):
    here = lab()
    worker = here.post("/v1/workers", name="w", tasks={"digits_mlp": {}})["id"]
    answers = []

    def claim():
        body = {"request_id": str(uuid.uuid4()), "wait": 60}
        answers.append(here.http.post(f"/v1/workers/{worker}/claim", json=body).status_code)

    waiting = threading.Thread(target=claim)
    waiting.start()
    here.post("/v1/studies", **digits(task="another"))  # the server is at work on both
    here.server.terminate()
    assert here.server.wait(4) in (0, -signal.SIGTERM)
    waiting.join(4)
    assert answers == [204]
