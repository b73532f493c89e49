"""``lehr doctor``: what works here, what does not, and what to do about it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import typer

from lehr.cli import render
from lehr.cli.connect import AsJson, Server, Token
from lehr.client import Client
from lehr.errors import LehrError, ServerUnreachable, Unauthorized
from lehr.wire.workers import Worker

_SIGNS = {"ok": "✓", "note": "-", "wrong": "✗"}
_COLOURS = {"ok": typer.colors.GREEN, "note": typer.colors.YELLOW, "wrong": typer.colors.RED}
_EXTRAS = {"service": "sqlalchemy", "worker": "keras", "plot": "matplotlib"}
_DATA_SETS = ("mnist/mnist.npz", "fashion_mnist/fashion_mnist.npz", "cifar10/cifar10.npz")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: Literal["ok", "note", "wrong"]
    says: str
    do: str = ""


def doctor(as_json: AsJson = False, server: Server = None, token: Token = None) -> None:
    """Look at server, database, workers, GPU, data and versions, and say what to do.

    Exits with 1 if something is wrong. Example: LEHR_SERVER=http://lab:8642 lehr doctor
    """
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _versions,
        lambda: _server(server, token),
        _gpu,
        _data,
    )
    found = [finding for look in looks for finding in look()]
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        for finding in found:
            _print(finding)
    if any(finding.state == "wrong" for finding in found):
        raise typer.Exit(1)


_FORBIDDEN = 403


def _print(finding: Finding) -> None:
    sign = typer.style(_SIGNS[finding.state], fg=_COLOURS[finding.state])
    typer.echo(f"{sign} {finding.what}: {finding.says}")
    if finding.do:
        typer.echo(f"    {finding.do}")


def _versions() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("versions", "ok", f"lehr {version('lehr')}, Python {python}")
    for extra, package in _EXTRAS.items():
        if find_spec(package) is None:
            do = f"if you want it: pip install 'lehr[{extra}]'"
            yield Finding(f"extra [{extra}]", "note", "is not installed here", do)
        else:
            yield Finding(f"extra [{extra}]", "ok", f"is installed{_version_of(package)}")


def _version_of(package: str) -> str:
    try:
        return f" ({package} {version(package)})"
    except PackageNotFoundError:
        return ""


def _server(server: str | None, token: str | None) -> Iterator[Finding]:
    try:
        with Client(server, token, retry_seconds=0) as client:
            workers = list(client.workers())
            yield Finding("server", "ok", f"answers at {client.server}")
            yield from _database(client)
            yield from _workers(workers)
            yield from _waiting(client, workers)
    except ServerUnreachable as error:
        do = "start one with: lehr serve; or say where it is: LEHR_SERVER=http://host:8642"
        yield Finding("server", "wrong", str(error), do)
    except Unauthorized as error:
        if error.status == _FORBIDDEN:  # it is known there
            do = "a worker's token is enough to train; give a viewer's to have more looked at"
            yield Finding("server", "note", f"answers, but {error}", do)
        else:
            yield Finding(
                "server", "wrong", str(error), "set LEHR_TOKEN to a token of the server's"
            )
    except LehrError as error:
        yield Finding("server", "wrong", str(error), "look into the server's log")


def _database(client: Client) -> Iterator[Finding]:
    try:
        client.ready()
        yield Finding("database", "ok", "answers, with this version's schema")
    except LehrError as error:
        do = "restart the server: it brings the schema up to its version"
        yield Finding("database", "wrong", str(error), do)


def _workers(workers: list[Worker]) -> Iterator[Finding]:
    if not workers:
        do = "start one on each machine that trains: lehr work"
        yield Finding("workers", "note", "none is here, so no trial runs", do)
    for worker in workers:
        running = (
            f"runs {', '.join(map(render.running, worker.running))}" if worker.running else "idle"
        )
        other = worker.versions.get("lehr", version("lehr"))
        if other == version("lehr"):
            yield Finding(f"worker {worker.name}", "ok", f"{worker.state}, {running}")
        else:
            do = "install the same version on both sides"
            yield Finding(f"worker {worker.name}", "note", f"is of lehr {other}", do)
        for module, why in worker.problems.items():
            do = f"mend {module} there, and start the worker again"
            yield Finding(f"worker {worker.name}", "wrong", f"cannot use {module}: {why}", do)


def _waiting(client: Client, workers: list[Worker]) -> Iterator[Finding]:
    offered = {task for worker in workers for task in worker.tasks}
    for study in client.studies("active"):
        task = study.definition.task
        if task not in offered:
            do = f"start a worker that offers it: lehr work --tasks MODULE_WITH_{task.upper()}"
            says = f"waits, for no worker offers the task {task}"
            yield Finding(f"study {study.name}", "note", says, do if workers else "")


def _gpu() -> Iterator[Finding]:
    if shutil.which("nvidia-smi") is None:
        yield Finding("GPU", "note", "no NVIDIA driver here; a worker would train on the CPU")
        return
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        do = "see whether nvidia-smi works; a worker would train on the CPU"
        yield Finding("GPU", "wrong", f"the driver does not answer: {error}", do)
        return
    for line in listed.stdout.strip().splitlines():
        yield Finding("GPU", "ok", line)
    if find_spec("keras") and find_spec("nvidia") is None:
        do = "pip install 'lehr[worker-gpu]'"
        yield Finding("CUDA", "note", "TensorFlow's CUDA libraries are not installed", do)


def _data() -> Iterator[Finding]:
    folder = os.environ.get("LEHR_DATA_DIR")
    if not folder:
        says = "LEHR_DATA_DIR is not set; data sets come from Keras's cache or a download"
        yield Finding("data", "note", says)
        return
    there = [name for name in _DATA_SETS if (Path(folder) / name).is_file()]
    if there:
        yield Finding("data", "ok", f"{folder} has {', '.join(there)}")
    else:
        do = f"put files there, such as {folder}/{_DATA_SETS[0]}, or unset LEHR_DATA_DIR"
        yield Finding("data", "wrong", f"{folder} has none of the data sets", do)
