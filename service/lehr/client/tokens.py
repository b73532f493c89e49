"""Calls of an admin about tokens."""

from __future__ import annotations

from collections.abc import Iterator

from lehr.client.calls import Calls, path_of
from lehr.client.connection import Request
from lehr.wire.tokens import CreatedToken, Role, Token, TokenPage


class TokenCalls(Calls):
    """Who may do what at the server."""

    def create_token(
        self, name: str, role: Role | str, expires_in: float | str | None = None
    ) -> CreatedToken:
        """Make a token; its text is in the answer's ``token``, and is never shown again.

        ``expires_in``: seconds, or a string such as ``90d``; None: until it is revoked.
        """
        body = {"name": name, "role": role, "expires_in": expires_in}
        given = {key: value for key, value in body.items() if value is not None}
        return self._post("/v1/tokens", given, CreatedToken)

    def tokens(self) -> Iterator[Token]:
        """All tokens, the newest first; those that are not valid any more included."""
        return (token for page in self._pages("/v1/tokens", {}, TokenPage) for token in page.items)

    def revoke_token(self, token_id: str) -> None:
        """Make a token invalid for good, on all servers within two seconds."""
        path = path_of("tokens", token_id)
        self._connection.send(Request("DELETE", path, repeatable=True))
