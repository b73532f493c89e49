"""Values, ids, paths and fields that are wrong: the error names the field, nothing is stored."""

import json
import math
import uuid

import pytest

from .refusals import JSON, STUDIES, is_empty, refusal

# Cursors: base64 of [NaN], [null,Infinity], [null,NaN], [1.5,1.5], [1e999,1], [true,1],
# [null,null], [0,-1], [0,2147483648] and of things that are no lists.
CURSORS = ["", "a", "W10", "bnVsbA", "_w", "A" * 201, "W05hTl0", "W251bGwsSW5maW5pdHld"]
CURSORS += ["W251bGwsTmFOXQ", "WzEuNSwxLjVd", "WzFlOTk5LDFd", "W3RydWUsMV0", "W251bGwsbnVsbF0"]
CURSORS += ["WzAsLTFd", "WzAsMjE0NzQ4MzY0OF0"]


def test_query_values_that_are_wrong(http, create):
    create(http)
    study = f"{STUDIES}/study"
    wrong = [(STUDIES, "state", v) for v in ("", "ACTIVE", "running", "\x00")]
    wrong += [(STUDIES, "limit", v) for v in ("0", "-1", "1001", "x", "1.5", "9" * 5000)]
    wrong += [(url, "after", v) for url in (STUDIES, f"{study}/trials") for v in CURSORS]
    wrong += [(f"{study}/trials", "state", v) for v in ("", "active", "COMPLETE")]
    wrong += [(f"{study}/trials", "order_by", v) for v in ("", "name", "--value", "number,value")]
    wrong += [(f"{study}/trials", "since_revision", v) for v in ("-2", "x", "9" * 50)]
    wrong += [(study, "wait", v) for v in ("-1", "61", "nan", "inf", "x")]
    wrong += [(study, "since_revision", v) for v in ("x", "1.5", "9" * 5000)]
    for url, name, value in wrong:
        error = refusal(http.get(url, params={name: value}), 422)
        assert [field.path for field in error.fields] == [name], (url, name, value)
    wrong_pages = [("/", "q", "\x00"), ("/studies/study", "metric", "\x00")]
    for url, name, value in wrong_pages:
        assert http.get(url, params={name: value}).status_code == 422, (url, name)
    answer = http.post(STUDIES, json={}, params={"validate_only": "maybe"})
    assert "validate_only" in [field.path for field in refusal(answer, 422).fields]


STUDY_CALLS = ["GET {}", "PATCH {}", "POST {}/pause", "DELETE {}", "GET {}/best", "GET {}/trials"]
STUDY_CALLS += ["POST {}/trials", "GET {}/trials/0", "GET {}/trials/0/reports"]
STUDY_CALLS += ["POST {}/trials/0/stop"]
NOBODY = "0" * 32
TOKENS = ["x", "1", f"1-{NOBODY}", f"ffffffff-{NOBODY}", f"-1-{NOBODY}", f"%201-{NOBODY}", "%00"]
TOKENS += ["9" * 5000 + f"-{NOBODY}", f"1-{NOBODY}%0A"]


def test_ids_that_nothing_has(http, create, definition):
    create(http)
    names = ["other", "Study", "a b", "%00", "%FF", "..%2e", "ä", "a" * 10_000, "'--", "%25"]
    for call in STUDY_CALLS:
        method, path = call.split()
        for name in names:
            body = {} if method in ("POST", "PATCH") else None
            answer = http.request(method, path.format(f"{STUDIES}/{name}"), json=body)
            assert refusal(answer, 404).code == "study_unknown", (call, name)
    for call in ("GET {}", "GET {}/reports", "POST {}/stop"):
        method, path = call.split()
        answer = http.request(method, path.format(f"{STUDIES}/study/trials/0"))
        assert refusal(answer, 404).code == "trial_unknown"
    for number in ("-1", "x", "1.5", "2147483648", "9" * 5000):
        assert refusal(http.get(f"{STUDIES}/study/trials/{number}"), 422).fields[0].path == "number"
    assert refusal(http.post(f"{STUDIES}/study/explode"), 422).fields[0].path == "action"


def test_workers_and_attempts_that_nobody_is(http, create):
    create(http)
    claim = {"request_id": str(uuid.uuid4())}
    for worker in ("0" * 32, "x", "%00", "F" * 32, "0" * 10_000):
        for act, body in (("heartbeat", {}), ("claim", claim), ("drain", None)):
            answer = http.post(f"/v1/workers/{worker}/{act}", json=body)
            assert refusal(answer, 404).code == "worker_unknown"
    for token in TOKENS:
        url = f"/v1/attempts/{token}"
        for act, body in (
            ("reports", {"reports": [{"step": 0, "value": 1}]}),
            ("complete", {"value": 1}),
            ("fail", {"outcome": "error"}),
        ):
            answer = http.post(f"{url}/{act}", json=body)
            assert refusal(answer, 404).code == "attempt_unknown", token
        assert refusal(http.get(f"{url}/checkpoint"), 404).code == "attempt_unknown"
        assert refusal(http.put(f"{url}/checkpoint", content=b"x"), 404).code == "attempt_unknown"
    assert http.get(f"{STUDIES}/study").json()["counts"]["running"] == 0


def test_methods_and_paths_that_are_wrong(quick):
    for call in ("PUT /v1/studies", "DELETE /v1/studies", "PATCH /v1/workers", "POST /healthz"):
        method, path = call.split()
        answer = quick.request(method, path)
        assert refusal(answer, 405).code == "method_not_allowed"
        assert answer.headers["allow"]
    for path in ("/v1", "/v2/studies", "/v1/studys", "/v1/studies/a/trials/0/x", "/%00"):
        assert refusal(quick.get(path), 404).code == "not_found"
    assert quick.head(STUDIES).status_code == 405


WRONG_REPORTS = {
    "reports": [{}, {"reports": []}, {"reports": {}}],
    "reports.0.step": [
        {"reports": [{"step": step, "value": 1}]} for step in (-1, 1.5, "0", True, None, 10**400, 4)
    ],
    "reports.0.value": [{"reports": [{"step": 0}]}]
    + [{"reports": [{"step": 0, "value": v}]} for v in ("0.5", "NaN", True, [], 10**400)],
    "reports.0.learning_rate": [{"reports": [{"step": 0, "value": 1, "learning_rate": "0.1"}]}],
    "reports.0.metrics.loss": [{"reports": [{"step": 0, "value": 1, "metrics": {"loss": "0.1"}}]}],
    "reports.0.metrics": [{"reports": [{"step": 0, "value": 1, "metrics": []}]}],
    "reports.0.lr": [{"reports": [{"step": 0, "value": 1, "lr": 0.1}]}],
    "reports.1.step": [{"reports": [{"step": 1, "value": 1}, {"step": 0, "value": 1}]}],
}


def test_reports_and_ends_that_are_wrong(http, create, simulated):
    create(http)
    worker = simulated(http)
    lease = worker.claim()
    for path, bodies in WRONG_REPORTS.items():
        for body in bodies:
            error = refusal(worker.send(lease, "reports", **body), 422)
            assert [field.path for field in error.fields] == [path], body
    for act, body, path in (
        ("complete", {"value": "0.5"}, "value"),
        ("complete", {"value": 10**400}, "value"),
        ("complete", {"values": []}, "values"),
        ("complete", {"values": [1, 2]}, "values"),
        ("complete", {}, "value"),
        ("complete", {"value": 1, "metrics": {"a\nb": 1}}, "metrics.a\nb.[key]"),
        ("complete", {"valu": 1}, "valu"),
        ("fail", {}, "outcome"),
        ("fail", {"outcome": "lost"}, "outcome"),
        ("fail", {"outcome": "error", "message": "x" * 10_001}, "message"),
    ):
        error = refusal(worker.send(lease, act, **body), 422)
        assert [field.path for field in error.fields] == [path], (act, body)
    trial = http.get(f"{STUDIES}/study/trials/0").json()
    assert (trial["state"], trial["steps"]) == ("running", 0)
    assert http.get(f"{STUDIES}/study/trials/0/reports").json() == []
    assert worker.complete(lease, value=0.5)["state"] == "complete"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"tasks": {}}, "tasks"),
        ({"tasks": ["task"]}, "tasks"),
        ({"tasks": {"a task": {}}}, "tasks.a task.[key]"),
        ({"tasks": {"task": {"type": 5}}}, "tasks.task"),
        ({"tasks": {"task": {"properties": {"x": {"pattern": "(("}}}}}, "tasks.task"),
        ({"tasks": {"task": None}}, "tasks.task"),
        ({"devices": "gpu"}, "devices"),
        ({"versions": {"lehr": 1}}, "versions.lehr"),
        ({"gpu": True}, "gpu"),
    ],
)
def test_registrations_that_are_wrong(quick, changes, path):
    answer = quick.post("/v1/workers", json={"name": "worker", "tasks": {"task": {}}} | changes)
    assert [field.path for field in refusal(answer, 422).fields] == [path]
    assert is_empty(quick)


@pytest.mark.parametrize("params", [{"x": 10**400}, {"x": math.nan}, {"x": [[]]}, {"": 1}, [], 5])
def test_points_that_are_wrong(quick, create, definition, params):
    space = definition()["search_space"] | {"parameters": {"x": {"low": 0, "high": 1}}}
    create(quick, search_space=space)
    body = json.dumps({"params": params})
    refusal(quick.post(f"{STUDIES}/study/trials", content=body, headers=JSON), 422)
    assert quick.get(f"{STUDIES}/study").json()["counts"]["waiting"] == 0
