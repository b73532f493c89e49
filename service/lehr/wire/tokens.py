"""Tokens: who may do what at a server."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from lehr.wire.base import Duration, Moment, Text, Wire, example


class Role(StrEnum):
    """What a token allows."""

    VIEWER = "viewer"
    """To read."""
    RESEARCHER = "researcher"
    """To read, and to write studies and trials."""
    WORKER = "worker"
    """To train: to register workers, and to act for those that it registered."""
    ADMIN = "admin"
    """Everything, tokens and draining workers included."""


TokenName = Annotated[Text, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]


class NewToken(Wire):
    """A token that is wanted."""

    model_config = example(name="gpu-boxes", role="worker", expires_in="90d")

    name: TokenName = Field(description="for whom or what it is, as people and audit logs read it")
    role: Role
    expires_in: Duration | None = Field(
        default=None, description='seconds, or a string such as "90d"; null: until it is revoked'
    )


_TOKEN: dict[str, Any] = {
    "id": "9f3c2a61b0d45e87",
    "name": "gpu-boxes",
    "role": "worker",
    "created_at": "2026-05-04T09:12:05.250Z",
    "expires_at": "2026-08-02T09:12:05.250Z",
    "last_used_at": None,
    "revoked_at": None,
}


class Token(Wire):
    """A token as the service knows it: all but the token itself, of which it keeps a hash."""

    model_config = example(**_TOKEN)

    id: str
    name: str
    role: Role
    created_at: Moment
    expires_at: Moment | None
    last_used_at: Moment | None = Field(description="to the minute")
    revoked_at: Moment | None


class CreatedToken(Token):
    model_config = example(**_TOKEN, token="lehr_9f3c2a61b0d45e87_...")

    token: str = Field(description="the token itself, which is never shown again")


class TokenPage(Wire):
    items: list[Token]
    next: str | None = None
