"""HTTP as httptools reads it, with limits to what a sender may leave unfinished."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lehr_service.api.guard import MOST_HEADER_BYTES, MOST_HEADERS
from lehr_service.errors import HeadersTooLarge, Malformed, ServiceError

HEADER_BYTES = 64 * 2**10
HEADER_SECONDS = 30.0
BODY_SECONDS = 30.0
BODY_BYTES_A_SECOND = 10_000


def _refusal(reason: bytes, error: ServiceError) -> bytes:
    """The answer to what never becomes a request: in the one form, and the connection's last."""
    body = error.answer().model_dump_json().encode()
    return (
        b"HTTP/1.1 %d %b\r\nconnection: close\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        % (error.status, reason, len(body), body)
    )


def _too_large() -> bytes:
    error = HeadersTooLarge(MOST_HEADERS, MOST_HEADER_BYTES)
    return _refusal(b"Request Header Fields Too Large", error)


class JoinedWrites:
    """A transport that sends what is written in one turn of the loop at once.

    The head of an answer and its body are written apart: two calls of the system, and two packets.
    """

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send(self) -> None:
        held, self._held = self._held, []
        if held:
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))


class PatientProtocol(HttpToolsProtocol):
    """Closes connections whose headers do not end after 64 KiB, or within 30 seconds.

    And those whose bodies do not end within 30 seconds and what 10,000 bytes a second would take.
    The parser itself would wait for both for ever.
    """

    def connection_made(self, transport: Any) -> None:
        self._unfinished = 0  # bytes of headers that have not ended
        self._in_headers = self._in_body = False
        self._body_until = 0.0
        self._deadline: asyncio.TimerHandle | None = None
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_body = False
        self._came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_body and self._deadline is None:
            self._await_body()
        if not self._in_headers or self.transport.is_closing():
            return
        self._unfinished += len(data)
        if self._unfinished > HEADER_BYTES:
            self.transport.write(_too_large())
            self.transport.close()
        elif self._deadline is None:
            self._await_headers()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser does not take, such as an address of more than 64 KiB."""
        is_long = len(self.url or b"") > MOST_HEADER_BYTES
        other = _refusal(b"Bad Request", Malformed("this is not valid HTTP"))
        self.transport.write(_too_large() if is_long else other)
        self.transport.close()

    def on_message_begin(self) -> None:
        self._in_headers = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_headers, self._unfinished = False, 0
        self._in_body, self._body_until = True, self.loop.time() + BODY_SECONDS
        self._came()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self.cycle is not None and not self.cycle.response_complete:  # else nobody wants it
            self._body_until += len(body) / BODY_BYTES_A_SECOND
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._came()
        super().on_message_complete()

    def _await_headers(self) -> None:
        self._deadline = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _await_body(self) -> None:
        """Look again when it should have ended; while this server takes no more, it cannot."""
        left = self._body_until - self.loop.time()
        if left > 0 or self.flow.read_paused:
            self._deadline = self.loop.call_later(max(left, 1.0), self._await_body)
        else:
            self._give_up()

    def _came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.close()
