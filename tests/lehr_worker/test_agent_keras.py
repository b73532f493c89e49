"""A worker that trains real models, from its lease to the value it reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.lehr_worker.event_files import read, shown
from tests.lehr_worker.fake_server import FakeServer
from tests.lehr_worker.working import Work

from lehr_worker.options import AgentOptions

pytestmark = pytest.mark.tensorflow

DIGITS = {
    "task": "digits_mlp",
    "epochs": 6,
    "optimizer": {"name": "adam", "learning_rate": 0.01},
    "schedule": {"name": "cosine", "alpha": 0.0},
    "hidden_units": 32,
}


def reports_of(server: FakeServer, token: str) -> list[dict[str, Any]]:
    server.wait_for(lambda: server.of("complete", token), seconds=60)
    return [r for call in server.of("reports", token) for r in call.body["reports"]]


def assert_logged(folder: Path, reports: list[dict[str, Any]]) -> None:
    """TensorBoard shows just what was reported."""
    run = read(folder)
    for tag in ("loss", "val_accuracy"):
        values = {r["step"]: pytest.approx(r["metrics"][tag], abs=1e-6) for r in reports}
        assert shown(run, tag) == values
    rates = {r["step"]: pytest.approx(r["learning_rate"], abs=1e-6) for r in reports}
    assert shown(run, "learning_rate") == rates
    last = reports[-1]
    judged = {last["step"]: pytest.approx(last["value"], abs=1e-6)}
    assert shown(run, "objective/val_accuracy") == judged


def test_trials_of_a_real_task(server: FakeServer, work: Work, tmp_path: Path) -> None:
    engine = AgentOptions().engine
    worker = work(engine=engine, checkpoint_seconds=0.0, tensorboard=str(tmp_path))
    server.wait_for(lambda: server.of("workers") or worker.status is not None, seconds=60)
    (registration,) = server.of("workers")
    assert registration.body["tasks"]["digits_mlp"]["properties"]["hidden_units"]
    assert registration.body["versions"]["keras"].startswith("3.")

    server.offer("t", **DIGITS)
    whole = reports_of(server, "t")
    assert [r["step"] for r in whole] == list(range(6))
    assert whole[-1]["value"] == whole[-1]["metrics"]["val_accuracy"] > 0.9
    rates = [r["learning_rate"] for r in whole]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] < 0.01
    assert_logged(tmp_path, whole)

    known = [{**r, "attempt": 1, "reported_at": "2026-11-21T12:00:00Z"} for r in whole]
    later = {"attempt": 2, "checkpoint": "there", "reports": known}
    server.checkpoints["u"] = server.checkpoints["t"]
    server.offer("u", **(DIGITS | later))
    resumed = reports_of(server, "u")
    assert 0 < len(resumed) < 6
    assert resumed == whole[-len(resumed) :]
    assert_logged(tmp_path, whole)

    server.checkpoints["v"] = b"of no use"
    server.offer("v", **(DIGITS | later))
    assert reports_of(server, "v") == whole

    server.offer("a", **(DIGITS | {"training": {"epochs": 6, "seed": 1, "ema": 0.9}}))
    averaged = reports_of(server, "a")
    raw = [r["metrics"]["val_accuracy"] for r in averaged]
    assert [r["value"] for r in averaged] == [r["metrics"]["ema_val_accuracy"] for r in averaged]
    assert [r["value"] for r in averaged] != raw
    assert raw == pytest.approx([r["value"] for r in whole], rel=1e-6)  # evaluated by XLA

    server.offer("w", **(DIGITS | {"parameters": {"layers": 3}}))
    (failed,) = server.wait_for(lambda: server.of("fail", "w"))
    assert "parameters.layers: unknown parameter of digits_mlp" in failed.body["message"]
