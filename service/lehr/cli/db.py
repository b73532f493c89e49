"""``lehr db ...``: the server's database, without the server."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lehr.cli import render
from lehr.cli.connect import needs_extra
from lehr.cli.local import DatabaseUrl, Home, settings_of

app = typer.Typer(help="Upgrade, check and back up the server's database.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def upgrade(as_json: AsJson = False, database_url: DatabaseUrl = None, home: Home = None) -> None:
    """Bring the database's tables to this version; lehr serve does so too when it starts.

    Back the database up before. Servers of the version before answer /readyz with 503 from then on.

    Example: lehr db backup before.db && lehr db upgrade
    """
    with _explained():
        from lehr_service.operations import upkeep

        settings = settings_of(database_url, home)
        with render.busy("upgrading the database"):
            done = upkeep.upgrade(settings)
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    elif done.before == done.after:
        typer.echo(f"{upkeep.shown(settings)} has schema {done.after} already")
    else:
        before = done.before or "nothing"
        typer.echo(f"{upkeep.shown(settings)}: from {before} to schema {done.after}")


@app.command()
def check(as_json: AsJson = False, database_url: DatabaseUrl = None, home: Home = None) -> None:
    """Look for damage and contradictions in the database; exits with 1 where there are any.

    A server may go on meanwhile. Every trial and report is read once.

    Example: LEHR_DATABASE_URL=postgresql://lehr@db/lehr lehr db check --json
    """
    with _explained():
        from lehr_service.operations import upkeep

        settings = settings_of(database_url, home)
        with render.busy("reading every trial and report"):
            found = upkeep.check(settings)
    if as_json:
        findings = [asdict(finding) for finding in found.findings]
        facts = {"schema": found.schema, "needed": found.needed, "findings": findings}
        typer.echo(json.dumps({"sound": found.is_sound, **facts}, indent=2))
    else:
        for finding in found.findings:
            typer.echo(f"{finding.state}: {finding.check}: {finding.says}")
        if found.is_sound:
            typer.echo(f"{upkeep.shown(settings)} is sound, with schema {found.schema}")
    if not found.is_sound:
        raise typer.Exit(1)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes.")],
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
    home: Home = None,
) -> None:
    """Copy the database, as it is at one moment, to a file, while servers go on.

    Of SQLite it makes a database file: to restore it, stop the server and put it in place of the
    old one, without the old one's -wal and -shm files. Of PostgreSQL it makes an archive with
    pg_dump: restore it with pg_restore. A file that is there is replaced when the copy is whole.

    Example: lehr db backup /backups/lehr-$(date +%F).db
    """
    with _explained():
        from lehr_service.operations import upkeep

        settings = settings_of(database_url, home)
        try:
            with render.busy("copying the database"):
                size = upkeep.backup(settings, file.absolute())
        except upkeep.BackupFailed as error:
            by_hand = upkeep.command(settings, file.absolute())
            does = f"; where it is, run: {shlex.join(by_hand)}" if by_hand else ""
            raise OSError(f"no backup was made: {error}{does}") from error
    if as_json:
        typer.echo(json.dumps({"file": str(file), "bytes": size}))
    else:
        typer.echo(f"{file}: {size:,} bytes of {upkeep.shown(settings)}")


@contextmanager
def _explained() -> Iterator[None]:
    """What a database can raise, as a sentence and exit code 1."""
    with needs_extra("db", "service"):
        from lehr_service.operations import upkeep
    try:
        yield
    except upkeep.FAILURES as error:
        typer.secho(upkeep.told(error), err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from error
