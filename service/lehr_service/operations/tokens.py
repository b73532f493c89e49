"""What happens to tokens: made, listed, revoked."""

from __future__ import annotations

from sqlalchemy import Connection

from lehr.wire.tokens import CreatedToken, NewToken, Role
from lehr.wire.tokens import Token as TokenView
from lehr_service.domain import tokens as rules
from lehr_service.domain.tokens import Token
from lehr_service.errors import Invalid, LastAdmin, TokenUnknown
from lehr_service.operations.views import moment, moment_or_none
from lehr_service.storage import tokens


def create(connection: Connection, new: NewToken, now: float) -> CreatedToken:
    """Make a token; its text is in the answer and nowhere else."""
    token, text = rules.new_token(new.name, new.role, now, new.expires_in)
    tokens.add(connection, token)
    return CreatedToken(**dict(view(token)), token=text)


def check_admin_first(connection: Connection, role: Role, now: float) -> None:
    """Raises Invalid where the token would close the server to everybody who can make another."""
    if role is not Role.ADMIN and not _admins(tokens.every(connection), now):
        message = "must be admin: the first token closes the server to all who have none"
        raise Invalid("make an admin's token first", [(("role",), message)])


def revoke(connection: Connection, token_id: str, now: float, *, keep_an_admin: bool) -> None:
    """Make a token invalid for good. Raises TokenUnknown, LastAdmin."""
    tokens.lock(connection)  # or two admins might revoke each other's, and none be left
    known = tokens.every(connection)
    if token_id not in {token.id for token in known}:
        raise TokenUnknown(token_id)
    if keep_an_admin and [t.id for t in _admins(known, now)] == [token_id]:
        raise LastAdmin
    tokens.revoke(connection, token_id, now)


def listed(connection: Connection) -> list[TokenView]:
    """All tokens, those that are not valid any more included, the newest first."""
    return [view(token) for token in reversed(tokens.every(connection))]


def view(token: Token) -> TokenView:
    """A token as the service shows it."""
    return TokenView(
        id=token.id,
        name=token.name,
        role=token.role,
        created_at=moment(token.created_at),
        expires_at=moment_or_none(token.expires_at),
        last_used_at=moment_or_none(token.last_used_at),
        revoked_at=moment_or_none(token.revoked_at),
    )


def _admins(known: list[Token], now: float) -> list[Token]:
    return [token for token in known if token.role is Role.ADMIN and token.is_valid(now)]
