"""Tokens: made, listed, revoked."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlalchemy import Connection

from lehr.wire.tokens import CreatedToken, NewToken, TokenPage
from lehr_service.api.deps import Here, answer, refuses
from lehr_service.errors import TokenUnknown
from lehr_service.operations import tokens as operations

router = APIRouter(prefix="/v1/tokens", tags=["tokens"])

TokenId = Annotated[str, Path(max_length=100, description="the token's id, which is no secret")]


@router.post("", status_code=201, response_model=CreatedToken, responses=refuses(400))
async def create_token(wanted: NewToken, here: Here) -> Response:
    """Make a token. The answer is the only place where it is ever shown.

    The first token closes the server to all who have none, so it has to be an admin's.
    """
    now = here.clock()

    def create(connection: Connection) -> CreatedToken:
        if here.settings.token is None:
            operations.check_admin_first(connection, wanted.role, now)
        return operations.create(connection, wanted, now)

    created = await here.write(create)
    await here.keyring.look_again()
    return answer(created, 201)


@router.get("", response_model=TokenPage, responses=refuses())
async def list_tokens(here: Here) -> Response:
    """All tokens, the newest first; those that are not valid any more stay, for the records."""
    return answer(TokenPage(items=await here.read(operations.listed)))


@router.delete("/{token_id}", status_code=204, responses=refuses(404, 409))
async def revoke_token(token_id: TokenId, here: Here) -> Response:
    """Make a token invalid for good, on all servers within two seconds."""
    if not token_id.isalnum() or not token_id.isascii():
        raise TokenUnknown(token_id)
    now, keeps = here.clock(), here.settings.token is None
    await here.write(lambda c: operations.revoke(c, token_id, now, keep_an_admin=keeps))
    await here.keyring.look_again()
    return Response(status_code=204)
