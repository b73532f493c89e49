"""Where a worker keeps checkpoints, who goes on from them, and when they go."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.lehr_worker.fake_server import FakeServer, lease
from tests.lehr_worker.working import Gate, Work, ends_well, until

from lehr.client import Client
from lehr.wire.workers import Lease
from lehr_worker.agent import run
from lehr_worker.files import Files, open_files
from lehr_worker.options import AgentOptions
from lehr_worker.stores import Checkpoints, FileStore, folder_of

STATES = ["00000000.json", "00000000.state"]


@pytest.fixture(params=["folder", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "kept") if request.param == "folder" else f"memory://{uuid4().hex}"


class Kept:
    """A trial that is offered to workers, and what is kept of it in a place."""

    def __init__(self, server: FakeServer, place: str, **lease_of: Any) -> None:
        self._server = server
        self._lease = lease("t", **lease_of)
        self.folder = folder_of(Lease.model_validate(self._lease))
        self.files: Files = open_files(place)

    def offer(self, token: str, attempt: int = 1) -> None:
        given = self._lease["parameters"]
        changes = self._lease | {"attempt": attempt, "epochs": self._lease["training"]["epochs"]}
        del changes["token"], changes["training"], changes["parameters"]
        self._server.offer(token, **changes, **given)

    @property
    def names(self) -> list[str]:
        return sorted(self.files.names(self.folder))

    def newest(self) -> bytes | None:
        return FileStore(self.files, self.folder).newest()


def test_another_worker_with_the_same_place_goes_on(
    server: FakeServer, work: Work, gate: Gate, place: str
) -> None:
    trial = Kept(server, place, gate=gate.path)
    first = work(checkpoints=place, checkpoint_epochs=1)
    trial.offer("t")
    gate.open(0)
    until(lambda: trial.names == STATES)
    first.leave()
    first.leave()
    assert first.left() == 0
    assert [call.body["outcome"] for call in server.of("fail", "t")] == ["preempted"]
    assert trial.names == STATES

    server.change(draining=False)
    work(checkpoints=place, checkpoint_epochs=1)
    gate.open("all")
    trial.offer("u", attempt=2)
    server.wait_for(lambda: server.of("complete", "u"))
    assert server.steps("u") == [1, 2]
    until(lambda: trial.names == [])
    assert not server.checkpoints


def test_a_damaged_checkpoint_costs_epochs_and_no_more(
    server: FakeServer, work: Work, gate: Gate, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    trial = Kept(server, place, epochs=4, gate=gate.path)
    store = FileStore(trial.files, trial.folder)
    store.save(0, b"1")
    store.save(1, b"2")
    trial.files.write(trial.folder, "00000001.state", b"3")
    work(checkpoints=place)
    gate.open("all")
    trial.offer("t", attempt=2)
    server.wait_for(lambda: server.of("complete", "t"))
    assert server.steps("t") == [1, 2, 3]
    assert "checkpoint of step 1 not used" in caplog.text


@pytest.mark.parametrize("ending", ["complete", "prune", "stop", "raises", "nan_at", "exits"])
def test_checkpoints_go_with_their_trial(
    server: FakeServer, work: Work, gate: Gate, tmp_path: Path, ending: str
) -> None:
    """Whatever its end, if it is one that no other attempt follows."""
    verdict = ending if ending in ("prune", "stop") else "continue"
    server.verdict = lambda token, step: verdict if step >= 1 else "continue"
    steering = {"raises": {"raises": "no"}, "nan_at": {"nan_at": 1}, "exits": {"exits": 7}}
    trial = Kept(server, str(tmp_path), epochs=5, gate=gate.path, **steering.get(ending, {}))
    work(checkpoints=str(tmp_path), checkpoint_epochs=1)
    trial.offer("t")
    gate.open(0)
    until(lambda: trial.names == STATES)
    gate.open("all")
    until(lambda: not (tmp_path / trial.folder).exists())


@pytest.mark.parametrize(("state", "stays"), [("running", True), ("fail", False)])
def test_a_lost_lease_leaves_them_unless_the_trial_is_finished(
    server: FakeServer, work: Work, gate: Gate, tmp_path: Path, state: str, stays: bool
) -> None:
    server.change(trial={"state": state})
    trial = Kept(server, str(tmp_path), gate=gate.path)
    worker = work(checkpoints=str(tmp_path), checkpoint_epochs=1)
    trial.offer("t")
    gate.open(0)
    until(lambda: trial.names == STATES)
    server.live.discard("t")
    server.wait_for(lambda: [call for call in server.calls if "/trials/" in call.path])
    gate.open("all")
    worker.leave()
    assert worker.left() == 0
    assert trial.names == (STATES if stays else [])


@pytest.mark.parametrize("state", ["pruned", "waiting"])
def test_a_worker_clears_what_a_finished_trial_has_left(
    server: FakeServer, work: Work, place: str, state: str
) -> None:
    """One whose last worker died; a trial of another server, created later, is none of it."""
    ours, others = (Lease.model_validate(lease("t")) for _ in range(2))
    server.change(trial=ours.trial.model_dump(mode="json") | {"state": state})
    with Client(server.url) as client:
        for one in (ours, others):
            Checkpoints(place).of(one, client).save(0, b"1")
    assert folder_of(ours) != folder_of(others)
    work(checkpoints=place)
    asked = server.wait_for(lambda: server.of("0")[1:])
    stay = {folder_of(others)} | ({folder_of(ours)} if state == "waiting" else set())
    assert asked
    until(lambda: set(open_files(place).names("")) == stay)


def test_a_place_that_takes_nothing_harms_no_trial(
    server: FakeServer, work: Work, gate: Gate, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    trial = Kept(server, str(tmp_path), gate=gate.path)
    work(checkpoints=str(tmp_path / "file" / "kept"), checkpoint_epochs=1)
    trial.offer("t", attempt=2)
    gate.open(0)
    until(lambda: "checkpoint of step 0 not kept" in caplog.text)
    gate.open("all")
    server.wait_for(lambda: server.of("complete", "t"))
    assert server.steps("t") == [0, 1, 2]
    ends_well(server)


def test_a_full_disk_costs_checkpoints_only_and_is_told_once(
    server: FakeServer, work: Work, gate: Gate, full_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    work(checkpoints=str(full_disk), checkpoint_seconds=0.0)
    server.offer("t", gate=gate.path)
    for step in (0, 1):
        gate.open(step)
        until(lambda step=step: f"checkpoint of step {step} not kept" in caplog.text)
    gate.open("all")
    server.wait_for(lambda: server.of("complete", "t"))
    assert server.steps("t") == [0, 1, 2]
    told = [record for record in caplog.records if "not kept" in record.getMessage()]
    assert [record.levelno for record in told[:2]] == [logging.WARNING, logging.DEBUG]
    assert "No space left on device" in told[0].getMessage()
    assert [file.name for file in full_disk.rglob("*") if file.is_file()] == ["ballast"]


def test_once_there_is_room_again_checkpoints_are_kept_again(
    server: FakeServer,
    work: Work,
    gate: Gate,
    small_disk: Callable[[str], Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = small_disk("64k")
    trial = Kept(server, str(disk.place), epochs=4, gate=gate.path)
    work(checkpoints=str(disk.place), checkpoint_epochs=1)
    trial.offer("t")
    gate.open(0)
    until(lambda: trial.names == STATES)
    disk.fill()
    gate.open(1)
    until(lambda: "checkpoint of step 1 not kept" in caplog.text)
    assert trial.names == STATES
    assert trial.newest() == b"1"
    disk.free()
    gate.open(2)
    until(lambda: trial.newest() == b"3")
    gate.open("all")
    server.wait_for(lambda: server.of("complete", "t"))
    assert server.steps("t") == [0, 1, 2, 3]


def test_a_place_that_nothing_here_can_open_is_a_wrong_setting(
    server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    options = AgentOptions(server=server.url, devices="cpu", checkpoints="nonsense://bucket")
    assert run(options) == 2
    assert "nonsense" in caplog.text


def test_the_command_takes_the_place_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from typer.testing import CliRunner

    from lehr.cli import app
    from lehr_worker import agent

    seen: list[AgentOptions] = []
    monkeypatch.setattr(agent, "run", lambda options: seen.append(options) or 0)
    for name, value in (("CHECKPOINTS", "s3://b/c"), ("CHECKPOINT_EPOCHS", "3")):
        monkeypatch.setenv(f"LEHR_{name}", value)
    assert CliRunner(env=dict(os.environ)).invoke(app, ["work"]).exit_code == 0
    assert (seen[0].checkpoints, seen[0].checkpoint_epochs) == ("s3://b/c", 3)
