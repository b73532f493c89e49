"""A server that plays from a script, and a clock for clients of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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
