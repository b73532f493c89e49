"""``lehr worker ...``: who trains."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lehr.cli import render
from lehr.cli.connect import AsJson, Server, Token, connected
from lehr.client import Client
from lehr.demand import devices_wanted
from lehr.errors import LehrError
from lehr.wire.workers import Worker

app = typer.Typer(help="See the workers, and send them home.", no_args_is_help=True)


@app.command("list")
def list_(as_json: AsJson = False, server: Server = None, token: Token = None) -> None:
    """List the workers, what each runs, and when it was last heard.

    Example: lehr worker list
    """
    with connected(server, token) as client:
        workers = list(client.workers())
        if as_json:
            render.print_json(workers)
        elif workers:
            render.console().print(render.workers_table(workers))
            for worker in workers:
                for module, why in worker.problems.items():
                    typer.echo(f"{worker.name} cannot use {module}: {why}")
        else:
            typer.echo("no workers; start one on a machine that trains with: lehr work")


@app.command()
def drain(
    worker: Annotated[
        str, typer.Argument(metavar="ID_OR_NAME", help="As lehr worker list shows it.")
    ],
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Give a worker no new trials; it leaves when those it runs end.

    Example: lehr worker drain gpu-box
    """
    with connected(server, token) as client:
        found = _find(client, worker)
        client.drain(found.id)
        if as_json:
            render.print_json(found.model_copy(update={"state": "draining"}))
            return
        typer.echo(f"worker {found.name} leaves when its {len(found.running)} running trials end")


@app.command()
def wanted(
    most: Annotated[
        int, typer.Option(min=0, help="Never say more, as studies without limits want no end.")
    ] = 100,
    task: Annotated[
        list[str] | None,
        typer.Option(help="Count only studies of this task; may be given several times."),
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Print how many devices the studies could use now: what scales a fleet.

    It counts trials that run or could start at once, within the studies' limits.
    Example: lehr worker wanted --most 64
    """
    with connected(server, token) as client:
        devices = devices_wanted(client, most, task or ())
    typer.echo(json.dumps({"devices": devices}) if as_json else devices)


def _find(client: Client, wanted: str) -> Worker:
    workers = [worker for worker in client.workers() if worker.state != "lost"]
    found = [worker for worker in workers if wanted in (worker.id, worker.name)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(worker.id for worker in found)
        raise LehrError(f"{len(found)} workers are named {wanted!r}; give an id: {ids}")
    here = ", ".join(worker.name for worker in workers) or "none"
    raise LehrError(f"no worker has the id or name {wanted!r}; here are: {here}")
