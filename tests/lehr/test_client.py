"""The client against the real server, and against one that misbehaves on purpose."""

from __future__ import annotations

import hashlib
import json
import math
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import lehr
from lehr import Client
from lehr.errors import (
    ApiError,
    Conflict,
    CorruptCheckpoint,
    Invalid,
    LeaseLost,
    LehrError,
    NotFound,
    ServerUnreachable,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    WaitTimedOut,
    WorkerUnknown,
)
from lehr.wire.errors import FieldError
from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import Trial
from lehr.wire.workers import Completion, Failure, NewReport, Registration

# A server that plays from a script


Step = Callable[[BaseHTTPRequestHandler], None]


class Script(ThreadingHTTPServer):
    """Answers each request by the next step of its script; keeps what it was sent."""

    daemon_threads = True

    def __init__(self, *steps: Step) -> None:
        super().__init__(("127.0.0.1", 0), _Actor)
        self.steps = list(steps)
        self.heard: list[tuple[str, str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Actor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Script

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.heard.append((self.command, self.path, dict(self.headers), body))
        self.server.steps.pop(0)(self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

    def log_message(self, *_: object) -> None:
        pass


def says(status: int, body: Any = None, **headers: str) -> Step:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def step(actor: BaseHTTPRequestHandler) -> None:
        actor.send_response(status)
        for name, value in headers.items():
            actor.send_header(name.replace("_", "-"), value)
        actor.send_header("Content-Length", str(len(content)))
        actor.end_headers()
        actor.wfile.write(content)

    return step


def hangs_up(actor: BaseHTTPRequestHandler) -> None:
    actor.close_connection = True


def breaks_off(actor: BaseHTTPRequestHandler) -> None:
    actor.send_response(200)
    actor.send_header("Content-Length", "1000")
    actor.end_headers()
    actor.wfile.write(b'{"items": [')
    actor.close_connection = True


def refuses(status: int, code: str = "some_code", message: str = "no") -> Step:
    return says(status, {"error": {"code": code, "message": message, "fields": []}})


BUSY = says(503, {"error": {"code": "unavailable", "message": "later", "fields": []}})
NO_WORKERS = says(200, {"items": [], "next": None})
TRIAL = {
    "study": "s",
    "number": 0,
    "state": "complete",
    "params": {},
    "attempts": 1,
    "steps": 1,
    "revision": 1,
    "created_at": "2026-01-01T00:00:00Z",
}


class Time:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def play(clock: Time) -> Iterator[Callable[..., tuple[Script, Client]]]:
    """Starts a scripted server; gives it with a client of it whose time is ``clock``."""
    started: list[tuple[Script, Client, threading.Thread]] = []

    def start(*steps: Step, **options: Any) -> tuple[Script, Client]:
        script = Script(*steps)
        thread = threading.Thread(target=script.serve_forever, args=(0.02,))
        thread.start()
        client = Client(script.url, sleep=clock.sleep, now=clock.now, **options)
        started.append((script, client, thread))
        return script, client

    yield start
    for script, client, thread in started:
        client.close()
        script.shutdown()
        thread.join()
        script.server_close()


# Retries


def test_a_read_is_sent_again_after_503(play, clock: Time) -> None:
    script, client = play(BUSY, BUSY, NO_WORKERS)
    assert list(client.workers()) == []
    assert len(script.heard) == 3
    assert len(clock.slept) == 2


@pytest.mark.parametrize("cut", [hangs_up, breaks_off])
def test_a_read_is_sent_again_after_a_cut_connection(play, cut: Step) -> None:
    script, client = play(cut, NO_WORKERS)
    assert list(client.workers()) == []
    assert len(script.heard) == 2


@pytest.mark.parametrize("status", [429, 502, 504])
def test_proxies_that_are_busy_are_asked_again(play, status: int) -> None:
    script, client = play(says(status, b"<html>"), NO_WORKERS)
    assert list(client.workers()) == []
    assert len(script.heard) == 2


def test_retry_after_is_honoured(play, clock: Time) -> None:
    later = says(503, {"error": {"code": "unavailable", "message": "later"}}, Retry_After="7")
    _, client = play(later, NO_WORKERS)
    list(client.workers())
    assert 7.0 < clock.slept[0] < 7.3


@pytest.mark.parametrize("failure", [BUSY, hangs_up], ids=["busy", "hangs_up"])
def test_the_next_server_is_asked_at_once_and_kept(play, clock: Time, failure: Step) -> None:
    (first, _), (second, _) = play(failure), play(NO_WORKERS, NO_WORKERS)
    with Client(f"{first.url}, {second.url}", sleep=clock.sleep, now=clock.now) as client:
        client._connection._used = 0
        assert [list(client.workers()) for _ in range(2)] == [[], []]
        assert client.server == second.url
    assert (len(first.heard), len(second.heard), clock.slept) == (1, 2, [])


def test_where_every_server_fails_there_is_a_wait_between_rounds(play, clock: Time) -> None:
    (first, _), (second, _) = play(BUSY, NO_WORKERS), play(BUSY, NO_WORKERS)
    with Client(f"{first.url},{second.url}", sleep=clock.sleep, now=clock.now) as client:
        assert list(client.workers()) == []
    assert len(clock.slept) == 1
    assert len(first.heard) + len(second.heard) == 3


def test_what_may_not_happen_twice_goes_to_one_server_only(play, clock: Time) -> None:
    (first, _), (second, _) = play(hangs_up), play(hangs_up)
    with (
        Client(f"{first.url},{second.url}", sleep=clock.sleep, now=clock.now) as client,
        pytest.raises(ServerUnreachable),
    ):
        client.register(Registration(name="w", tasks={"t": {}}))
    assert len(first.heard) + len(second.heard) == 1


def test_waits_double_with_jitter_up_to_ten_seconds(play, clock: Time) -> None:
    _, client = play(*[BUSY] * 40, retry_seconds=120)
    with pytest.raises(Unavailable, match="later"):
        list(client.workers())
    bounds = [min(0.2 * 2**n, 10.0) for n in range(len(clock.slept))]
    assert all(b / 2 <= s <= b for s, b in zip(clock.slept, bounds, strict=True))
    assert len(set(clock.slept)) == len(clock.slept)
    assert 105 < clock.seconds <= 120


def test_a_sleep_that_is_interrupted_ends_the_retries(play) -> None:
    script, _ = play(BUSY, NO_WORKERS)
    stop = threading.Event()
    stop.set()
    with Client(script.url, sleep=stop.wait) as client, pytest.raises(Unavailable):
        list(client.workers())
    assert len(script.heard) == 1


@pytest.mark.parametrize("failure", [BUSY, hangs_up, breaks_off])
@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.enqueue("s", {}),
        lambda c: c.pause("s"),
        lambda c: c.stop_trial("s", 0),
        lambda c: c.delete_study("s"),
    ],
)
def test_what_may_not_happen_twice_is_sent_once(play, failure: Step, call) -> None:
    script, client = play(failure)
    with pytest.raises((Unavailable, ServerUnreachable)):
        call(client)
    assert len(script.heard) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.create_study({}, validate_only=True),
        lambda c: c.claim("w", uuid4()),
        lambda c: c.heartbeat("w", []),
        lambda c: c.report("t", [NewReport(step=0, value=1.0)]),
        lambda c: c.complete("t", Completion()),
        lambda c: c.fail("t", Failure(outcome="error")),
        lambda c: c.save_checkpoint("t", b"x"),
        lambda c: c.load_checkpoint("t"),
        lambda c: c.change_study("s", weight=2.0),
        lambda c: c.drain("w"),
    ],
)
def test_what_may_happen_twice_is_sent_again_unchanged(play, call) -> None:
    script, client = play(hangs_up, BUSY, refuses(404))
    with pytest.raises(NotFound):
        call(client)
    assert len(script.heard) == 3
    assert script.heard[0][3] == script.heard[1][3] == script.heard[2][3]


def test_a_refused_connection_is_tried_again_even_for_what_may_not_happen_twice(
    play, clock: Time
) -> None:
    script = Script()
    url = script.url
    script.server_close()
    with (
        Client(url, retry_seconds=5, sleep=clock.sleep, now=clock.now) as client,
        pytest.raises(ServerUnreachable, match=f"no lehr server answers at {url} .*refused"),
    ):
        client.enqueue("s", {})
    assert len(clock.slept) > 3


def test_other_refusals_are_not_tried_again(play) -> None:
    script, client = play(refuses(500))
    with pytest.raises(ApiError):
        list(client.workers())
    assert len(script.heard) == 1


# Errors


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "malformed", Invalid),
        (422, "invalid", Invalid),
        (401, "unauthorized", Unauthorized),
        (403, "forbidden", Unauthorized),
        (404, "study_unknown", NotFound),
        (404, "worker_unknown", WorkerUnknown),
        (409, "study_name_taken", Conflict),
        (409, "lease_lost", LeaseLost),
        (413, "too_large", ApiError),
        (500, "internal", ApiError),
    ],
)
def test_each_refusal_has_its_class(play, status: int, code: str, kind: type[ApiError]) -> None:
    _, client = play(refuses(status, code, "the reason"))
    with pytest.raises(kind) as raised:
        client.pause("s")
    assert type(raised.value) is kind
    assert (raised.value.status, raised.value.code) == (status, code)
    assert str(raised.value) == "the reason"


def test_errors_survive_pickling() -> None:
    error = Invalid(422, "invalid", "not valid", [FieldError(path="a.b", message="required")])
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) == "not valid\n  a.b: required"


def test_something_else_than_lehr_is_named(play) -> None:
    _, client = play(
        says(200, b"<html>hello</html>"),
        says(302, Location="/elsewhere"),
        says(404, b"<html>nothing\nhere</html>"),
    )
    with pytest.raises(UnexpectedAnswer, match="is it a lehr server"):
        client.study("s")
    with pytest.raises(UnexpectedAnswer, match="answered 302"):
        client.study("s")
    with pytest.raises(NotFound, match="answered 404: <html>nothing here</html>"):
        client.study("s")


@pytest.mark.parametrize("server", ["ftp://x", "http://", "http://[::1"])
def test_a_url_that_is_none_is_refused_at_once(server: str) -> None:
    with pytest.raises(LehrError, match="is not a server's URL"):
        Client(server)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_no_path_can_hold_is_refused(name: str) -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(LehrError, match="not a name"):
        client.study(name)


def test_a_body_that_json_cannot_hold_is_refused_before_it_is_sent() -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(LehrError, match="JSON"):
        client.enqueue("s", {"x": math.nan})


# Requests


def test_fields_that_a_newer_server_adds_are_left_out(play) -> None:
    trial = TRIAL | {"added": {"by": "a newer one"}}
    _, client = play(says(200, {"items": [trial], "next": None, "added": 1}))
    assert [found.number for found in client.trials("s")] == [0]


def test_names_are_quoted_and_absent_parameters_left_out(play) -> None:
    script, client = play(refuses(404))
    with pytest.raises(NotFound):
        client.study("a b/c?d")
    assert script.heard[0][1] == "/v1/studies/a%20b%2Fc%3Fd"


def test_the_environment_names_server_and_token(play, monkeypatch: pytest.MonkeyPatch) -> None:
    script, _ = play(NO_WORKERS, NO_WORKERS)
    monkeypatch.setenv("LEHR_SERVER", script.url.removeprefix("http://") + "/")
    monkeypatch.setenv("LEHR_TOKEN", "from-the-environment")
    with Client() as client:
        assert client.server == script.url
        list(client.workers())
    with Client(token="given") as client:
        list(client.workers())
    sent = [headers["Authorization"] for _, _, headers, _ in script.heard]
    assert sent == ["Bearer from-the-environment", "Bearer given"]


def test_a_file_holds_the_token(play, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script, _ = play(NO_WORKERS, NO_WORKERS)
    monkeypatch.delenv("LEHR_TOKEN", raising=False)
    monkeypatch.setenv("LEHR_SERVER", script.url)
    file = tmp_path / "token"
    monkeypatch.setenv("LEHR_TOKEN_FILE", str(file))
    with pytest.raises(LehrError, match=r"LEHR_TOKEN_FILE: .* cannot be read"):
        Client()
    file.write_text("\n")
    with pytest.raises(LehrError, match="is empty; write the token into it"):
        Client()
    file.write_text("from-a-file\n")
    with Client() as client:
        list(client.workers())
    monkeypatch.setenv("LEHR_TOKEN", "from-the-environment")
    with Client() as client:
        list(client.workers())
    sent = [headers["Authorization"] for _, _, headers, _ in script.heard]
    assert sent == ["Bearer from-a-file", "Bearer from-the-environment"]


def test_a_proxy_of_the_environment_is_not_asked_for_a_server_on_this_machine(
    play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    _, client = play(NO_WORKERS)
    assert list(client.workers()) == []


def test_what_was_not_given_is_not_sent_but_null_is(play) -> None:
    script, client = play(says(200, TRIAL), says(200, TRIAL), refuses(404))
    client.complete("t", Completion())
    client.complete("t", Completion(value=math.nan))
    with pytest.raises(NotFound):
        client.change_study("s", limits={"timeout": None})
    bodies = [json.loads(body) for *_, body in script.heard]
    assert bodies == [{}, {"value": None}, {"limits": {"timeout": None}}]


def test_a_page_follows_the_other_only_as_far_as_needed(play) -> None:
    def page(numbers: range, after: str | None) -> Step:
        return says(200, {"items": [TRIAL | {"number": n} for n in numbers], "next": after})

    script, client = play(page(range(3), "c1"), page(range(3, 6), None), page(range(3), "c1"))
    assert [t.number for t in client.trials("s", state="complete")] == [0, 1, 2, 3, 4, 5]
    assert [path.partition("?")[2] for _, path, *_ in script.heard] == [
        "state=complete&limit=100",
        "state=complete&limit=100&after=c1",
    ]
    assert [t.number for t in client.trials("s", limit=2)] == [0, 1]
    assert len(script.heard) == 3


def test_best_is_a_trial_or_the_pareto_front(play) -> None:
    _, client = play(says(200, TRIAL), says(200, {"items": [TRIAL, TRIAL]}))
    assert isinstance(client.best("s"), Trial)
    front = client.best("s")
    assert isinstance(front, list)
    assert len(front) == 2


def test_a_checkpoint_that_was_changed_on_the_way_is_refused(play) -> None:
    whole = hashlib.sha256(b"weights").hexdigest()
    _, client = play(
        says(200, b"weights", X_Checkpoint_SHA256=whole),
        says(200, b"weighty", X_Checkpoint_SHA256=whole),
        says(200, b"weights"),
        refuses(404, "no_checkpoint"),
        refuses(404, "attempt_unknown"),
    )
    assert client.load_checkpoint("t") == b"weights"
    for _ in range(2):
        with pytest.raises(CorruptCheckpoint):
            client.load_checkpoint("t")
    assert client.load_checkpoint("t") is None
    with pytest.raises(NotFound):
        client.load_checkpoint("t")


# The real server


def registration(name: str, task: str = "digits_mlp") -> Registration:
    return Registration(name=name, tasks={task: {}}, devices=["cpu"])


def test_a_study_from_its_definition_to_its_best_trial(
    client: Client, definition: dict[str, Any]
) -> None:
    name = definition["name"]
    definition |= {"limits": {"max_trials": 2}, "task": "full_story"}
    assert client.create_study(definition, validate_only=True).name == name
    with pytest.raises(NotFound):
        client.study(name)
    study = client.create_study(StudyDefinition.model_validate(definition))
    assert client.create_study(definition).created_at == study.created_at
    with pytest.raises(Conflict, match="another study"):
        client.create_study(definition | {"weight": 2.0})
    assert name in [s.name for s in client.studies("active")]
    with pytest.raises(NotFound) as raised:
        client.best(name)
    assert raised.value.code == "no_complete_trial"

    assert client.enqueue(name, {"sgd.learning_rate": 0.5}).number == 0
    worker = client.register(registration("a worker", "full_story"))
    for number, value in enumerate([0.25, 0.75]):
        lease = client.claim(worker.id, uuid4(), wait=5)
        assert lease is not None
        assert lease.trial.number == number
        assert client.heartbeat(worker.id, [lease.token]).stop == []
        report = NewReport(step=0, value=value, learning_rate=0.5, metrics={"loss": math.inf})
        assert client.report(lease.token, [report]).verdict == "continue"
        client.save_checkpoint(lease.token, b"weights")
        assert client.load_checkpoint(lease.token) == b"weights"
        assert client.complete(lease.token, Completion()).value == value
        with pytest.raises(LeaseLost):
            client.report(lease.token, [NewReport(step=1, value=1.0)])
    assert client.claim(worker.id, uuid4()) is None

    assert client.wait_for(name, timeout=10).counts.complete == 2
    best = client.best(name)
    assert isinstance(best, Trial)
    assert (best.number, best.value) == (1, 0.75)
    assert [t.number for t in client.trials(name, order_by="-value")] == [1, 0]
    assert client.trial(name, 0).history[0].worker == "a worker"
    assert [r.metrics for r in client.reports(name, 0)] == [{"loss": None}]
    client.delete_study(name)
    with pytest.raises(NotFound):
        client.study(name)


def test_a_study_is_steered(client: Client, definition: dict[str, Any]) -> None:
    name = client.create_study(definition).name
    assert client.pause(name).state == "paused"
    assert client.resume(name).state == "active"
    changed = client.change_study(name, limits={"max_trials": 9}, weight=3.0, labels={"a": "b"})
    assert changed.definition.limits.max_trials == 9
    assert (changed.definition.weight, changed.definition.labels) == (3.0, {"a": "b"})
    with pytest.raises(Conflict, match="active"):
        client.delete_study(name)
    assert client.cancel(name).state == "cancelled"
    with pytest.raises(Conflict, match="cannot resume"):
        client.resume(name)


def test_a_wrong_definition_names_every_wrong_field(
    client: Client, definition: dict[str, Any]
) -> None:
    with pytest.raises(Invalid) as raised:
        client.create_study(definition | {"training": {"epochs": 0}, "colour": "red"})
    assert {field.path for field in raised.value.fields} == {"training.epochs", "colour"}
    assert "\n  training.epochs: " in str(raised.value)


def test_waiting_for_a_study_ends_with_the_timeout(server: str, definition: dict[str, Any]) -> None:
    clock = Time()
    with Client(server, sleep=clock.sleep, now=clock.now) as client:
        client.create_study(definition)

        def at_last(_study: Any) -> bool:
            clock.seconds += 59.95
            return False

        with pytest.raises(WaitTimedOut, match="is active after 60 s"):
            client.wait_for(definition["name"], until=at_last, timeout=60)


def test_a_stopped_trial_and_a_drained_worker_hear_of_it(
    client: Client, definition: dict[str, Any]
) -> None:
    name = definition["name"]
    client.create_study(definition | {"task": "stopped"})
    worker = client.register(registration("w", "stopped"))
    lease = client.claim(worker.id, uuid4(), wait=5)
    assert lease is not None
    client.stop_trial(name, lease.trial.number)
    client.drain(worker.id)
    answer = client.heartbeat(worker.id, [lease.token])
    assert (answer.stop, answer.drain) == ([lease.token], True)
    assert [w.state for w in client.workers() if w.id == worker.id] == ["draining"]
    with pytest.raises(WorkerUnknown):
        client.heartbeat("0" * 32, [])


def test_threads_share_a_client(client: Client, definition: dict[str, Any]) -> None:
    name = client.create_study(definition).name
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda _: client.enqueue(name, {}).number, range(24)))
    assert sorted(numbers) == list(range(24))


def test_the_package_offers_what_users_import() -> None:
    assert {name for name in lehr.__all__ if getattr(lehr, name)} == set(lehr.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'clients'"):
        _ = lehr.clients  # type: ignore[attr-defined]
