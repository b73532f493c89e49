"""What goes back: the headers that every answer has, and no word to whom the door was closed."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lehr_service.api.identity import FRESH_SECONDS, Keyring, Principal
from lehr_service.errors import ServiceError, Unauthorized

_EVERY = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
_TLS = (b"strict-transport-security", b"max-age=31536000")


class Interrupted(Exception):
    """The receiver may not have the answer any more."""

    def __init__(self, refusal: ServiceError) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Answer:
    """Sends an answer; one that takes long, or goes on, only while its receiver's token is valid.

    ``status`` is 0 before it has begun.
    """

    def __init__(self, scope: Scope, send: Send) -> None:
        self.status = 0
        self._scope, self._send = scope, send
        self._sender: tuple[Keyring, Principal] | None = None
        self._goes_on = False

    def while_valid(self, keyring: Keyring, who: Principal) -> None:
        """Send no more than what is begun once this sender would be refused."""
        self._sender = keyring, who
        self._checked_at = time.monotonic()

    async def __call__(self, message: Message) -> None:
        """Raises Interrupted."""
        starts = message["type"] == "http.response.start"
        if self._sender is not None and (starts or self._goes_on):
            await self._check(*self._sender)
        if starts:
            self.status = message["status"]
            names = {name for name, _ in message["headers"]}
            self._goes_on = b"content-length" not in names
            added = _EVERY if self._scope["scheme"] != "https" else (*_EVERY, _TLS)
            headers = [*message["headers"], *(pair for pair in added if pair[0] not in names)]
            message = {**message, "headers": headers}
        await self._send(message)

    async def end_with(self, response: ASGIApp, receive: Receive) -> None:
        """Send this instead of what was to come, or nothing more where that has begun."""
        self._sender = None
        if self.status:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await response(self._scope, receive, self)

    async def _check(self, keyring: Keyring, who: Principal) -> None:
        now = time.monotonic()
        if now - self._checked_at < FRESH_SECONDS:
            return
        self._checked_at = now
        try:
            if not await keyring.is_valid(who):
                raise Interrupted(Unauthorized())
        except ServiceError as error:
            raise Interrupted(error) from error
