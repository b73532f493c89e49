"""``lehr work``: trains on this machine."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from lehr.cli.connect import Server, Token, needs_extra


def work(
    server: Server = None,
    token: Token = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE",
            help="Python module with tasks of your own, such as my_package.my_tasks; may be "
            "given several times. The built-in tasks are always there.",
        ),
    ] = None,
    devices: Annotated[
        str,
        typer.Option(help="auto (all GPUs, else the CPU), cpu, or GPUs by position, such as 0,1."),
    ] = "auto",
    name: Annotated[
        str | None, typer.Option(help="The worker's name, by default the machine's.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(envvar="LEHR_DATA_DIR", help="Folder of the data sets.")
    ] = None,
    checkpoints: Annotated[
        str,
        typer.Option(
            envvar="LEHR_CHECKPOINTS",
            metavar="PLACE",
            help="Where the states that trials resume from are kept: server, a folder (one that "
            "all workers share, for trials to resume on any), or a URL that fsspec opens, such as "
            "s3://bucket/lehr.",
        ),
    ] = "server",
    checkpoint_epochs: Annotated[
        int | None,
        typer.Option(
            envvar="LEHR_CHECKPOINT_EPOCHS",
            min=1,
            help="Epochs from one checkpoint to the next; by default only time counts.",
        ),
    ] = None,
    checkpoint_seconds: Annotated[
        float,
        typer.Option(
            envvar="LEHR_CHECKPOINT_SECONDS",
            min=0,
            help="Seconds from one checkpoint to the next, if its epochs have not passed before. "
            "Where a checkpoint is costly there are fewer: training waits for them for at most "
            "2 % of its time.",
        ),
    ] = 60.0,
    tensorboard: Annotated[
        Path | None,
        typer.Option(
            envvar="LEHR_TENSORBOARD",
            metavar="DIR",
            file_okay=False,
            writable=True,
            help="Write TensorBoard logs of every trial into DIR/STUDY/TRIAL: metrics and learning "
            "rate by epoch, parameters. Look at them with tensorboard --logdir DIR.",
        ),
    ] = None,
    drain_seconds: Annotated[
        float,
        typer.Option(
            envvar="LEHR_DRAIN_SECONDS",
            min=0,
            help="How long trials may go on after Ctrl-C or SIGTERM; then they are handed back.",
        ),
    ] = 15.0,
    idle_exit_seconds: Annotated[
        float | None,
        typer.Option(
            envvar="LEHR_IDLE_EXIT_SECONDS",
            min=1,
            help="Leave after so long without a trial, with status 0, so that whoever lent the "
            "machine gets it back; by default it waits for ever.",
        ),
    ] = None,
) -> None:
    """Train trials on this machine, one at a time on each device.

    Ctrl-C or SIGTERM ends it: no trial is lost, what cannot finish in time is handed back and goes
    on elsewhere from its last checkpoint.

    Example: lehr work --tasks my_package.my_tasks --devices 0,1
    """
    with needs_extra("work", "worker"):
        _require("keras")
        from lehr_worker.agent import AgentOptions, run
    _log_to_stderr()
    options = AgentOptions(
        server=server,
        token=token,
        tasks=tuple(tasks or ()),
        devices=devices,
        name=name,
        data_dir=None if data_dir is None else str(data_dir),
        checkpoints=checkpoints,
        checkpoint_epochs=checkpoint_epochs,
        checkpoint_seconds=checkpoint_seconds,
        tensorboard=None if tensorboard is None else str(tensorboard.resolve()),
        drain_seconds=drain_seconds,
        idle_exit_seconds=idle_exit_seconds,
    )
    raise typer.Exit(run(options))


def _require(package: str) -> None:
    """The trainers load it, not this process: better to know before they start."""
    if find_spec(package) is None:
        raise ModuleNotFoundError(package, name=package)


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
