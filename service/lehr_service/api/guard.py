"""The gate before the application: who sends, how often and what, before any of it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lehr_service.api import audit
from lehr_service.api.access import Access, Found, Least
from lehr_service.api.answers import Answer, Interrupted
from lehr_service.api.bodies import checked_json, read_body
from lehr_service.api.deps import server_of
from lehr_service.api.errors import answered, respond
from lehr_service.api.identity import LOOPBACK, WHO, sender_of
from lehr_service.api.lean import PARSED, Call, LeanRoute
from lehr_service.api.rates import BURST_SECONDS, Rates, address_of
from lehr_service.errors import (
    ForeignName,
    ForeignPage,
    HeadersTooLarge,
    RoleMissing,
    ServiceError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    WrongMediaType,
)
from lehr_service.settings import Settings, is_loopback

METRICS = "/metrics"
COOKIE = "lehr_token"
"""Where the pages keep the token of who signed in."""

Headers = Mapping[str, str]

_SAFE = ("GET", "HEAD", "OPTIONS")
MOST_HEADERS = 100
MOST_HEADER_BYTES = 32 * 2**10
_SIGN_IN_BYTES = 4 * 2**10  # a body that is read before anybody is known


class Guard:
    """ASGI middleware that refuses before anything is parsed or stored."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        access: Access,
        page_of: Callable[[ServiceError], Response],
    ) -> None:
        """``page_of`` shows a refusal to a person in a browser."""
        self._app, self._settings, self._access, self._page_of = app, settings, access, page_of
        rate = settings.requests_per_second
        self._rates = Rates(rate, rate * BURST_SECONDS)
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._open += 1
        answer = Answer(scope, send)
        found = self._access.find(scope)
        try:
            await self._answer(scope, receive, answer, found)
        finally:
            self._open -= 1
            audit.note(scope, found, sender_of(scope), answer.status)

    async def _answer(
        self, scope: Scope, receive: Receive, answer: Answer, found: Found | None
    ) -> None:
        try:
            body = await self._admit(scope, receive, answer, found)
            call = _plain_call(scope, found)
            if call is None:
                await self._app(scope, _Replay(body, receive), answer)
            else:
                await (await answered(call))(scope, receive, answer)
        except ServiceError as refusal:
            await answer.end_with(self._shown(scope, refusal), receive)
        except Interrupted as interruption:
            await answer.end_with(self._shown(scope, interruption.refusal), receive)

    async def _admit(
        self, scope: Scope, receive: Receive, answer: Answer, found: Found | None
    ) -> bytes:
        """The body of a request that may pass. Raises ServiceError."""
        if self._open > self._settings.open_requests:
            raise Unavailable("too many requests are under way")
        _check_size(scope)
        headers = _headers(scope)
        _check_origin(scope, headers)
        is_known = found is None or found.least is not Least.ANYONE
        if is_known:
            await self._check_sender(scope, headers, answer, found)
        return await self._body(scope, headers, receive, is_known)

    async def _check_sender(
        self, scope: Scope, headers: Headers, answer: Answer, found: Found | None
    ) -> None:
        """Who it is, that it is not too often, and that it may. Raises ServiceError."""
        here, address = server_of(scope), address_of(scope.get("client"))
        given, is_known = _given_token(headers), True
        try:
            who = await here.keyring.identify(given, address)
        except Unavailable:  # whoever watches the server must hear that its database is gone
            if found is None or found.path != METRICS:
                raise
            who, is_known = here.keyring.remember(given), False
        wait = self._rates.take((who and who.token_id) or address)
        if wait:
            raise TooManyRequests("too many requests: send fewer, or wait in between", wait)
        if who is None:
            raise Unauthorized
        if who is LOOPBACK:
            _check_host(headers)
        scope[WHO] = who
        may_end_own = found is not None and found.least is Least.ADMIN  # the own token
        if is_known and not may_end_own:
            answer.while_valid(here.keyring, who)
        if found is None:
            return
        if not found.least.admits(who.role):
            raise RoleMissing(who.name, who.role, str(found.least))
        await here.owners.check(who, found.params)

    def _shown(self, scope: Scope, refusal: ServiceError) -> Response:
        if not _is_reader(scope):
            return respond(refusal)
        if isinstance(refusal, Unauthorized):
            return RedirectResponse("/sign-in", 303)
        return self._page_of(refusal)

    async def _body(
        self, scope: Scope, headers: Headers, receive: Receive, is_known: bool
    ) -> bytes:
        if scope["method"] in ("GET", "HEAD", "DELETE", "OPTIONS"):
            return b""
        is_binary = scope["method"] == "PUT"
        limit = self._settings.checkpoint_bytes if is_binary else self._settings.body_bytes
        limit = limit if is_known else min(limit, _SIGN_IN_BYTES)
        body = await read_body(receive, limit, headers.get("content-length"))
        if is_binary or not body:
            return body
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise WrongMediaType("application/json")
        scope[PARSED] = checked_json(body)
        return body


def _plain_call(scope: Scope, found: Found | None) -> Call | None:
    if found is None or not isinstance(found.route, LeanRoute):
        return None
    return found.route.plainly(scope, found.params)


def _given_token(headers: Headers) -> str:
    """The bearer token, or the one that a browser keeps for the pages; empty if there is none."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given
    cookies = cookie_parser(headers.get("cookie", ""))
    return "" if scheme else cookies.get(COOKIE, "")


def _is_reader(scope: Scope) -> bool:
    """Whether a person opens a page, who is better shown where to sign in."""
    return scope["method"] == "GET" and "text/html" in _headers(scope).get("accept", "")


def _check_origin(scope: Scope, headers: Headers) -> None:
    """Refuse what a page of another site makes a browser send; other clients send no such header.

    Raises ForeignPage.
    """
    if scope["method"] in _SAFE:
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None:  # browsers send it to https and to this machine only
        is_ours = origin is None or _host_of(origin) == headers.get("host")
    else:
        is_ours = site in ("same-origin", "none")
    if not is_ours:
        raise ForeignPage


def _host_of(origin: str) -> str:
    """With its port; empty for what is no origin."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _headers(scope: Scope) -> Headers:
    """By name; of those given twice the first. Starlette's look through all for each name."""
    pairs = reversed(scope["headers"])
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}


def _check_size(scope: Scope) -> None:
    """Raises HeadersTooLarge."""
    headers = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers)
    size += len(scope.get("raw_path") or b"") + len(scope["query_string"])
    if len(headers) > MOST_HEADERS or size > MOST_HEADER_BYTES:
        raise HeadersTooLarge(MOST_HEADERS, MOST_HEADER_BYTES)


@lru_cache(maxsize=256)
def _is_this_machine(host: str) -> bool:
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)


def _check_host(headers: Headers) -> None:
    """Refuse a name that somebody else may have given this machine's address.

    Else any page that a person here looks at could read and write all there is: its browser takes
    it for a page of this server. Raises ForeignName.
    """
    host = headers.get("host", "localhost")
    if not _is_this_machine(host):
        raise ForeignName(host)


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
