"""``lehr work``: trains on this machine."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from lehr.cli.connect import Server, Token, needs_extra
from lehr.logs import LogFormat, LogLevel, configure


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
    step_seconds: Annotated[
        float | None,
        typer.Option(
            envvar="LEHR_STEP_SECONDS",
            min=1,
            help="Longest time for an epoch, the first with its loading and compiling included: a "
            "trial that takes longer hangs, and fails. By default a day for the first, then "
            "ten times the slowest so far and ten minutes.",
        ),
    ] = None,
    memory_bytes: Annotated[
        int | None,
        typer.Option(
            envvar="LEHR_MEMORY_BYTES",
            min=1,
            help="Most memory of the machine (not of the GPU) for one trainer: a trial beyond it "
            "ends as out_of_memory. By default nine tenths of what the machine or its control "
            "group has.",
        ),
    ] = None,
    drain_seconds: Annotated[
        float,
        typer.Option(
            envvar="LEHR_DRAIN_SECONDS",
            min=0,
            help="How long trials may go on after Ctrl-C or SIGTERM; then they are handed back, "
            "which takes up to 10 s more. Stay below the grace period of what ends the worker "
            "(Kubernetes and Slurm: 30 s). A second signal hands back at once.",
        ),
    ] = 15.0,
    log_format: Annotated[
        LogFormat,
        typer.Option(
            envvar="LEHR_LOG_FORMAT",
            help="text, or json: an object a line, with study, trial and attempt.",
        ),
    ] = "text",
    log_level: Annotated[
        LogLevel, typer.Option(envvar="LEHR_LOG_LEVEL", help="debug, info, warning or error.")
    ] = "info",
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

    A trial that raises, crashes, hangs, runs out of memory or diverges fails with its reason, and
    the next one runs. Modules of tasks that cannot be imported are shown by lehr worker list.

    Example: lehr work --tasks my_package.my_tasks --devices 0,1
    """
    with needs_extra("work", "worker"):
        _require("keras")
        from lehr_worker.agent import run
        from lehr_worker.options import AgentOptions
    configure(log_format, log_level)
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
        step_seconds=step_seconds,
        memory_bytes=memory_bytes,
        drain_seconds=drain_seconds,
        log_format=log_format,
        log_level=log_level,
        idle_exit_seconds=idle_exit_seconds,
    )
    raise typer.Exit(run(options))


def _require(package: str) -> None:
    """The trainers load it, not this process: better to know before they start."""
    if find_spec(package) is None:
        raise ModuleNotFoundError(package, name=package)
