"""The gate before the application: tokens, media types, body sizes, text that can be stored."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lehr_service.api.errors import respond
from lehr_service.api.lean import PARSED
from lehr_service.errors import (
    Forbidden,
    Malformed,
    ServiceError,
    TooLarge,
    Unauthorized,
    Unavailable,
    WrongMediaType,
)
from lehr_service.settings import Settings

COOKIE = "lehr_token"
"""Where the pages keep the token of who signed in."""

_OPEN = ("/healthz", "/readyz", "/sign-in")
_SAFE = ("GET", "HEAD", "OPTIONS")
_DEEPEST = 32  # levels of objects and lists; a study definition has about 7


class Guard:
    """ASGI middleware that refuses before anything is parsed or stored."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._open += 1
        try:
            await self._admit(scope, receive, send)
        finally:
            self._open -= 1

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self._open > self._settings.open_requests:
                raise Unavailable("too many requests are under way")
            _check_origin(scope)
            self._check_token(scope)
            body = await self._body(scope, receive)
        except ServiceError as refusal:
            answer = respond(refusal)
            if isinstance(refusal, Unauthorized) and _is_reader(scope):
                answer = RedirectResponse("/sign-in", 303)
            await answer(scope, receive, send)
            return
        await self._app(scope, _Replay(body, receive), send)

    def _check_token(self, scope: Scope) -> None:
        if self._settings.token is None or _is_open(scope["path"]):
            return
        if not self._settings.admits(_given_token(Headers(scope=scope))):
            raise Unauthorized

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] in ("GET", "HEAD", "DELETE", "OPTIONS"):
            return b""
        is_binary = scope["method"] == "PUT"
        limit = self._settings.checkpoint_bytes if is_binary else self._settings.body_bytes
        body = await _read(receive, limit, Headers(scope=scope).get("content-length"))
        if is_binary or not body:
            return body
        media_type = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise WrongMediaType("application/json")
        scope[PARSED] = _checked_json(body)
        return body


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith("/static/")


def _given_token(headers: Headers) -> str:
    """The bearer token, or the one that a browser keeps for the pages; empty if there is none."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given
    cookies = cookie_parser(headers.get("cookie", ""))
    return "" if scheme else cookies.get(COOKIE, "")


def _is_reader(scope: Scope) -> bool:
    """Whether a person opens a page, who is better shown where to sign in."""
    return scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", "")


def _check_origin(scope: Scope) -> None:
    """Refuse what a page of another site makes a browser send; other clients send no such header.

    Raises Forbidden.
    """
    if scope["method"] in _SAFE:
        return
    headers = Headers(scope=scope)
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None:  # browsers send it to https and to this machine only
        is_ours = origin is None or urlsplit(origin).netloc == headers.get("host")
    else:
        is_ours = site in ("same-origin", "none")
    if not is_ours:
        raise Forbidden


async def _read(receive: Receive, limit: int, announced: str | None) -> bytes:
    if announced is not None and announced.isdecimal() and int(announced) > limit:
        raise TooLarge(limit)
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed("the connection ended within the body")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise TooLarge(limit)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


class _Replay:
    """Hands over a body that was read already, then what comes after it."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def _checked_json(body: bytes) -> Any:
    """The value of a body; refuses JSON that would be misread or that no database can hold.

    Not UTF-8, a key given twice, deep nesting, NUL characters, lone surrogates. In strict UTF-8
    the last two can be written only as escapes, so a body without them needs no look at its text.
    """
    value = _parse(body)
    if body.count(b"[") + body.count(b"{") > _DEEPEST and _is_deeper(value, _DEEPEST):
        raise Malformed(f"the body is nested deeper than {_DEEPEST} levels")
    lowered = body.lower()
    if b"\\u0000" not in lowered and b"\\ud" not in lowered:
        return value
    if any("\x00" in t or any("\ud800" <= c <= "\udfff" for c in t) for t in _texts(value)):
        raise Malformed("text must not have NUL characters or lone surrogates")
    return value


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), object_pairs_hook=_without_twins)
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Malformed(f"the body is not valid JSON at {place}: {error.msg}") from None
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise Malformed("the body has a number of too many digits") from None
    except RecursionError:
        raise Malformed(f"the body is nested deeper than {_DEEPEST} levels") from None


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twin = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise Malformed(f"the key {twin!a:.80} is given twice in one object; give it once")
    return found


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _is_deeper(value: Any, levels: int) -> bool:
    row = [value]
    for _ in range(levels):
        row = [child for parent in row for child in _children(parent)]
    return any(isinstance(element, dict | list) for element in row)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
    for child in _children(value):
        yield from _texts(child)
