"""How trainers fail, and what is told of it; real processes throughout."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.lehr_worker.fake_server import FakeServer
from tests.lehr_worker.working import PYTHONPATH, Gate, Work, ends_well, is_alive, until

from lehr.wire.parts import Objective
from lehr_worker import memory
from lehr_worker.devices import CPU
from lehr_worker.failures import failure
from lehr_worker.process import TrainerProcess
from lehr_worker.recorder import selected


def test_a_killed_trainer_is_reported_and_started_again(
    server: FakeServer, work: Work, gate: Gate
) -> None:
    work()
    server.offer("t", gate=gate.path)
    first = gate.pid
    os.kill(first, signal.SIGKILL)
    (failed,) = server.wait_for(lambda: server.of("fail", "t"))
    assert failed.body["outcome"] == "error"
    assert failed.body["message"].startswith("the trainer died: SIGKILL (something on this machine")
    Path(f"{gate.path}.pid").unlink()
    server.offer("u", gate=gate.path)
    assert gate.pid != first
    gate.open("all")
    server.wait_for(lambda: server.of("complete", "u"))


@pytest.mark.parametrize(("set_by_owner", "expected"), [(None, "1"), ("0", "0")])
def test_convolutions_are_left_to_onednn_unless_the_owner_says_no(
    server: FakeServer,
    work: Work,
    gate: Gate,
    monkeypatch: pytest.MonkeyPatch,
    set_by_owner: str | None,
    expected: str,
) -> None:
    name = "TF_ENABLE_ONEDNN_OPTS"
    monkeypatch.delenv(name, raising=False)
    if set_by_owner:
        monkeypatch.setenv(name, set_by_owner)
    work()
    server.offer("t", gate=gate.path)
    environment = Path(f"/proc/{gate.pid}/environ").read_text().split("\0")
    assert f"{name}={expected}" in environment
    gate.open("all")
    server.wait_for(lambda: server.of("complete", "t"))


def test_a_kill_by_the_kernel_for_memory_is_told_from_others(
    server: FakeServer, work: Work, gate: Gate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text("oom 0\noom_kill 3\n")
    monkeypatch.setattr(memory, "MEMBERSHIP", tmp_path / "none")
    monkeypatch.setattr(memory, "MACHINE", counter)
    work()
    server.offer("t", gate=gate.path)
    trainer = gate.pid
    counter.write_text("oom 1\noom_kill 4\n")
    os.kill(trainer, signal.SIGKILL)
    (failed,) = server.wait_for(lambda: server.of("fail", "t"))
    assert failed.body["outcome"] == "out_of_memory"
    assert failed.body["message"].startswith("the kernel killed the trainer for its memory")


def test_a_kill_that_nobody_explains_was_for_memory_most_likely(
    server: FakeServer, work: Work, gate: Gate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "MEMBERSHIP", tmp_path / "none")
    monkeypatch.setattr(memory, "MACHINE", tmp_path / "none")
    work()
    server.offer("t", gate=gate.path)
    os.kill(gate.pid, signal.SIGKILL)
    (failed,) = server.wait_for(lambda: server.of("fail", "t"))
    assert failed.body["outcome"] == "out_of_memory"
    assert "most likely by the kernel for memory" in failed.body["message"]


def test_a_trainer_that_exits_is_reported_with_its_last_words(
    server: FakeServer, work: Work
) -> None:
    work()
    server.offer("t", exits=7)
    (failed,) = server.wait_for(lambda: server.of("fail", "t"))
    assert failed.body["outcome"] == "error"
    assert failed.body["message"] == "the trainer died: exit status 7"
    assert "leaving with status 7" in failed.body["traceback"]
    assert server.steps("t") == [0]
    ends_well(server)


def test_a_task_that_raises_is_reported_and_its_trainer_lives_on(
    server: FakeServer, work: Work, gate: Gate
) -> None:
    work()
    server.offer("t", gate=gate.path, raises="no such layer")
    trainer = gate.pid
    gate.open("all")
    (failed,) = server.wait_for(lambda: server.of("fail", "t"))
    assert failed.body["outcome"] == "error"
    assert failed.body["message"].startswith("RuntimeError: no such layer")
    assert "_misbehave" in failed.body["traceback"]
    server.offer("u", gate=gate.path)
    server.wait_for(lambda: server.of("complete", "u"))
    assert gate.pid == trainer


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("hungry", "does not fit"),
        ("starves", "of the machine's memory, not of a device's"),
    ],
)
def test_a_trainer_out_of_memory_is_reported_and_replaced(
    how: str, says: str, server: FakeServer, work: Work, gate: Gate
) -> None:
    work()
    server.offer("t", gate=gate.path, **{how: True})
    trainer = gate.pid
    gate.open("all")
    (failed,) = server.wait_for(lambda: server.of("fail", "t"))
    assert failed.body["outcome"] == "out_of_memory"
    assert says in failed.body["message"]
    server.offer("u", gate=gate.path)
    server.wait_for(lambda: server.of("complete", "u"))
    assert gate.pid != trainer


def test_divergence_is_reported_as_null_and_ends_the_attempt(
    server: FakeServer, work: Work
) -> None:
    work()
    server.offer("t", nan_at=1)
    (failed,) = server.wait_for(lambda: server.of("fail", "t"))
    reports = [r for call in server.of("reports", "t") for r in call.body["reports"]]
    assert [(r["step"], r["value"]) for r in reports] == [(0, 0.0), (1, None)]
    assert reports[1]["metrics"] == {"loss": None, "val_accuracy": 0.1}
    assert failed.body["outcome"] == "diverged"
    ends_well(server)


def test_a_trial_that_never_stops_loses_its_process(server: FakeServer, work: Work) -> None:
    work(stop_seconds=0.2)
    server.offer("t", freezes=True)
    server.wait_for(lambda: server.steps("t") == [0])
    server.live.discard("t")
    ends_well(server)
    assert not server.of("fail", "t")


def test_a_trainer_leaves_signals_to_its_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    saving = {"checkpoint_epochs": None, "checkpoint_seconds": 60.0, "tensorboard": None}
    setup = {"engine": "light_engine:LightEngine", "tasks": [], **saving}
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    trainer = TrainerProcess(CPU, setup, None)
    trainer.start()
    message = until(lambda: trainer.next(0.1))
    assert (message.kind, message.body["versions"]) == ("ready", {"light": "1"})
    assert trainer.pid is not None
    for signum in (signal.SIGTERM, signal.SIGINT):  # sent to the whole group: the agent decides
        os.kill(trainer.pid, signum)
    assert trainer.next(0.1) is None
    pid = trainer.pid
    assert is_alive(pid)
    trainer.kill()
    assert not is_alive(pid)


def test_a_failure_fits_what_the_server_stores() -> None:
    told = failure("error", "m" * 20_000, "first" + "t" * 200_000 + "last")
    assert len(told.message) == 10_000
    assert len(told.traceback) == 100_000
    assert told.traceback.endswith("last")


@pytest.mark.parametrize(
    ("select", "direction", "value"),
    [
        ("last", "maximize", 2.0),
        ("best", "maximize", 4.0),
        ("best", "minimize", 1.0),
        ("mean_of_last_2", "maximize", 3.0),
        ("mean_of_last_9", "maximize", 7 / 3),
    ],
)
def test_which_value_counts(select: str, direction: str, value: float) -> None:
    goal = Objective.model_validate(
        {"metric": "val_accuracy", "direction": direction, "select": select}
    )
    assert selected(goal, [1.0, 4.0, 2.0]) == pytest.approx(value)
