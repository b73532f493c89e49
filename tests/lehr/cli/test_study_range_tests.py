"""``lehr study range-tests`` as a user runs it, against a real server."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import Result

from lehr import Client
from lehr.range_tests import growing_rates
from lehr.wire.range_tests import RangeTestLease, RangeTestResult, SeedLosses
from lehr.wire.workers import Failure, Registration

Run = Callable[..., Result]


@pytest.fixture
def tested(cli: Run, tmp_path: Path) -> None:
    file = tmp_path / "tested.yaml"
    file.write_text(
        "name: study\n"
        "task: digits_mlp\n"
        "objective: {metric: val_accuracy, direction: maximize}\n"
        "search_space:\n"
        "  optimizer:\n"
        "    sgd: {learning_rate: {range_test: {updates: 60, seeds: 2}}}\n"
        "    adam: {learning_rate: {range_test: {}}}\n"
        "training: {epochs: 3}\n"
    )
    done = cli("study", "create", str(file))
    assert (
        "is active (no worker that is here offers the task 'digits_mlp'; start one with"
        in done.stdout
    )


def claim(client: Client) -> RangeTestLease:
    worker = client.register(
        Registration(name="hand", tasks={"digits_mlp": {}}, abilities=["range_test"])
    )
    lease = client.claim(worker.id, uuid4())
    assert isinstance(lease, RangeTestLease)
    return lease


def measured(lease: RangeTestLease) -> RangeTestResult:
    rates = growing_rates(lease.start, lease.end, lease.updates)
    bowl = [2.3 - 1.8 * math.exp(-(math.log10(rate / 0.01) ** 2)) for rate in rates]
    return RangeTestResult(curves=[SeedLosses(seed=s, losses=bowl) for s in lease.seeds])


@pytest.mark.usefixtures("tested")
def test_tests_are_listed_and_drawn(cli: Run, client: Client, tmp_path: Path) -> None:
    picture = tmp_path / "tests.png"
    early = cli("study", "range-tests", "study", "-o", str(picture))
    assert early.exit_code == 1
    assert "no range test of study study is complete" in early.stderr
    lease = claim(client)
    workers = cli("worker", "list").stdout
    assert "study/range test of sgd" in workers
    test = client.complete_range_test(lease.token, measured(lease))
    assert test.bounds is not None
    claim(client)

    shown = cli("study", "range-tests", "study", "-o", str(picture))
    assert shown.exit_code == 0, shown.output

    lines = [line.split() for line in shown.stdout.splitlines()]
    sgd, adam = (line for line in lines if line[:1] in (["sgd"], ["adam"]))
    assert sgd[:5] == ["sgd", "complete", "1", "hand", f"{test.bounds.low:.2g}"]
    assert f"{test.suggestions['steepest'].mean:.2g}" in sgd
    assert adam == ["adam", "running", "1", "hand"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    listed = json.loads(cli("study", "range-tests", "study", "--json").stdout)
    assert listed[0]["bounds"] == {"low": test.bounds.low, "high": test.bounds.high}
    sheet = cli("study", "show", "study").stdout
    assert f"search {test.bounds.low:.2g} to {test.bounds.high:.2g}" in sheet
    assert "its range tests come first: 1 of 2 are complete" in sheet


@pytest.mark.usefixtures("tested")
def test_a_failed_test_says_why(cli: Run, client: Client) -> None:
    lease = claim(client)
    client.fail_range_test(lease.token, Failure(outcome="error", message="no such layer"))
    assert "error: no such layer" in cli("study", "range-tests", "study").stdout
    listed = cli("study", "list").stdout
    assert "the range test of sgd failed: error: no such layer" in listed


def test_a_study_without_any_says_so(cli: Run, file: str) -> None:
    cli("study", "create", file)
    assert cli("study", "range-tests", "study").stdout == "no range tests in study study\n"
