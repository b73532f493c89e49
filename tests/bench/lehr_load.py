"""Simulated lehr workers on raw HTTP/1.1: a request costs this side about 0.1 ms of CPU."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from objective import STEPS, TASK, definition, loss
from tally import Clock, Tally, Work


class Http(asyncio.Protocol):
    """One keep-alive connection with one request under way at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes, bytes]] | None = None
        self._transport: Any = None

    @classmethod
    async def connect(cls, url: str) -> Http:
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(cls, parts.hostname, parts.port)
        return protocol

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("closed by the server"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        end = lowered.find(b"\r\n", at)
        length = int(lowered[at + 15 : end if end > 0 else None]) if at >= 0 else 0
        if len(body) >= length and self._answer is not None:
            self._buffer = b""
            if not self._answer.done():
                self._answer.set_result((int(head[9:12]), head, body))

    async def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and parsed body of the answer."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(
            head.encode() + b"Content-Length: %d\r\n\r\n" % len(content) + content
        )
        status, _, found = await self._answer
        return status, json.loads(found) if found else None

    async def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        return await self.send("POST", path, body)

    def close(self) -> None:
        self._transport.close()


async def created(url: str, sampler: dict[str, Any], task: str = TASK, **more: Any) -> None:
    """The study that all workers of a task work on."""
    http = await Http.connect(url)
    study = definition(task, sampler, None, task=task, **more)
    status, answer = await http.post("/v1/studies", study)
    http.close()
    if status != 201:
        raise RuntimeError(f"creating the study: {status} {answer}")


async def registered(http: Http, name: str, task: str = TASK) -> str:
    status, body = await http.post("/v1/workers", {"name": name, "tasks": {task: {}}})
    if status != 201:
        raise RuntimeError(f"registering: {status} {body}")
    return str(body["id"])


async def work(
    urls: list[str],
    index: int,
    tally: Tally,
    pause: Callable[[], float] | None = None,
    beating: Callable[[str, list[str]], Work] | None = None,
    task: str = TASK,
) -> None:
    """One worker, until it is cancelled.

    ``pause`` gives seconds between its reports; ``beating`` runs beside it, with its id and the
    list of the tokens that it holds.
    """
    http = await Http.connect(urls[index % len(urls)])
    me, held = await registered(http, f"w{index}", task), list[str]()
    beside = asyncio.create_task(beating(me, held)) if beating else None
    try:
        while not tally.over.is_set():
            await _one_trial(http, me, tally, pause, held)
            held.clear()
    finally:
        http.close()
        if beside:
            beside.cancel()


async def _one_trial(
    http: Http, me: str, tally: Tally, pause: Callable[[], float] | None, held: list[str]
) -> None:
    begin = Clock()
    request = {"request_id": str(uuid.UUID(int=random.getrandbits(128))), "wait": 20}
    status, lease = await http.post(f"/v1/workers/{me}/claim", request)
    if status != 200:
        if status != 204:
            tally.failed("claim", status, lease)
            await asyncio.sleep(0.05)
        return
    tally.claims.append(Clock() - begin)
    held.append(lease["token"])
    path, params = f"/v1/attempts/{lease['token']}", lease["trial"]["params"]
    for step in range(STEPS):
        if pause is not None:
            await asyncio.sleep(pause())
        begin = Clock()
        report = {"step": step, "value": loss(params, step), "learning_rate": 0.1}
        status, verdict = await http.post(f"{path}/reports", {"reports": [report]})
        tally.reports.append(Clock() - begin)
        if status != 200:
            tally.failed("report", status, verdict)
            return
        if verdict["verdict"] != "continue":
            tally.finished()
            return
    begin = Clock()
    status, answer = await http.post(f"{path}/complete", {})
    tally.others.append(Clock() - begin)
    if status != 200:
        tally.failed("complete", status, answer)
    tally.finished()


async def beat(url: str, index: int, tally: Tally, rate: float) -> None:
    """A fixed load of one kind of request, ``rate`` a second over one connection."""
    http = await Http.connect(url)
    try:
        while not tally.over.is_set():
            begin = Clock()
            status, body = await http.send("GET", "/healthz")
            tally.others.append(Clock() - begin)
            if status != 200:
                tally.failed("healthz", status, body)
            await asyncio.sleep(1 / rate)
    finally:
        http.close()


async def flood(url: str, path: str, tally: Tally) -> None:
    """One request after the other; each counts as a report."""
    http = await Http.connect(url)
    try:
        while True:
            begin = Clock()
            status, body = await http.post(path, {"step": 1, "value": 0.5})
            tally.reports.append(Clock() - begin)
            if status != 200:
                tally.failed(path, status, body)
    finally:
        http.close()
