"""The command as a user runs it, and a worker that trains nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import Result
from typer.testing import CliRunner

from lehr import Client
from lehr.cli import app
from lehr.wire.trials import Trial
from lehr.wire.workers import Completion, Lease, NewReport, Registration

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output goes to no terminal, whatever pytest's own processes think of theirs."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def lehr_at(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``lehr ARGUMENTS`` against the server named first."""
    names = ("SERVER", "TOKEN", "TOKEN_FILE", "PORT", "HOST", "HOME", "DATABASE_URL", "CA_FILE")
    for name in names:
        monkeypatch.delenv(f"LEHR_{name}", raising=False)

    def run(url: str, *arguments: str, given: str | None = None) -> Result:
        return CliRunner().invoke(app, arguments, input=given, env={"LEHR_SERVER": url})

    return run


@pytest.fixture
def cli(server: str, lehr_at: Run) -> Run:
    """Runs ``lehr ARGUMENTS`` against a real server."""
    return lambda *arguments, given=None: lehr_at(server, *arguments, given=given)


@pytest.fixture
def file(tmp_path: Path, definition: dict[str, Any]) -> str:
    """A file that defines the study named ``study``."""
    path = tmp_path / "study.yaml"
    path.write_text(
        "name: study\n"
        "task: digits_mlp\n"
        "objective: {metric: val_accuracy, direction: maximize}\n"
        "search_space:\n"
        "  optimizer:\n"
        "    sgd: {learning_rate: {low: 1e-3, high: 1, log: true}}\n"
        "training: {epochs: 3}\n"
        "sampler: {name: random, seed: 1}\n"
    )
    return str(path)


class Hand:
    """A worker moved by hand."""

    def __init__(self, client: Client, name: str = "hand") -> None:
        self._client = client
        self.id = client.register(Registration(name=name, tasks={"digits_mlp": {}})).id

    def claim(self) -> Lease:
        lease = self._client.claim(self.id, uuid4(), wait=10)
        if lease is None:
            raise LookupError("there was no trial to claim")
        return lease

    def report(self, lease: Lease, *values: float) -> None:
        reports = [NewReport(step=s, value=v, learning_rate=0.5) for s, v in enumerate(values)]
        self._client.report(lease.token, reports)

    def finish(self, *values: float) -> Trial:
        lease = self.claim()
        self.report(lease, *values)
        return self._client.complete(lease.token, Completion())


@pytest.fixture
def hand(client: Client) -> Hand:
    return Hand(client)


@pytest.fixture
def second_hand(client: Client) -> Hand:
    """Another worker of the same name."""
    return Hand(client)
