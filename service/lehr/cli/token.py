"""``lehr token ...``: who may do what at the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Protocol

import typer
from rich.table import Table

from lehr.cli import render
from lehr.cli.connect import AsJson, Server, connected, explained, needs_extra
from lehr.cli.connect import Token as TokenOption
from lehr.cli.local import DatabaseUrl, Home, settings_of
from lehr.errors import LehrError
from lehr.wire.tokens import CreatedToken, Role, Token

app = typer.Typer(help="Make and revoke tokens: who may do what.", no_args_is_help=True)

Local = Annotated[
    bool,
    typer.Option(
        "--local",
        help="Work on the database itself, on the server's machine, whether a server runs or not; "
        "--database-url implies it.",
    ),
]


class Tokens(Protocol):
    """What both a client of a server and its database offer."""

    def create_token(
        self, name: str, role: Role, expires_in: str | None = None
    ) -> CreatedToken: ...

    def tokens(self) -> Iterator[Token]: ...

    def revoke_token(self, token_id: str) -> None: ...


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="For whom or what it is, as logs will say.")],
    role: Annotated[
        Role,
        typer.Option(
            help="viewer: reads. researcher: also writes studies and trials. worker: trains. "
            "admin: everything."
        ),
    ],
    expires: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Such as 90d or 12h; by default when it is revoked."),
    ] = None,
    as_json: AsJson = False,
    local: Local = False,
    database_url: DatabaseUrl = None,
    home: Home = None,
    server: Server = None,
    token: TokenOption = None,
) -> None:
    """Make a token, and print it: this once, on standard output.

    The first one is an admin's, and is made with --local on the server's machine.

    Example: lehr token create gpu-boxes --role worker --expires 90d
    """
    with _tokens(local, database_url, home, server, token) as tokens:
        made = tokens.create_token(name, role, expires)
    if as_json:
        render.print_json(made)
        return
    typer.echo(made.token)
    until = f" until {made.expires_at:%Y-%m-%d %H:%M} UTC" if made.expires_at else ""
    typer.echo(f"{made.role} token of {made.name}{until}; it is not shown again", err=True)


@app.command("list")
def list_(
    as_json: AsJson = False,
    local: Local = False,
    database_url: DatabaseUrl = None,
    home: Home = None,
    server: Server = None,
    token: TokenOption = None,
) -> None:
    """List the tokens, but not what they are: role, last use, and until when each is valid.

    Example: lehr token list
    """
    with _tokens(local, database_url, home, server, token) as tokens:
        known = list(tokens.tokens())
    if as_json:
        render.print_json(known)
    elif known:
        render.console().print(_table(known))
    else:
        typer.echo("no tokens; make the first with: lehr token create NAME --role admin")


@app.command()
def revoke(
    wanted: Annotated[
        str, typer.Argument(metavar="ID_OR_NAME", help="As lehr token list shows it.")
    ],
    as_json: AsJson = False,
    local: Local = False,
    database_url: DatabaseUrl = None,
    home: Home = None,
    server: Server = None,
    token: TokenOption = None,
) -> None:
    """Make a token invalid, for good and on all servers within two seconds.

    Example: lehr token revoke gpu-boxes
    """
    with _tokens(local, database_url, home, server, token) as tokens:
        found = _find(list(tokens.tokens()), wanted)
        tokens.revoke_token(found.id)
        if as_json:
            render.print_json(next(t for t in tokens.tokens() if t.id == found.id))
        else:
            typer.echo(f"{found.role} token of {found.name} ({found.id}) is revoked")


@contextmanager
def _tokens(
    local: bool, database_url: str | None, home: Path | None, server: str | None, token: str | None
) -> Iterator[Tokens]:
    if not local and database_url is None:
        with connected(server, token) as client:
            yield client
        return
    with needs_extra("token --local", "service"):
        from lehr_service.bootstrap import LocalTokens
    settings = settings_of(database_url, home)
    with explained(), LocalTokens(settings) as tokens:
        yield tokens


def _find(known: list[Token], wanted: str) -> Token:
    found = [t for t in known if wanted == t.id or (wanted == t.name and t.revoked_at is None)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(t.id for t in found)
        raise LehrError(f"{len(found)} tokens are named {wanted!r}; give an id: {ids}")
    raise LehrError(f"no token has the id or name {wanted!r}; see: lehr token list")


def _table(known: list[Token]) -> Table:
    shown = render.table("name", "role", "state", "made", "last used", "valid until", "id")
    for token in known:
        shown.add_row(
            token.name,
            token.role.value,
            _state(token),
            f"{render.duration(token.created_at, None)} ago",
            f"{render.duration(token.last_used_at, None)} ago" if token.last_used_at else "never",
            f"{token.expires_at:%Y-%m-%d}" if token.expires_at else "no end",
            token.id,
        )
    return shown


def _state(token: Token) -> str:
    if token.revoked_at is not None:
        return "revoked"
    is_over = token.expires_at is not None and token.expires_at <= datetime.now(UTC)
    return "expired" if is_over else "valid"
