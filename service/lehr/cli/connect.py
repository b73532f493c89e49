"""How a command reaches the server, and what a person reads when it does not work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Annotated

import typer

from lehr.client import Client
from lehr.errors import LehrError, ServerUnreachable

Server = Annotated[
    str | None,
    typer.Option(
        envvar="LEHR_SERVER",
        help="URL of the server, or of several of one database with commas between; "
        "default http://127.0.0.1:8642.",
        metavar="URL",
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="LEHR_TOKEN",
        help="The server's token; rather set LEHR_TOKEN, or LEHR_TOKEN_FILE.",
        show_envvar=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, as the server sends it.")]

_COMPLETED = 200  # the latest studies, that a shell may offer
_START = "; start one with: lehr serve; or say where it is: --server URL, or LEHR_SERVER"


def _named_so_far(incomplete: str) -> list[str]:
    """Names of studies for the shell to complete; none where no server answers at once."""
    with suppress(LehrError), Client(timeout=2.0, retry_seconds=0.0) as client:
        latest = islice(client.studies(), _COMPLETED)
        return [study.name for study in latest if study.name.startswith(incomplete)]
    return []


StudyName = Annotated[
    str, typer.Argument(metavar="NAME", help="The study's name.", autocompletion=_named_so_far)
]


@contextmanager
def connected(
    server: str | None, token: str | None, retry_seconds: float = 1.0
) -> Iterator[Client]:
    """A client; what it raises ends the command with one message and exit code 1."""
    with explained(), Client(server, token, retry_seconds=retry_seconds) as client:
        yield client


@contextmanager
def explained() -> Iterator[None]:
    """Errors of lehr as a message on standard error and exit code 1."""
    try:
        yield
    except LehrError as error:
        do = _START if isinstance(error, ServerUnreachable) else ""
        typer.secho(f"{error}{do}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from error


@contextmanager
def needs_extra(command: str, extra: str) -> Iterator[None]:
    """Where an import fails because an extra is not installed: a message that says which."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "lehr").partition(".")[0]
        if package.startswith("lehr"):
            raise
        typer.secho(
            f"lehr {command} needs the extra [{extra}] ({package} is not installed): "
            f"pip install 'lehr[{extra}]'",
            err=True,
            fg=typer.colors.RED,
        )
        raise typer.Exit(1) from error
