"""A server that plays the contract in memory, over real HTTP, and misbehaves on request."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHECKSUM = "X-Checkpoint-SHA256"
PATIENCE = 30.0  # seconds a test waits for something that ought to happen

Answer = tuple[int, Any]


@dataclass
class Call:
    """A request that was answered."""

    method: str
    path: str
    body: Any
    status: int

    @property
    def what(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass
class FakeServer:
    """Hands out the leases in ``queue`` and notes every call it answered."""

    heartbeat_seconds: float = 0.2
    mode: str = "up"  # up | down (connections are cut) | busy (503)
    verdict: Callable[[str, int], str] = lambda token, step: "continue"
    queue: deque[dict[str, Any]] = field(default_factory=deque)
    calls: list[Call] = field(default_factory=list)
    workers: set[str] = field(default_factory=set)
    live: set[str] = field(default_factory=set)  # tokens of attempts that hold a lease
    checkpoints: dict[str, bytes] = field(default_factory=dict)
    draining: bool = False
    hold: set[str] = field(default_factory=set)  # these calls get no answer until released
    refused: int = 0  # connections cut or answered 503
    lost: list[Call] = field(default_factory=list)  # taken, then the connection was cut
    lose: set[str] = field(default_factory=set)  # the next call of each is lost so
    deny: dict[str, int] = field(default_factory=dict)  # status of calls that are refused
    denied: int = 0  # calls refused so
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)  # by request id
    trial: dict[str, Any] = field(default_factory=dict)  # what is told of it beside the usual

    def __post_init__(self) -> None:
        self.news = threading.Condition()
        self.closed = False
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        with self.news:
            self.closed = True
            self.news.notify_all()
        self._http.shutdown()
        self._http.server_close()

    def change(self, **state: Any) -> None:
        with self.news:
            for name, value in state.items():
                setattr(self, name, value)
            self.news.notify_all()

    def offer(self, token: str, **changes: Any) -> str:
        """Put a lease into the queue."""
        with self.news:
            self.queue.append(lease(token, **changes))
            self.news.notify_all()
        return token

    def offer_range_test(self, token: str = "range", **parameters: Any) -> str:
        with self.news:
            self.queue.append(range_test_lease(token, **parameters))
            self.news.notify_all()
        return token

    def wait_for(self, condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """The first true value of the condition, which is looked at after each call."""
        end = time.monotonic() + seconds
        with self.news:
            while not (found := condition()):
                if time.monotonic() > end:
                    story = "\n".join(f"{c.status} {c.method} {c.path}" for c in self.calls[-20:])
                    raise AssertionError(f"not within {seconds} s; last calls:\n{story}")
                self.news.wait(0.1)
        return found

    def of(self, what: str, token: str = "") -> list[Call]:
        """Calls that were taken: ``reports``, ``complete``, ``fail``, ``claim``, ..."""
        return [
            c
            for c in list(self.calls)
            if c.what == what and (not token or f"/{token}/" in c.path) and c.status < 400
        ]

    def steps(self, token: str) -> list[int]:
        return [r["step"] for call in self.of("reports", token) for r in call.body["reports"]]

    def answer(self, method: str, path: str, body: Any) -> Answer:
        with self.news:
            what = path.rpartition("/")[2]
            self.news.wait_for(lambda: what not in self.hold or self.closed)
            if self.mode != "up" or self.closed:
                self.refused += 1
                self.news.notify_all()
                return (0, None) if self.mode == "down" else _error(503, "unavailable")
            if what in self.deny:
                self.denied += 1
                self.news.notify_all()
                return _error(self.deny[what], "denied")
            status, content = self._route(method, path, body)
            if what in self.lose:
                self.lose.discard(what)
                self.lost.append(Call(method, path, body, status))
                return 0, None
            self.calls.append(Call(method, path, body, status))
            self.news.notify_all()
            return status, content

    def _route(self, method: str, path: str, body: Any) -> Answer:
        if path == "/v1/workers":
            return self._register()
        if match := re.fullmatch(r"/v1/workers/([^/]+)/(\w+)", path):
            if match[1] not in self.workers:
                return _error(404, "worker_unknown")
            return getattr(self, f"_{match[2]}")(body)
        if match := re.fullmatch(r"/v1/attempts/([^/]+)/(\w+)", path):
            if match[1] not in self.live:
                return _error(409, "lease_lost")
            return getattr(self, f"_{method.lower()}_{match[2]}")(match[1], body)
        if path == "/v1/studies/study/trials/0":
            return 200, _trial() | {"seed": 1, "metrics": {}, "history": []} | self.trial
        return _error(404, "not_found")

    def _register(self) -> Answer:
        worker = f"w{len(self.calls)}"
        self.workers.add(worker)
        answer = {"id": worker, "heartbeat_seconds": self.heartbeat_seconds, "deadline": _soon()}
        return 201, answer

    def _heartbeat(self, body: Any) -> Answer:
        stop = [token for token in body["attempts"] if token not in self.live]
        return 200, {"deadline": _soon(), "stop": stop, "drain": self.draining}

    def _drain(self, body: Any) -> Answer:
        self.draining = True
        return 204, None

    def _claim(self, body: Any) -> Answer:
        known = self.claims.get(body["request_id"])
        if known is None:
            self.news.wait_for(
                lambda: self.queue or self.draining or self.closed or self.mode != "up",
                body["wait"],
            )
            if self.mode != "up":
                return 0, None
            if not self.queue or self.draining:
                return 204, None
            known = self.claims[body["request_id"]] = self.queue.popleft()
            self.live.add(known["token"])
        return 200, known

    def _post_reports(self, token: str, body: Any) -> Answer:
        word = self.verdict(token, body["reports"][-1]["step"])
        if word != "continue":
            self.live.discard(token)
        return 200, {"verdict": word, "reason": "because", "deadline": _soon()}

    def _post_complete(self, token: str, body: Any) -> Answer:
        self.live.discard(token)
        return 200, _trial() | {"state": "complete", "value": 0.5}

    def _post_fail(self, token: str, body: Any) -> Answer:
        self.live.discard(token)
        if token.startswith("range"):
            return 200, _range_test("waiting" if body["outcome"] == "preempted" else "failed")
        return 200, _trial() | {"state": "waiting" if body["outcome"] == "preempted" else "fail"}

    def _post_range_test(self, token: str, body: Any) -> Answer:
        self.live.discard(token)
        return 200, _range_test("complete")

    def _put_checkpoint(self, token: str, body: Any) -> Answer:
        self.checkpoints[token] = body
        return 204, None

    def _get_checkpoint(self, token: str, body: Any) -> Answer:
        return 200, self.checkpoints[token]


def lease(token: str, **changes: Any) -> dict[str, Any]:
    """A lease of three epochs, with the parameters in ``changes`` for the task."""
    epochs = changes.pop("epochs", 3)
    known = {
        "token": token,
        "attempt": 1,
        "study": "study",
        "task": "light",
        "trial": _trial(),
        "training": {"epochs": epochs, "seed": 1},
        "objective": _goal("val_accuracy"),
        "objectives": [_goal("val_accuracy")],
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "schedule": {"name": "constant"},
        "warmup": 0.0,
        "parameters": {},
        "reports": [],
        "checkpoint": None,
        "deadline": _soon(),
    }
    own = {key: changes.pop(key) for key in list(changes) if key in known}
    return known | {"parameters": changes} | own


def range_test_lease(token: str, **parameters: Any) -> dict[str, Any]:
    """A lease of a range test with three seeds; its token begins with ``range``."""
    return {
        "kind": "range_test",
        "token": token,
        "attempt": 1,
        "study": "study",
        "task": "light",
        "deadline": _soon(),
    } | _tested(parameters)


def _tested(parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "optimizer": {"name": "adam"},
        "parameters": parameters,
        "start": 1e-6,
        "end": 1.0,
        "updates": 20,
        "seeds": [0, 1, 2],
    }


def _range_test(state: str) -> dict[str, Any]:
    return {
        "optimizer": "adam",
        "state": state,
        "message": None,
        "attempts": 1,
        "worker": "tested",
        "setup": _tested({}),
        "curves": [],
        "suggestions": {},
        "bounds": {"low": 0.001, "high": 0.1},
        "reused_from": None,
        "started_at": None,
        "finished_at": None,
    }


def goals(*metrics: str) -> list[dict[str, Any]]:
    return [_goal(metric) for metric in metrics]


def _goal(metric: str) -> dict[str, Any]:
    return {"metric": metric, "direction": "maximize", "select": "last"}


def _trial() -> dict[str, Any]:
    return {
        "study": "study",
        "number": 0,
        "state": "running",
        "params": {"optimizer": "sgd"},
        "attempts": 1,
        "steps": 0,
        "revision": 1,
        "created_at": _soon(),
    }


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(seconds=30)).isoformat()


def _error(status: int, code: str) -> Answer:
    return status, {"error": {"code": code, "message": code, "fields": []}}


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            typed = self.headers.get("Content-Type") == "application/json"
            body = json.loads(raw) if typed and raw else raw
            status, content = server.answer(self.command, self.path, body)
            if status == 0:
                self.close_connection = True
                return
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            if status == 204:
                data = b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if isinstance(content, bytes):
                self.send_header(CHECKSUM, hashlib.sha256(content).hexdigest())
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _handle

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, TimeoutError):
                self.close_connection = True

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

    return Handler
