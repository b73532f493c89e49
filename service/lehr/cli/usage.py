"""What a person reads who has typed a command wrongly."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""Of which library it is depends on Typer's version."""


class Commands(TyperGroup):
    """Commands whose errors of usage are one line; Typer draws a box of six around them."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        given = (args, prog_name, complete_var, False, windows_expand_args)
        if not standalone_mode:
            return super().main(*given, **extra)
        try:
            code = super().main(*given, **extra)
        except typer.Abort:
            typer.echo("aborted", err=True)
            sys.exit(1)
        except _UsageError as error:
            if type(error).__name__ != "NoArgsIsHelpError":  # the help has been printed
                typer.secho(_line(error), err=True, fg=typer.colors.RED)
            sys.exit(2)
        sys.exit(code or 0)


def _line(error: Any) -> str:
    path = error.ctx.command_path if error.ctx else "lehr"
    words = error.format_message().replace("Value error, ", "").replace("Input should", "must")
    said = " ".join(words.split()).rstrip(".")
    return f"{path}: {said[:1].lower()}{said[1:]}; see {path} --help"
