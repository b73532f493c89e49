"""One request and its answer: sending, sending again, and reading what came back."""

from __future__ import annotations

import json
import random
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from lehr.errors import (
    ApiError,
    LehrError,
    ServerUnreachable,
    Unavailable,
    UnexpectedAnswer,
    api_error,
)
from lehr.wire.errors import ErrorAnswer

M = TypeVar("M", bound=BaseModel)

_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_TOO_MANY = 429  # the server did nothing
_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class Request:
    """A request, and whether the server may see it twice (``repeatable``).

    ``patience`` is the number of seconds the server may hold the answer back (long poll).
    """

    method: str
    path: str
    query: Mapping[str, Any] | None = None
    body: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] | None = None
    repeatable: bool = False
    patience: float = 0.0


class Connection:
    """Sends requests to a server, or to any of several of one database; may be shared by threads.

    One of them is used until it fails a request, which then goes to the next.
    """

    def __init__(
        self,
        server: str,
        token: str | None,
        timeout: float,
        retry_seconds: float,
        transport: httpx.BaseTransport | None,
        sleep: Callable[[float], object],
        now: Callable[[], float],
        ca_file: str | None = None,
    ) -> None:
        servers = [_server_url(each) for each in server.split(",") if each.strip()]
        self._servers = servers or [_server_url(server)]
        self._used = random.randrange(len(self._servers))
        self._timeout = timeout
        self._retry_seconds = retry_seconds
        self._sleep = sleep
        self._now = now
        self._clients = [
            httpx.Client(
                base_url=url,
                headers=_headers(token),
                transport=transport,
                trust_env=not _is_loopback(url),
                verify=_trust(url, ca_file),
            )
            for url in self._servers
        ]

    @property
    def server(self) -> str:
        """The URL of the server that is used now."""
        return self._servers[self._used]

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def send(self, request: Request) -> httpx.Response:
        """The answer to a request, sent again while that is safe and may help.

        A repeatable request is sent again after any failed connection and after 429, 502, 503 and
        504; any other after 429, or if it cannot have reached the server. Waits double from 0.2 to
        10 s, with jitter, last at least the server's ``Retry-After``, and end after
        ``retry_seconds``, or when ``sleep`` answers that it was interrupted (as
        ``threading.Event.wait`` does). Where there are several servers, each is tried before a
        wait.
        """
        return self._repeated(request, self._send_once)

    def _repeated(
        self, request: Request, send: Callable[[Request, int], httpx.Response]
    ) -> httpx.Response:
        give_up = self._now() + self._retry_seconds
        wait = _FIRST_WAIT_SECONDS
        while True:
            try:
                return self._anywhere(request, send)
            except (ServerUnreachable, Unavailable) as error:
                pause = wait * random.uniform(0.5, 1.0)
                if isinstance(error, Unavailable):
                    pause += error.retry_after or 0.0
                if not _may_repeat(request, error) or self._now() + pause > give_up:
                    raise
                if self._sleep(pause):
                    raise
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)

    @contextmanager
    def stream(self, request: Request) -> Iterator[httpx.Response]:
        """An answer that goes on, to be read as it comes; it is made anew as in ``send``."""
        answer = self._repeated(request, self._open)
        try:
            yield answer
        finally:
            answer.close()

    def _open(self, request: Request, number: int) -> httpx.Response:
        http = self._clients[number]
        timeout = httpx.Timeout(self._timeout, read=self._timeout + request.patience)
        built = http.build_request(
            request.method,
            request.path,
            params=_present(request.query or {}),
            headers=dict(request.headers or {}),
            timeout=timeout,
        )
        try:
            answer = http.send(built, stream=True)
        except httpx.RequestError as error:
            raise ServerUnreachable(self._servers[number], _cause(error)) from error
        if not answer.is_success:
            answer.read()
            answer.close()
        _raise_unless_success(answer)
        return answer

    def ask(self, request: Request, answer: type[M]) -> M:
        """The answer's body, read as ``answer``."""
        return self.read(self.send(request), answer)

    def read(self, response: httpx.Response, answer: type[M]) -> M:
        """The answer as a model; fields that a newer server adds are left out."""
        try:
            return answer.model_validate_json(response.content, extra="ignore")
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise UnexpectedAnswer(
                f"{response.request.method} {response.request.url} was answered with something "
                f"else than a {answer.__name__.lower()} ({place or 'body'}: {first['msg']}); "
                "is it a lehr server of this version?"
            ) from error

    def _anywhere(
        self, request: Request, send: Callable[[Request, int], httpx.Response]
    ) -> httpx.Response:
        """The answer of the first server that gives one; a server that fails is left."""
        others = len(self._servers) - 1
        while True:
            used = self._used
            try:
                return send(request, used)
            except (ServerUnreachable, Unavailable) as error:
                self._used = (used + 1) % len(self._servers)
                if others == 0 or not _may_repeat(request, error):
                    raise
            others -= 1

    def _send_once(self, request: Request, number: int) -> httpx.Response:
        try:
            response = self._clients[number].request(
                request.method,
                request.path,
                params=_present(request.query or {}),
                content=_encode(request.body) if request.body is not None else request.content,
                headers=_content_type(request),
                timeout=httpx.Timeout(self._timeout, read=self._timeout + request.patience),
            )
        except httpx.RequestError as error:
            raise ServerUnreachable(self._servers[number], _cause(error)) from error
        _raise_unless_success(response)
        return response


def _trust(url: str, ca_file: str | None) -> ssl.SSLContext | bool:
    """Whose certificates are believed; True: those that httpx comes with."""
    if url.startswith("https:"):
        return _trusted(ca_file) if ca_file else True
    # Nobody's, where no TLS is spoken: reading the usual ones takes 40 ms of every command.
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if _is_loopback(url) else True


def _trusted(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise LehrError(
            f"{ca_file!r} (LEHR_CA_FILE) is no file of certificates in PEM: "
            f"{error.strerror or error}"
        ) from error


def _may_repeat(request: Request, error: LehrError) -> bool:
    was_turned_away = isinstance(error, Unavailable) and error.status == _TOO_MANY
    return request.repeatable or was_turned_away or isinstance(error.__cause__, _UNSENT)


def _raise_unless_success(response: httpx.Response) -> None:
    if response.is_success:
        return
    if response.status_code < 400:
        raise UnexpectedAnswer(
            f"{response.request.url} answered {response.status_code}; is it a lehr server?"
        )
    raise _read_error(response)


def _read_error(response: httpx.Response) -> ApiError:
    status = response.status_code
    try:
        body = ErrorAnswer.model_validate_json(response.content, extra="ignore").error
        error = api_error(status, body.code, body.message, body.fields)
    except ValidationError:
        said = " ".join(response.text.split())[:200]
        where = f"{response.request.method} {response.request.url}"
        error = api_error(status, f"http_{status}", f"{where} answered {status}: {said}")
    if isinstance(error, Unavailable):
        error.retry_after = _seconds(response.headers.get("Retry-After"))
    return error


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdecimal() else None


def _cause(error: httpx.RequestError) -> str:
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return "no connection in time"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return str(error) or type(error).__name__


def _encode(body: Any) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except ValueError as error:
        raise LehrError(f"this cannot be sent as JSON: {error}") from error


def _content_type(request: Request) -> dict[str, str]:
    kind = "application/json" if request.body is not None else "application/octet-stream"
    typed = {"Content-Type": kind} if (request.body, request.content) != (None, None) else {}
    return typed | dict(request.headers or {})


def _present(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _headers(token: str | None) -> dict[str, str]:
    agent = {"User-Agent": f"lehr/{version('lehr')}"}
    return agent | ({"Authorization": f"Bearer {token}"} if token else {})


def _server_url(server: str) -> str:
    url = server.strip()
    url = url if "://" in url else f"http://{url}"
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise LehrError(f"{server!r} is not a server's URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise LehrError(f"{server!r} is not a server's URL: give http://HOST:PORT or https://HOST")
    return url.rstrip("/")


def _is_loopback(server: str) -> bool:
    """A proxy named in the environment could not reach a server on this machine."""
    host = httpx.URL(server).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
