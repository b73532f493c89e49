"""The ``lehr`` command."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from lehr.cli import db, study, study_range_tests, token, worker
from lehr.cli.doctor import doctor
from lehr.cli.range_test import range_test
from lehr.cli.serve import serve
from lehr.cli.usage import Commands
from lehr.cli.work import work

app = typer.Typer(
    name="lehr",
    cls=Commands,
    help="Search for the optimizer, the initial learning rate and the decay schedule.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lehr {version('lehr')}")
        raise typer.Exit


@app.callback()
def lehr(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    """Search for the optimizer, the initial learning rate and the decay schedule."""


app.command()(serve)
app.command()(work)
app.command()(range_test)
app.command()(doctor)
study.app.command("range-tests")(study_range_tests.range_tests)
app.add_typer(study.app, name="study")
app.add_typer(worker.app, name="worker")
app.add_typer(db.app, name="db")
app.add_typer(token.app, name="token")
