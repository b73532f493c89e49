"""Options of commands that work on the server's database itself, and the settings they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

if TYPE_CHECKING:
    from lehr_service.settings import Settings

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        envvar="LEHR_DATABASE_URL",
        help="sqlite:///FILE or postgresql://..., by default the SQLite file in the home folder.",
    ),
]
Home = Annotated[
    Path | None,
    typer.Option(
        envvar="LEHR_HOME", help="Folder of the server's files, by default ~/.local/share/lehr."
    ),
]


def settings_of(database_url: str | None, home: Path | None) -> Settings:
    """The server's settings with what was given; raises BadParameter where it is wrong."""
    from lehr_service.settings import Settings

    given: dict[str, Any] = {"database_url": database_url, "home": home}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        (first, *_) = error.errors()
        option = f"--{str(first['loc'][0]).replace('_', '-')}"
        raise typer.BadParameter(first["msg"], param_hint=option) from error
