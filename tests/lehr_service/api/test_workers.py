"""Workers and leases, call by call."""

import threading
import time
import uuid

import pytest

from .calls import STUDY, TRIAL_FIELDS

# Workers


def test_modules_that_a_worker_cannot_use_are_told(http, create):
    why = "importing <mine> failed: ImportError: no such thing"
    body = {"name": "gpu", "tasks": {"other": {}}, "problems": {"mine": why}}
    assert http.post("/v1/workers", json=body).status_code == 201
    (worker,) = http.get("/v1/workers").json()["items"]
    assert worker["problems"] == {"mine": why}
    assert (
        "mine cannot be used:</strong> importing &lt;mine&gt; failed" in http.get("/workers").text
    )
    create(http)
    reason = http.get(STUDY).json()["reason"]
    assert reason == f"no worker that is here offers the task 'task'; gpu: {why}"
    wrong = http.post("/v1/workers", json=body | {"problems": {"mine": "x" * 2001}})
    assert (wrong.status_code, wrong.json()["error"]["fields"][0]["path"]) == (422, "problems.mine")
    assert http.post("/v1/workers", json=body | {"tasks": {"task": {}}}).status_code == 201
    assert http.get(STUDY).json()["reason"] is None


def test_a_worker_registers_beats_and_drains(http, create, simulated):
    create(http)
    body = {"name": "gpu", "tasks": {"task": {}}, "devices": ["GPU:0"], "versions": {"lehr": "1"}}
    answer = http.post("/v1/workers", json=body)
    assert (answer.status_code, answer.json().keys()) == (
        201,
        {"id", "heartbeat_seconds", "deadline"},
    )
    url = f"/v1/workers/{answer.json()['id']}"
    lease = http.post(f"{url}/claim", json={"request_id": str(uuid.uuid4()), "wait": 0}).json()
    beat = http.post(f"{url}/heartbeat", json={"attempts": [lease["token"], "unknown"]})
    assert beat.status_code == 200
    assert beat.json().keys() == {"deadline", "stop", "drain"}
    assert (beat.json()["stop"], beat.json()["drain"]) == (["unknown"], False)
    (worker,) = http.get("/v1/workers").json()["items"]
    assert (worker["name"], worker["state"], worker["devices"]) == ("gpu", "alive", ["GPU:0"])
    assert worker["running"] == [{"study": "study", "trial": 0, "attempt": 1, "steps": 0}]
    assert http.post(f"{url}/drain").json()["state"] == "draining"
    assert http.post(f"{url}/heartbeat", json={"attempts": []}).json()["drain"] is True
    claim = http.post(f"{url}/claim", json={"request_id": str(uuid.uuid4()), "wait": 20})
    assert (claim.status_code, claim.content) == (204, b"")


def test_a_lease_has_the_fields_of_the_contract(quick, create, simulated):
    create(quick)
    lease = simulated(quick).claim()
    assert lease.keys() >= {
        *("token", "attempt", "study", "task", "trial", "training", "objective", "reports"),
        *("checkpoint", "deadline", "optimizer", "schedule", "warmup", "parameters"),
    }
    assert lease["trial"].keys() == TRIAL_FIELDS
    assert (lease["study"], lease["task"]) == ("study", "task")


def test_a_claim_that_waits_is_answered_when_there_is_work(http, create, simulated):
    worker = simulated(http)
    creating = threading.Timer(0.3, lambda: create(http))
    creating.start()
    start = time.monotonic()
    assert worker.claim(wait=20)["study"] == "study"
    assert time.monotonic() - start < 10
    creating.join()


def test_a_claim_of_a_task_the_worker_lacks_gets_nothing(quick, create, simulated):
    create(quick)
    assert simulated(quick, tasks={"another": {}}).claim() is None


@pytest.mark.parametrize("outcome", ["error", "out_of_memory", "diverged", "cancelled"])
def test_every_outcome_of_a_failure(quick, create, simulated, outcome):
    create(quick)
    worker = simulated(quick)
    trial = worker.send(worker.claim(), "fail", outcome=outcome, message="m", traceback="t").json()
    assert (trial["state"], trial["reason"]) == ("fail", outcome)
    (attempt,) = quick.get(f"{STUDY}/trials/0").json()["history"]
    assert (attempt["outcome"], attempt["message"], attempt["traceback"]) == (outcome, "m", "t")
