"""Around every request: its id, how long its answer took, what log records of it are about."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping
from random import getrandbits
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lehr import logs
from lehr_service.api.errors import unexpected
from lehr_service.metrics import Metrics

log = logging.getLogger(__name__)

_SANE = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_NAMED = {"name": "study", "number": "trial", "token": "token", "worker_id": "worker"}
_SHOWN = 12  # characters of a token, for the whole of it is a secret


class Requests:
    """ASGI middleware around all others, which gives each answer the id of its request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        request_id = _id_of(scope)
        header = (b"x-request-id", request_id)
        answered = 0

        async def answer(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
                self._note(scope, answered, time.perf_counter() - begin)
            await send(message)

        logs.begin(_About(scope, request_id))
        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            if answered:
                raise
            await unexpected(error)(scope, receive, answer)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # What no route matches counts as one, for clients can make up any number of paths.
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.request(scope["method"], route, status, seconds)
        if log.isEnabledFor(logging.DEBUG):
            milliseconds = round(1e3 * seconds, 1)
            facts = {"method": scope["method"], "route": route, "status": status}
            log.debug("answered", extra={**facts, "milliseconds": milliseconds})


def _id_of(scope: Scope) -> bytes:
    """The id that a client, or a proxy before us, has given the request; else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value if _SANE.fullmatch(value) else _new_id()
    return _new_id()


def _new_id() -> bytes:
    return b"%016x" % getrandbits(64)  # it names, and guards nothing


class _About(Mapping[str, Any]):
    """What a request is about, looked up when a record is written: most requests write none."""

    def __init__(self, scope: Scope, request_id: bytes) -> None:
        self._scope, self._id = scope, request_id

    def _facts(self) -> dict[str, Any]:
        given = self._scope.get("path_params", {})
        named = {_NAMED[name]: given[name] for name in _NAMED if name in given}
        if "trial" in named:
            number = named["trial"]  # which the endpoint may still refuse
            named["trial"] = int(number) if re.fullmatch(r"[0-9]{1,10}", number) else None
        if "token" in named:
            named["token"] = str(named["token"])[:_SHOWN]
        return {"request": self._id.decode("ascii"), **named}

    def __getitem__(self, name: str) -> Any:
        return self._facts()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts())

    def __len__(self) -> int:
        return len(self._facts())
