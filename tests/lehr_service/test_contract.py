"""The contract call by call: status codes, field names, states, pages, waiting, tokens."""

import threading
import time
import uuid

import pytest

from lehr_service.app import check_reach
from lehr_service.bootstrap import LocalTokens
from lehr_service.settings import Settings

STUDIES = "/v1/studies"
STUDY = "/v1/studies/study"
TRIAL_FIELDS = {
    *("study", "number", "state", "reason", "params", "value", "values", "attempts", "steps"),
    *("worker", "revision", "created_at", "started_at", "finished_at"),
}
COUNTS = {"waiting": 0, "running": 0, "complete": 0, "pruned": 0, "fail": 0}
SEVERAL = {
    "objective": None,
    "objectives": [
        {"metric": "accuracy", "direction": "maximize"},
        {"metric": "size", "direction": "minimize"},
    ],
}


@pytest.fixture
def server(serve, database_url):
    return serve(database_url=database_url)


@pytest.fixture
def http(server):
    return server.http


@pytest.fixture
def quick(serve):
    """A server on SQLite, where the database makes no difference."""
    return serve().http


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


# Studies


def test_a_study_is_created_once(http, definition):
    first = http.post(STUDIES, json=definition())
    assert first.status_code == 201
    study = first.json()
    assert study.keys() >= {"definition", "state", "reason", "revision", "counts", "best"}
    assert (study["name"], study["state"], study["counts"]) == ("study", "active", COUNTS)
    assert "no worker" in study["reason"]
    assert study["created_at"].endswith("Z")
    again = http.post(STUDIES, json=definition(weight=1, labels={}))
    assert (again.status_code, again.json()) == (200, study)
    other = http.post(STUDIES, json=definition(weight=2))
    assert code(other) == (409, "study_name_taken")
    assert [f["path"] for f in other.json()["error"]["fields"]] == ["name"]
    assert len(http.get(STUDIES).json()["items"]) == 1


def test_validation_alone_stores_nothing(http, definition):
    answer = http.post(STUDIES, json=definition(), params={"validate_only": True})
    assert (answer.status_code, answer.json()["name"]) == (200, "study")
    assert http.get(STUDIES).json() == {"items": [], "next": None}
    assert code(http.get(STUDY)) == (404, "study_unknown")


def test_parameters_are_held_against_what_workers_offer(quick, simulated, definition):
    schema = {"properties": {"batch_size": {"type": "integer"}}, "additionalProperties": False}
    simulated(quick, tasks={"task": schema})
    space = definition()["search_space"]
    for parameters, path in (({"batch_size": [32, 0.5]}, "batch_size"), ({"width": 3}, "width")):
        wrong = definition(search_space=space | {"parameters": parameters})
        for query in ({}, {"validate_only": True}):
            answer = quick.post(STUDIES, json=wrong, params=query)
            assert answer.status_code == 422
            fields = answer.json()["error"]["fields"]
            assert [f["path"] for f in fields] == [f"search_space.parameters.{path}"]
    right = definition(search_space=space | {"parameters": {"batch_size": [32, 64]}})
    study = quick.post(STUDIES, json=right)
    assert (study.status_code, study.json()["reason"]) == (201, None)


def test_studies_are_listed_by_page_and_state(http, create):
    names = [f"study-{index}" for index in range(5)]
    for name in names:
        create(http, name=name)
    http.post(f"{STUDIES}/study-1/pause")
    first = http.get(STUDIES, params={"limit": 2}).json()
    second = http.get(STUDIES, params={"limit": 2, "after": first["next"]}).json()
    create(http, name="newer")
    third = http.get(STUDIES, params={"limit": 2, "after": second["next"]}).json()
    listed = [s["name"] for page in (first, second, third) for s in page["items"]]
    assert listed == names[::-1]
    assert third["next"] is None
    paused = http.get(STUDIES, params={"state": "paused"}).json()
    assert [study["name"] for study in paused["items"]] == ["study-1"]
    assert len(http.get(STUDIES, params={"limit": 6}).json()["items"]) == 6
    assert http.get(STUDIES, params={"limit": 6}).json()["next"] is None


ACTIONS = {  # from a state: the state after each action, None where it is refused
    "active": {"pause": "paused", "resume": "active", "stop": "completed", "cancel": "cancelled"},
    "paused": {"pause": "paused", "resume": "active", "stop": "completed", "cancel": "cancelled"},
    "stopping": {"pause": None, "resume": None, "stop": "stopping", "cancel": "cancelled"},
    "completed": {"pause": None, "resume": None, "stop": None, "cancel": None},
    "cancelled": {"pause": None, "resume": None, "stop": None, "cancel": "cancelled"},
}


@pytest.mark.parametrize("state", ACTIONS)
def test_actions_lead_from_state_to_state(quick, create, simulated, state):
    lead_there = {"paused": "pause", "stopping": "stop", "completed": "stop", "cancelled": "cancel"}
    for action, expected in ACTIONS[state].items():
        name = f"from-{state}-{action}"
        create(quick, name=name, task=action)
        if state == "stopping":
            assert simulated(quick, tasks={action: {}}).claim() is not None
        if state in lead_there:
            quick.post(f"{STUDIES}/{name}/{lead_there[state]}")
        before = quick.get(f"{STUDIES}/{name}").json()
        assert before["state"] == state
        answer = quick.post(f"{STUDIES}/{name}/{action}")
        after = quick.get(f"{STUDIES}/{name}").json()
        if expected is None:
            assert code(answer) == (409, "invalid_transition")
            assert f"it is {state}" in answer.json()["error"]["message"]
            assert after == before
        else:
            assert (answer.status_code, answer.json()) == (200, after)
            assert after["state"] == expected


def test_a_paused_study_gives_no_trials_and_a_stopping_one_ends(http, create, simulated):
    create(http)
    worker = simulated(http)
    lease = worker.claim()
    http.post(f"{STUDY}/pause")
    assert worker.claim() is None
    http.post(f"{STUDY}/resume")
    second = worker.claim()
    assert http.post(f"{STUDY}/stop").json()["state"] == "stopping"
    assert worker.claim() is None
    worker.complete(lease, value=0.5)
    worker.complete(second, value=0.6)
    study = http.get(STUDY).json()
    assert (study["state"], study["counts"]["complete"]) == ("completed", 2)
    assert study["finished_at"] is not None


def test_cancelling_ends_running_and_waiting_trials(http, create, simulated):
    create(http)
    worker = simulated(http)
    lease = worker.claim()
    http.post(f"{STUDY}/trials", json={"params": {}})
    assert http.post(f"{STUDY}/cancel").json()["counts"] == COUNTS | {"fail": 2}
    assert worker.heartbeat(lease).json()["stop"] == [lease["token"]]
    trials = http.get(f"{STUDY}/trials").json()["items"]
    assert [(t["state"], t["reason"]) for t in trials] == [("fail", "cancelled")] * 2


def test_changes_merge_limits_and_leave_the_rest(http, create, definition):
    create(http, limits={"max_trials": 5, "max_parallel": 2}, labels={"a": "1"})
    changes = {"limits": {"max_trials": 9, "max_parallel": None, "timeout": "1h"}, "weight": 2}
    changed = http.patch(STUDY, json=changes)
    assert changed.status_code == 200
    shown = changed.json()["definition"]
    limits = {k: v for k, v in shown["limits"].items() if v is not None}
    assert limits == {"max_trials": 9, "timeout": 3600.0}
    assert (shown["weight"], shown["labels"]) == (2.0, {"a": "1"})
    assert http.patch(STUDY, json={"labels": {"b": "2"}}).json()["definition"]["labels"] == {
        "b": "2"
    }
    assert http.get(STUDY).json()["definition"] == shown | {"labels": {"b": "2"}}
    revision = http.get(STUDY).json()["revision"]
    assert http.patch(STUDY, json={}).json()["definition"]["weight"] == 2.0
    for wrong, path in (
        ({"sampler": "tpe"}, "sampler"),
        ({"limits": {"max_trials": 0}}, "limits.max_trials"),
        ({"weight": -1}, "weight"),
    ):
        answer = http.patch(STUDY, json=wrong)
        assert (answer.status_code, answer.json()["error"]["fields"][0]["path"]) == (422, path)
    assert http.get(STUDY).json()["revision"] <= revision + 1


def test_limits_do_not_fall_below_what_is_done_nor_change_history(http, create, simulated):
    create(http)
    worker = simulated(http)
    worker.run_one()
    worker.run_one()
    low = http.patch(STUDY, json={"limits": {"max_trials": 1}})
    assert (low.status_code, low.json()["error"]["fields"][0]["path"]) == (422, "limits.max_trials")
    assert http.patch(STUDY, json={"limits": {"max_trials": 2}}).json()["state"] == "completed"
    assert code(http.patch(STUDY, json={"limits": {"max_trials": 3}})) == (
        409,
        "invalid_transition",
    )
    assert http.patch(STUDY, json={"labels": {"a": "b"}}).status_code == 200


def test_only_finished_studies_are_deleted(http, create, simulated, definition):
    create(http)
    simulated(http).run_one()
    for action in (None, "pause"):
        if action:
            http.post(f"{STUDY}/{action}")
        assert code(http.delete(STUDY)) == (409, "study_active")
    http.post(f"{STUDY}/cancel")
    answer = http.delete(STUDY)
    assert (answer.status_code, answer.content) == (204, b"")
    assert code(http.delete(STUDY)) == (404, "study_unknown")
    assert code(http.get(f"{STUDY}/trials/0")) == (404, "study_unknown")
    create(http)
    assert http.get(f"{STUDY}/trials").json()["items"] == []


def test_a_study_is_awaited_until_it_changes(http, create):
    revision = create(http)["revision"]
    threading.Timer(0.3, lambda: http.post(f"{STUDY}/pause")).start()
    start = time.monotonic()
    query = {"wait": 20, "since_revision": revision}
    study = http.get(STUDY, params=query).json()
    assert study["state"] == "paused"
    assert study["revision"] > revision
    assert time.monotonic() - start < 10
    start = time.monotonic()
    assert http.get(STUDY, params=query).json() == study
    assert time.monotonic() - start < 5


def test_a_study_is_awaited_no_longer_than_asked(quick, create):
    revision = create(quick)["revision"]
    start = time.monotonic()
    study = quick.get(STUDY, params={"wait": 0.3, "since_revision": revision}).json()
    assert study["revision"] == revision
    assert 0.25 < time.monotonic() - start < 10


# Trials


def ended(http, create, simulated, values, **changes):
    """A study whose trials ended with these values, None: failed."""
    create(http, **changes)
    worker = simulated(http)
    for value in values:
        lease = worker.claim()
        if value is None:
            worker.send(lease, "fail", outcome="error")
        else:
            worker.complete(lease, value=value)
    return worker


def pages(http, **query):
    """All numbers of a list of trials, read two at a time."""
    numbers, after = [], {}
    while True:
        page = http.get(f"{STUDY}/trials", params=query | {"limit": 2} | after).json()
        assert page["items"] or not after
        numbers += [trial["number"] for trial in page["items"]]
        if page["next"] is None:
            return numbers
        after = {"after": page["next"]}


def test_trials_are_listed_in_every_order_by_page(http, create, simulated):
    ended(http, create, simulated, [0.5, None, 0.9, 0.5, -1.5, None, 0.9])
    assert pages(http) == pages(http, order_by="number") == [0, 1, 2, 3, 4, 5, 6]
    assert pages(http, order_by="-number") == [6, 5, 4, 3, 2, 1, 0]
    assert pages(http, order_by="value") == [4, 0, 3, 2, 6, 1, 5]
    assert pages(http, order_by="-value") == [2, 6, 0, 3, 4, 1, 5]
    assert pages(http, state="fail") == [1, 5]
    assert pages(http, state="complete", order_by="-value") == [2, 6, 0, 3, 4]
    assert pages(http, state="waiting") == []


def test_since_revision_shows_only_what_changed(http, create, simulated):
    worker = ended(http, create, simulated, [0.1, 0.2])
    revision = http.get(STUDY).json()["revision"]
    assert pages(http, since_revision=revision) == []
    lease = worker.claim()
    assert pages(http, since_revision=revision) == [2]
    worker.complete(lease, value=0.3)
    worker.claim()
    assert pages(http, since_revision=revision) == [2, 3]
    assert pages(http, since_revision=revision, state="complete") == [2]
    assert pages(http, since_revision=-1) == [0, 1, 2, 3]


def test_a_trial_shows_its_fields_reports_and_attempts(http, create, simulated):
    create(http)
    worker = simulated(http, "gpu-1")
    lease = worker.claim()
    report = {"step": 0, "value": 0.25, "learning_rate": 0.1, "metrics": {"loss": 1.5}}
    worker.send(lease, "reports", reports=[report])
    assert worker.send(lease, "fail", outcome="preempted").json()["state"] == "waiting"
    lease = worker.claim()
    worker.complete(lease, value=0.5, metrics={"loss": 1.0})
    listed = http.get(f"{STUDY}/trials").json()["items"][0]
    assert listed.keys() == TRIAL_FIELDS
    assert (listed["state"], listed["value"], listed["values"]) == ("complete", 0.5, None)
    assert (listed["attempts"], listed["steps"], listed["worker"]) == (2, 1, "gpu-1")
    assert listed["created_at"] <= listed["started_at"] <= listed["finished_at"]
    trial = http.get(f"{STUDY}/trials/0").json()
    assert {k: trial[k] for k in TRIAL_FIELDS} == listed
    assert trial["metrics"] == {"loss": 1.0}
    assert [a["attempt"] for a in trial["history"]] == [1, 2]
    assert [a["outcome"] for a in trial["history"]] == ["preempted", "complete"]
    (shown,) = http.get(f"{STUDY}/trials/0/reports").json()
    assert shown.keys() == {*report, "attempt", "reported_at"}
    assert {k: shown[k] for k in report} == report
    assert http.get(f"{STUDY}/trials/0/reports", params={"attempt": 2}).json() == []


def test_the_best_trial(http, create, simulated):
    create(http)
    assert code(http.get(f"{STUDY}/best")) == (404, "no_complete_trial")
    worker = simulated(http)
    for value in (0.2, 0.7, 0.7, 0.1):
        worker.run_one(value)
    best = http.get(f"{STUDY}/best").json()
    assert best.keys() == TRIAL_FIELDS
    assert (best["number"], best["value"]) == (1, 0.7)
    assert http.get(STUDY).json()["best"] == best


def test_the_best_of_several_objectives_is_the_pareto_front(http, create, simulated):
    create(http, **SEVERAL)
    worker = simulated(http)
    lease = worker.claim()
    assert worker.send(lease, "complete", value=1).status_code == 422
    assert worker.send(lease, "complete", values=[1]).status_code == 422
    trial = worker.complete(lease, values=[0.9, 10])
    assert (trial["value"], trial["values"]) == (None, [0.9, 10.0])
    for values in ([0.8, 20], [0.5, 1], [0.95, 30], [0.9, 11]):
        worker.complete(worker.claim(), values=values)
    front = http.get(f"{STUDY}/best").json()["items"]
    assert [t["number"] for t in front] == [0, 2, 3]
    assert http.get(STUDY).json()["best"] is None


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


# The server


def test_health_and_readiness(http):
    assert http.get("/healthz").json() == {"status": "ok"}
    assert http.get("/readyz").json() == {"status": "ready"}


CALLS = """
GET,POST /v1/studies
GET,PATCH,DELETE /v1/studies/{name}
POST /v1/studies/{name}/{action}
GET,POST /v1/studies/{name}/trials
GET /v1/studies/{name}/trials/{number}
GET /v1/studies/{name}/trials/{number}/reports
POST /v1/studies/{name}/trials/{number}/stop
GET /v1/studies/{name}/best
GET,POST /v1/workers
POST /v1/workers/{worker_id}/heartbeat
POST /v1/workers/{worker_id}/claim
POST /v1/workers/{worker_id}/drain
GET,POST /v1/tokens
DELETE /v1/tokens/{token_id}
POST /v1/attempts/{token}/reports
POST /v1/attempts/{token}/complete
POST /v1/attempts/{token}/fail
GET,PUT /v1/attempts/{token}/checkpoint
GET /healthz
GET /readyz
"""


def references(document):
    if isinstance(document, dict):
        if isinstance(document.get("$ref"), str):
            yield document["$ref"]
        for value in document.values():
            yield from references(value)
    elif isinstance(document, list):
        for value in document:
            yield from references(value)


def test_the_openapi_document_has_every_call_and_its_errors(quick):
    document = quick.get("/openapi.json").json()
    assert document["openapi"].startswith("3.")
    schemas = document["components"]["schemas"]
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas
    assert "HTTPValidationError" not in schemas
    for line in CALLS.split("\n")[1:-1]:
        methods, path = line.split()
        for method in methods.lower().split(","):
            responses = document["paths"][path][method]["responses"]
            assert any(status.startswith("2") for status in responses)
            if path.startswith("/v1"):
                refused = responses["422"]["content"]["application/json"]["schema"]
                assert refused == {"$ref": "#/components/schemas/ErrorAnswer"}
    assert schemas["ErrorBody"]["properties"].keys() == {"code", "message", "fields"}
    names = [o["operationId"] for path in document["paths"].values() for o in path.values()]
    assert len(names) == len(set(names))
    assert quick.get("/docs").status_code == 200


# Tokens


def test_without_the_token_nothing_is_read_or_written(serve, database_url, definition, simulated):
    http = serve(database_url=database_url, token="secret-token").http
    calls = [line.split() for line in CALLS.split("\n")[1:-1]]
    requests = [(m, path) for ms, path in calls if path.startswith("/v1") for m in ms.split(",")]
    wrong = [None, "", "secret-token", "Bearer", "Bearer secret-toke", "Bearer secret-token2"]
    wrong += ["Bearer  secret-token", "Basic secret-token", "Bearer \xe9"]
    for method, path in requests:
        for token in wrong if path == STUDIES else [None, "Bearer wrong-token"]:
            headers = {} if token is None else {"authorization": token.encode("latin-1")}
            body = definition() if path == STUDIES and method == "POST" else {}
            answer = http.request(method, path, json=body, headers=headers)
            assert code(answer) == (401, "unauthorized"), (method, path, token)
            assert answer.headers["www-authenticate"] == "Bearer"
    assert http.get("/healthz").status_code == http.get("/readyz").status_code == 200
    http.headers["authorization"] = "Bearer secret-token"
    assert http.get(STUDIES).json()["items"] == []
    assert http.post(STUDIES, json=definition()).status_code == 201
    assert simulated(http).run_one(0.5)["state"] == "complete"


def test_a_wrong_token_is_refused_before_the_body_is_looked_at(serve):
    http = serve(token="secret-token", body_bytes=100).http
    for body in (b"[" * 100, b"x" * 1000):
        assert http.post(STUDIES, content=body).status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", ""])
def test_beyond_loopback_a_token_is_needed(host, tmp_path):
    with pytest.raises(SystemExit, match="there are no tokens"):
        check_reach(Settings(host=host, home=tmp_path))
    for given in ({"token": "secret-token"}, {"insecure": True}):
        check_reach(Settings(host=host, home=tmp_path, **given))
    with LocalTokens(Settings(home=tmp_path)) as tokens:
        tokens.create_token("me", "admin")
    check_reach(Settings(host=host, home=tmp_path))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_no_token_is_needed(host, tmp_path):
    check_reach(Settings(host=host, home=tmp_path / "not made"))
    assert not (tmp_path / "not made").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"token": "short"},
        {"port": 70_000},
        {"lease_seconds": 10, "heartbeat_seconds": 10},
        {"body_bytes": 0},
        {"prot": 1},
    ],
)
def test_settings_that_are_wrong(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        Settings(**changes)
