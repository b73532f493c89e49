"""How a worker leaves: drained, in a hurry, told by the server, or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.lehr_worker.fake_server import FakeServer
from tests.lehr_worker.working import LIGHT, PYTHONPATH, Gate, Work, children, is_alive, until

from lehr_worker.departure import CLAIM_GRACE_SECONDS, Departure, Idleness
from lehr_worker.options import AgentOptions

PROGRAM = """
import sys
from lehr_worker.agent import run
from lehr_worker.options import AgentOptions
sys.exit(run(AgentOptions(server=sys.argv[1], engine=sys.argv[2], devices="cpu",
                          drain_seconds=float(sys.argv[3]))))
"""
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(server: FakeServer) -> Iterator[Start]:
    """Starts agents as processes of their own."""
    started: list[subprocess.Popen[bytes]] = []

    def start(drain_seconds: float = 20.0, engine: str = LIGHT) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, "-c", PROGRAM, server.url, engine, str(drain_seconds)]
        environment = {**os.environ, "PYTHONPATH": PYTHONPATH}
        started.append(subprocess.Popen(arguments, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_sigterm_lets_a_trial_finish(server: FakeServer, start: Start, gate: Gate) -> None:
    server.offer("t", gate=gate.path)
    server.offer("never")
    agent = start()
    trainer = gate.pid
    agent.send_signal(signal.SIGTERM)
    server.wait_for(lambda: server.of("drain"))
    gate.open("all")
    assert agent.wait(20) == 0
    assert server.steps("t") == [0, 1, 2]
    assert server.of("complete", "t")
    assert server.queue  # the other one was left to others
    until(lambda: not is_alive(trainer))


def test_sigterm_hands_a_trial_back_when_its_time_is_over(
    server: FakeServer, start: Start, gate: Gate
) -> None:
    server.offer("t", gate=gate.path)
    agent = start(drain_seconds=0.0)
    assert gate.pid
    agent.send_signal(signal.SIGTERM)
    server.wait_for(lambda: server.of("drain"))
    gate.open(0)
    assert agent.wait(20) == 0
    (failed,) = server.of("fail", "t")
    assert failed.body["outcome"] == "preempted"
    assert server.steps("t") == [0]
    assert server.checkpoints["t"] == b"1"
    order = [c.what for c in server.calls if "/t/" in c.path]
    assert order.index("checkpoint") < order.index("fail")


def test_a_second_signal_hands_back_at_once(server: FakeServer, start: Start, gate: Gate) -> None:
    server.offer("t", gate=gate.path)
    agent = start()
    trainer = gate.pid
    agent.send_signal(signal.SIGINT)
    server.wait_for(lambda: server.of("drain"))
    agent.send_signal(signal.SIGINT)
    assert agent.wait(10) == 0
    assert [c.body["outcome"] for c in server.of("fail", "t")] == ["preempted"]
    assert not is_alive(trainer)


def test_a_trainer_does_not_outlive_a_killed_agent(
    server: FakeServer, start: Start, gate: Gate
) -> None:
    server.offer("t", gate=gate.path)
    agent = start()
    trainer = gate.pid
    agent.kill()
    until(lambda: not is_alive(trainer))


def test_what_a_task_has_started_does_not_outlive_a_killed_agent(
    server: FakeServer, start: Start, gate: Gate, tmp_path: Path
) -> None:
    child = tmp_path / "child"
    gate.open(0)
    gate.open(1)
    server.offer("t", gate=gate.path, a_child=str(child))
    agent = start()
    server.wait_for(lambda: server.steps("t") == [0, 1])
    processes = [gate.pid, int(child.read_text())]
    assert all(map(is_alive, processes))
    agent.kill()
    until(lambda: not any(map(is_alive, processes)))


def test_crash_after_crash_leaves_nothing_behind(server: FakeServer, start: Start) -> None:
    agent = start()
    held = []
    for token in map(str, range(7)):
        server.offer(token, exits=1)
        server.wait_for(lambda token=token: server.of("fail", token))
        held.append((len(os.listdir(f"/proc/{agent.pid}/fd")), len(children(agent.pid))))
    assert max(fds for fds, _ in held[4:]) <= max(fds for fds, _ in held[:4])
    assert max(processes for _, processes in held) <= 1  # those that nobody waited for count, too


@pytest.mark.tensorflow
def test_a_trial_that_sigterm_hands_back_goes_on_elsewhere_from_that_very_step(
    server: FakeServer, start: Start
) -> None:
    known = {"task": "digits_mlp", "epochs": 100_000}
    server.offer("t", **known)
    agent = start(drain_seconds=0.0, engine=AgentOptions().engine)
    server.wait_for(lambda: server.steps("t") or agent.poll() is not None, seconds=90)
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(30) == 0
    assert [c.body["outcome"] for c in server.of("fail", "t")] == ["preempted"]
    reports = [r for call in server.of("reports", "t") for r in call.body["reports"]]

    known["reports"] = [r | {"attempt": 1, "reported_at": "2026-11-21T12:00:00Z"} for r in reports]
    server.checkpoints["u"] = server.checkpoints["t"]
    server.change(draining=False)
    server.offer("u", attempt=2, checkpoint="there", **known)
    heir = start(engine=AgentOptions().engine)
    server.wait_for(lambda: server.steps("u") or heir.poll() is not None, seconds=90)
    assert server.steps("u")[0] == server.steps("t")[-1] + 1

    (trainer,) = children(heir.pid)  # nor does one with TensorFlow's threads outlive its agent
    heir.kill()
    until(lambda: not is_alive(trainer))


def test_an_epoch_that_takes_too_long_is_not_waited_for(
    server: FakeServer, work: Work, gate: Gate
) -> None:
    worker = work(drain_seconds=0.0, hand_back_seconds=0.3)
    server.offer("t", gate=gate.path)
    assert gate.pid
    worker.leave()
    assert worker.left() == 0
    assert [c.body["outcome"] for c in server.of("fail", "t")] == ["preempted"]


def test_a_server_that_drains_a_worker_lets_it_finish(
    server: FakeServer, work: Work, gate: Gate
) -> None:
    worker = work(drain_seconds=0.0)
    server.offer("t", gate=gate.path)
    assert gate.pid
    server.change(draining=True)
    count = len(server.of("heartbeat"))
    server.wait_for(lambda: len(server.of("heartbeat")) > count + 2)
    gate.open("all")
    assert worker.left() == 0
    assert server.of("complete", "t")
    assert not server.of("fail", "t")


def test_leaving_does_not_wait_for_a_server_that_is_away(
    server: FakeServer, work: Work, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    worker = work(drain_seconds=0.0, hand_back_seconds=0.2)
    server.offer("t", gate=gate.path)
    assert gate.pid
    server.change(mode="down")
    worker.leave()
    assert worker.left() == 0
    assert "left to the server's recovery" in caplog.text


def test_an_idle_worker_leaves_though_its_claim_is_not_answered(
    server: FakeServer, work: Work
) -> None:
    server.change(hold={"claim", "drain"})
    worker = work()
    server.wait_for(lambda: server.of("heartbeat"))
    worker.leave()
    assert worker.left(CLAIM_GRACE_SECONDS + 3) == 0
    server.change(hold=set())


def test_one_that_leaves_before_its_trainer_is_ready(work: Work) -> None:
    worker = work()
    worker.leave()
    assert worker.left() == 0


def test_a_worker_that_finds_no_work_leaves(
    server: FakeServer, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    server.offer("t")
    with caplog.at_level("INFO"):
        worker = work(idle_exit_seconds=1.0)
        assert worker.left() == 0
    assert server.of("complete", "t")
    assert server.of("drain")
    assert "no work for 1 s" in caplog.text


def test_idleness_counts_from_readiness_and_from_the_end_of_work() -> None:
    idleness = Idleness(10.0)
    assert not idleness.is_over(1e9, busy=False)
    idleness.begin(100.0)
    assert not idleness.is_over(109.9, busy=False)
    assert idleness.is_over(110.0, busy=False)
    assert not idleness.is_over(110.0, busy=True)
    idleness.begin(110.0)
    assert not idleness.is_over(119.9, busy=False)


def test_a_worker_waits_for_work_for_ever_unless_told_otherwise() -> None:
    idleness = Idleness(None)
    idleness.begin(0.0)
    assert not idleness.is_over(1e9, busy=False)


def test_the_stages_of_leaving() -> None:
    departure = Departure(drain_seconds=10.0, hand_back_seconds=5.0)
    departure.advance(0.0)
    assert not departure.leaving.is_set()
    assert not departure.is_over(1e9, busy=False)
    departure.ask()
    departure.advance(100.0)
    assert departure.leaving.is_set()
    assert not departure.is_over(100.0, busy=False)
    assert departure.is_over(100.0 + CLAIM_GRACE_SECONDS, busy=False)
    departure.advance(109.9)
    assert not departure.handing_back.is_set()
    departure.advance(110.0)
    assert departure.handing_back.is_set()
    assert not departure.at_once.is_set()
    assert not departure.is_over(119.9 + CLAIM_GRACE_SECONDS, busy=True)
    assert departure.is_over(120.0 + CLAIM_GRACE_SECONDS, busy=True)


def test_a_second_request_skips_the_stages() -> None:
    departure = Departure(drain_seconds=10.0, hand_back_seconds=5.0)
    departure.ask()
    departure.advance(100.0)
    departure.ask()
    departure.advance(101.0)
    assert departure.at_once.is_set()
    assert departure.handing_back.is_set()
    assert departure.is_over(101.0 + CLAIM_GRACE_SECONDS, busy=True)


def test_the_server_alone_sets_no_time_limit() -> None:
    departure = Departure(drain_seconds=0.0, hand_back_seconds=0.0)
    departure.leaving.set()
    departure.advance(100.0)
    departure.advance(1e9)
    assert not departure.handing_back.is_set()
    assert not departure.is_over(1e9, busy=True)
    assert departure.is_over(1e9, busy=False)
