"""Wrong requests: always refused in the one form of errors, never with a 5xx, nothing stored."""

import copy
import json
import math
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lehr.wire.errors import ErrorAnswer
from lehr.wire.studies import StudyDefinition

JSON = {"content-type": "application/json"}
STUDIES = "/v1/studies"


@pytest.fixture
def http(serve, database_url):
    return serve(database_url=database_url, body_bytes=100_000).http


@pytest.fixture
def quick(serve):
    """A server on SQLite, for what never comes as far as the database."""
    return serve(body_bytes=100_000).http


def refusal(answer, *statuses):
    """The error of an answer, which must be in the one form."""
    assert answer.status_code in statuses, f"{answer.status_code} {answer.text[:500]}"
    assert answer.headers["content-type"] == "application/json"
    error = ErrorAnswer.model_validate_json(answer.content).error
    assert error.code
    assert error.message
    return error


def body_of(definition, **changes):
    return json.dumps(definition(**changes)).encode()


def is_empty(http):
    lists = [http.get(STUDIES).json(), http.get("/v1/workers").json()]
    return all(found["items"] == [] for found in lists)


MALFORMED = {
    "no JSON": (b"name: x", "line 1, column 1"),
    "cut off": (b'{"name": "x"', "line 1, column"),
    "two values": (b"{} {}", "Extra data"),
    "lists 100,000 deep": (b"[" * 100_000, "nested deeper than 32"),
    "closed lists 33 deep": (b"[" * 33 + b"]" * 33, "nested deeper than 32"),
    "objects 10,000 deep": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested deeper than 32"),
    "an integer of 5,000 digits": (b'{"weight": ' + b"9" * 5000 + b"}", "too many digits"),
    "a key twice": (b'{"name": "a", "task": "b", "name": "c"}', "'name' is given twice"),
    "a key twice, inside": (b'{"labels": {"a": "1", "a": "2"}}', "'a' is given twice"),
    "a key twice, by its escape": (b'{"name": "a", "n\\u0061me": "c"}', "given twice"),
    "NUL": (b'{"name": "a\\u0000b"}', "NUL characters"),
    "NUL in a key": (b'{"labels": {"\\u0000": "a"}}', "NUL characters"),
    "a lone surrogate": (b'{"name": "\\ud800"}', "lone surrogates"),
    "a lone surrogate in capitals": (b'{"name": "\\uDFFF"}', "lone surrogates"),
    "a lone surrogate, raw": (b'{"name": "\xed\xa0\x80"}', "not UTF-8 at byte 10"),
    "Latin-1": (b'{"name": "\xe9"}', "not UTF-8"),
    "UTF-16": ('{"name": "a"}'.encode("utf-16"), "not UTF-8"),
    "a raw NUL": (b'{"name": "\x00"}', "not valid JSON"),
}


def test_malformed_bodies_are_refused(http):
    for url in (STUDIES, "/v1/workers", f"/v1/workers/{'0' * 32}/claim"):
        for body, says in MALFORMED.values():
            error = refusal(http.post(url, content=body, headers=JSON), 400)
            assert error.code == "malformed"
            assert says in error.message
    assert is_empty(http)


def test_text_that_can_be_stored_is_stored_as_it_is(http, create):
    labels = {"päir": "\U0001f600", "newline": "a\nb", "quotes": "\"'\\", "escape": "\\u0000"}
    create(http, labels=labels)
    assert http.get(f"{STUDIES}/study").json()["definition"]["labels"] == labels


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"5", b'"text"', b"true"])
def test_a_body_that_is_no_mapping(quick, body):
    for url in (STUDIES, "/v1/workers"):
        (field,) = refusal(quick.post(url, content=body, headers=JSON), 422).fields
        assert field.path == ""
        assert field.message in ("required", "must be a mapping")
    assert is_empty(quick)


def test_a_body_of_another_media_type(quick, definition):
    body = body_of(definition)
    for kind in (None, "text/plain", "application/x-yaml", "application/jsonp"):
        answer = quick.post(STUDIES, content=body, headers={"content-type": kind} if kind else {})
        assert refusal(answer, 415).code == "wrong_media_type"
    assert is_empty(quick)
    charset = {"content-type": "Application/JSON; charset=utf-8"}
    assert quick.post(STUDIES, content=body, headers=charset).status_code == 201


def test_a_body_that_is_too_large(quick, definition):
    fits = body_of(definition).ljust(100_000)
    over = fits + b" "

    def chunks():
        yield over[:50_000]
        yield over[50_000:]

    for content in (over, chunks()):
        error = refusal(quick.post(STUDIES, content=content, headers=JSON), 413)
        assert (error.code, "100000 bytes" in error.message) == ("too_large", True)
    assert is_empty(quick)
    assert quick.post(STUDIES, content=fits, headers=JSON).status_code == 201


def test_a_checkpoint_that_is_too_large(serve, create, simulated):
    http = serve(checkpoint_bytes=1000).http
    create(http)
    url = f"/v1/attempts/{simulated(http).claim()['token']}/checkpoint"
    assert refusal(http.put(url, content=b"x" * 1001), 413).code == "too_large"
    assert http.get(url).status_code == 404
    assert http.put(url, content=b"x" * 1000).status_code == 204


# Cursors: base64 of [NaN], [null,Infinity], [null,NaN], [1.5,1.5], [1e999,1], [true,1],
# [null,null], [0,-1], [0,2147483648] and of things that are no lists.
CURSORS = ["@@", "a", "W10", "bnVsbA", "_w", "A" * 201, "W05hTl0", "W251bGwsSW5maW5pdHld"]
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
    for path in ("/", "/v1", "/v2/studies", "/v1/studys", "/v1/studies/a/trials/0/x", "/%00"):
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


# A valid definition with something changed at a random place.

PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["1e-3", "tpe", "grid", "per_trial", "2h", "\ud800", "\x00", 0, 1, -1, 0.5]),
)
RANGE_KEYS = st.sampled_from(["low", "high", "log", "step", "int", "epochs", "updates"])
ANY = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(RANGE_KEYS | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value, path=()):
    """Every place in a JSON value, the whole first."""
    yield path
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(child, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


@st.composite
def mutations(draw, valid):
    """A valid definition with one to three changes: a value replaced, a key gone, a key new."""
    changed = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([p for p in places(changed) if p]))
        holder, key = at(changed, path[:-1]), path[-1]
        act = draw(st.sampled_from(["replace", "remove", "add"]))
        if act == "replace":
            holder[key] = draw(ANY)
        elif act == "remove":
            del holder[key]
        elif isinstance(holder, dict):
            holder[draw(RANGE_KEYS | st.text(max_size=4))] = draw(ANY)
        else:
            holder.insert(key, draw(ANY))
        if not changed:
            break
    return changed


def leads_somewhere(path, sent):
    """Whether a dotted path names a place in what was sent, or what is missing from one."""
    if path in ("", "[key]"):
        return True
    if isinstance(sent, dict):
        inside = [key for key in sent if f"{path}.".startswith(f"{key}.")]
        deeper = (leads_somewhere(path[len(key) + 1 :], sent[key]) for key in inside)
        return any(deeper) or "." not in path
    if isinstance(sent, list):
        index, _, rest = path.partition(".")
        return (
            index.isdigit() and int(index) < len(sent) and leads_somewhere(rest, sent[int(index)])
        )
    return sent is None or path == "name"  # of a sampler or pruner given by its name alone


VALID = {
    "name": "mutated",
    "task": "task",
    "objective": {"metric": "loss", "direction": "minimize", "select": "best"},
    "search_space": {
        "optimizer": {
            "sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": True}},
            "adam": {
                "learning_rate": {"range_test": {"updates": 20, "seeds": 1}},
                "beta_1": [0.9, 0.95],
            },
        },
        "schedule": {
            "cosine": {"alpha": {"low": 0.0, "high": 0.1, "step": 0.05}},
            "exponential": {"decay_steps": {"epochs": 2}, "decay_rate": 0.9},
            "piecewise_constant": {"boundaries": [0.5, 0.75], "factors": [1, 0.1, 0.01]},
        },
        "warmup": {"low": 0.0, "high": 0.1},
        "parameters": {"batch_size": [32, 64], "width": {"low": 1, "high": 64, "int": True}},
    },
    "training": {"epochs": 10, "seed": 7},
    "sampler": {"name": "tpe", "seed": 7, "n_startup_trials": 5},
    "pruner": {"name": "patient", "patience": 1, "wrapped_pruner": {"name": "median"}},
    "limits": {"max_trials": 5, "timeout": "2h", "target": 0.9},
    "retry": {"max_attempts": 3},
    "weight": 1.0,
    "labels": {"team": "vision"},
}


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sent=mutations(VALID))
def test_a_definition_changed_at_random_is_taken_whole_or_refused_whole(quick, simulated, sent):
    body = json.dumps(sent)
    answer = quick.post(STUDIES, content=body, headers=JSON)
    if answer.status_code == 201:
        name = answer.json()["name"]
        shown = quick.get(f"{STUDIES}/{name}").json()
        expected = StudyDefinition.model_validate(sent).model_dump(mode="json")
        assert shown["definition"] == answer.json()["definition"] == expected
        again = quick.post(STUDIES, content=json.dumps(expected), headers=JSON)
        assert again.status_code == 200
        worker = simulated(quick, tasks={expected["task"]: {}}, abilities=["range_test"])
        lease = worker.claim()
        while lease and "kind" in lease:
            flat = [{"seed": s, "losses": [1.0] * lease["updates"]} for s in lease["seeds"]]
            assert worker.send(lease, "range_test", curves=flat).status_code == 200
            lease = worker.claim()
        if lease:  # a timeout of microseconds has passed
            worker.report(lease, 0, 0.5)
        assert quick.post(f"{STUDIES}/{name}/cancel").status_code in (200, 409)
        assert quick.delete(f"{STUDIES}/{name}").status_code == 204
        return
    error = refusal(answer, 400 if "\\u0000" in body or "\\ud800" in body else 422)
    assert error.code == "malformed" or error.fields
    for field in error.fields:
        assert leads_somewhere(field.path, sent), (field, sent)
    assert quick.get(STUDIES).json()["items"] == []
