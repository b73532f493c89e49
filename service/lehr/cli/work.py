"""``lehr work``: trains on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lehr.cli.connect import Server, Token, explained, needs_extra


def work(
    server: Server = None,
    token: Token = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE",
            help="Python module with tasks of your own, such as my_package.my_tasks; may be "
            "repeated. The built-in tasks are always there.",
        ),
    ] = None,
    devices: Annotated[
        str,
        typer.Option(help="auto (all GPUs, else the CPU), cpu, or GPUs by position, such as 0,1."),
    ] = "auto",
    name: Annotated[
        str | None, typer.Option(help="The worker's name; the machine's if not given.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(envvar="LEHR_DATA_DIR", help="Folder of the data sets."),
    ] = None,
) -> None:
    """Train trials on this machine, one at a time on each GPU.

    Ctrl-C or SIGTERM ends it: trials that run are finished or handed back.
    """
    with needs_extra("work", "worker"):
        from lehr_worker.agent import AgentOptions, run
    with explained():
        given = {}
        raise typer.Exit(run(AgentOptions(**given)))
