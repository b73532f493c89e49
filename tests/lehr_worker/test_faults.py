"""What goes wrong in a trial ends it with a name and a reason, and the next trial runs."""

from __future__ import annotations

import errno
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.lehr_worker.fake_server import FakeServer
from tests.lehr_worker.working import Gate, Work, ends_well, is_alive, until

from lehr_worker import agent, memory
from lehr_worker.deaths import death, standing
from lehr_worker.failures import raised
from lehr_worker.limits import FIRST_STEP_SECONDS, StepWatch
from lehr_worker.output import KEPT_BYTES, SHOWN_BYTES, Output

MIB = 2**20


def failed(server: FakeServer, token: str) -> Any:
    """What was told of the attempt that failed."""
    (call,) = server.wait_for(lambda: server.of("fail", token))
    return call.body


def test_a_trial_that_hangs_is_ended_and_says_where_it_stood(
    server: FakeServer, work: Work
) -> None:
    work(step_seconds=1.0)
    server.offer("t", freezes=True)
    told = failed(server, "t")
    assert told["outcome"] == "error"
    assert told["message"].startswith("hung: the step after 1 has not ended within 1 s; ")
    assert "; it was in _freeze, " in told["message"]
    assert "light_engine.py line" in told["message"]
    assert told["message"].endswith("; if it may take longer: lehr work --step-seconds")
    assert "Current thread" in told["traceback"]
    server.offer("u", stammers=True)
    assert "; it was in _stammer, " in failed(server, "u")["message"]
    server.offer_range_test(freezes=True)
    told = failed(server, "range")
    assert told["message"].startswith("hung: the step after 2 has not ended within 1 s; ")
    ends_well(server)


def test_tasks_that_hang_while_they_load_do_not_hang_the_worker(
    work: Work, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(agent, "STARTS", 1)
    monkeypatch.setattr(agent, "RETRY_SECONDS", 0.1)
    assert work(engine="light_engine:hangs", start_seconds=3.0).left() == agent.FAILED
    assert "hung: it has not loaded its tasks within 3 s; it was in hangs, " in caplog.text


def test_how_long_a_step_may_take() -> None:
    watch = StepWatch(None, now=0.0)
    for now in range(1, int(FIRST_STEP_SECONDS) + 1):
        watch.look(float(now))
    assert not watch.is_over
    watch.look(FIRST_STEP_SECONDS + 1)
    assert watch.is_over

    watch = StepWatch(None, now=0.0)
    for step, seconds in enumerate((3, 7, 5)):
        for now in range(seconds):
            watch.look(1000.0 * step + now)
        watch.end_step()
    assert watch.limit == 10 * 7 + 600

    watch = StepWatch(60.0, now=0.0)
    watch.look(1e6)  # the machine slept: that is not the step's fault
    assert (watch.taken, watch.limit) == (1.0, 60.0)


def test_a_trial_that_leaks_memory_ends_before_the_machine_does(
    server: FakeServer, work: Work
) -> None:
    work(memory_bytes=400 * MIB)
    server.offer("t", leaks=4096 * MIB)
    told = failed(server, "t")
    assert told["outcome"] == "out_of_memory"
    assert " of memory, and may hold 400 MiB; it was in _leak, " in told["message"]
    assert told["message"].endswith("; if it may hold more: lehr work --memory-bytes")
    ends_well(server)


def test_a_limit_of_memory_that_no_trial_could_keep_is_a_wrong_setting(
    work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    assert work(memory_bytes=MIB).left() == agent.MISUSED
    assert "--memory-bytes: must be above the " in caplog.text
    assert "got 1048576" in caplog.text


def test_the_usual_limit_is_that_of_the_control_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    monkeypatch.setattr(memory, "MEMBERSHIP", tmp_path / "membership")
    (tmp_path / "membership").write_text("4:memory:/job/step\n0::/slice/unit\n")
    installed = memory.usual_limit()
    assert installed is not None
    inner, outer = tmp_path / "slice" / "unit", tmp_path / "memory" / "job"
    inner.mkdir(parents=True)
    outer.mkdir(parents=True)
    (inner / "memory.max").write_text("max\n")
    (inner.parent / "memory.max").write_text(f"{100 * MIB}\n")
    (outer / "memory.limit_in_bytes").write_text(f"{200 * MIB}\n")
    assert memory.usual_limit() == int(0.9 * 100 * MIB)
    (inner.parent / "memory.max").unlink()
    assert memory.usual_limit() == int(0.9 * 200 * MIB)
    (outer / "memory.oom_control").write_text("under_oom 0\noom_kill 3\n")
    (inner / "memory.events").write_text("oom 1\noom_kill 1\n")
    assert memory.kernel_kills() == 4


def test_a_trial_that_prints_for_ever_fills_neither_log_nor_memory(
    server: FakeServer, work: Work, capsys: pytest.CaptureFixture[str]
) -> None:
    work()
    ends_well(server, "before")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    server.offer("t", prints=128 * MIB)
    server.wait_for(lambda: server.of("complete", "t"))
    assert server.steps("t") == [0, 1, 2]
    parts: list[str] = []
    until(lambda: parts.append(capsys.readouterr().err) or "is shown)" in parts[-1])
    shown = "".join(parts)
    assert shown.startswith("the first line\n")
    assert shown.endswith("(this trial has printed 1,048,576 bytes: no more of it is shown)\n")
    assert len(shown) < 2 * SHOWN_BYTES
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < 64 * MIB

    server.offer("u", prints=0, signals="SIGABRT")
    words = failed(server, "u")["traceback"]
    assert "the last line\n" in words
    assert len(words) <= KEPT_BYTES
    assert "the last line\n" in capsys.readouterr().err  # another trial's is shown again


def test_a_log_that_takes_nothing_stops_no_trainer() -> None:
    """A worker whose standard error lies on a full disk, or goes to a reader that has left."""

    def refuse(text: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    reading, writing = os.pipe()
    output = Output(os.fdopen(reading, "rb"), refuse)
    for _ in range(16):
        os.write(writing, b"a line\n" * 10_000)  # more than a pipe holds
    os.write(writing, b"the end\n")
    os.close(writing)
    assert output.last_words(30.0).endswith("a line\nthe end\n")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"signals": "SIGSEGV"}, "SIGSEGV (native code failed, of TensorFlow or of a library"),
        ({"signals": "SIGABRT"}, "SIGABRT (native code failed"),
        ({"exits": 0}, "exit status 0"),
    ],
)
def test_a_trial_that_ends_its_process_is_told_with_its_stack(
    server: FakeServer, work: Work, tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    child = tmp_path / "child"
    work()
    server.offer("t", a_child=str(child), **given)
    told = failed(server, "t")
    assert told["outcome"] == "error"
    assert told["message"].startswith(f"the trainer died: {said}")
    if "signals" in given:
        assert "it was in _signal, " in told["message"]
    until(lambda: not is_alive(int(child.read_text())))  # nobody else would end it
    ends_well(server)


def test_what_ends_a_program_ends_the_trial_only(
    server: FakeServer, work: Work, gate: Gate
) -> None:
    gate.open("all")
    work()
    for token, given, said in (
        ("t", {"interrupts": "KeyboardInterrupt"}, "KeyboardInterrupt: of the task (in _interrupt"),
        ("u", {"interrupts": "SystemExit"}, "SystemExit: of the task (in _interrupt"),
        ("v", {"fills": "/dev/full"}, "OSError: [Errno 28] No space left on device (in _fill_disk"),
    ):
        server.offer(token, gate=gate.path, **given)
        told = failed(server, token)
        assert told["outcome"] == "error"
        assert told["message"].startswith(said)
        trainer = gate.pid
    server.offer("w", gate=gate.path)
    server.wait_for(lambda: server.of("complete", "w"))
    assert gate.pid == trainer


def test_an_idle_trainer_that_dies_costs_no_trial(
    server: FakeServer, work: Work, gate: Gate
) -> None:
    gate.open("all")
    work()
    server.offer("t", gate=gate.path)
    server.wait_for(lambda: server.of("complete", "t"))
    os.kill(gate.pid, signal.SIGKILL)
    until(lambda: not is_alive(gate.pid))
    ends_well(server)
    assert not server.of("fail")


def test_where_a_process_stood_is_read_from_its_stacks() -> None:
    stack = """
Thread 0x01 (most recent call first):
  File "/home/me/reader.py", line 3 in read

Current thread 0x02 (most recent call first):
  <no Python frame>

Thread 0x03 (most recent call first):
  File "<frozen runpy>", line 8 in run
  File "/home/me/tasks.py", line 12 in load
  File "/home/me/tasks.py", line 20 in main
"""
    assert standing(stack) == "; it was in load, /home/me/tasks.py line 12"
    both = stack.replace("<no Python frame>", 'File "/a.py", line 1 in f')
    assert standing(both) == "; it was in f, /a.py line 1"
    assert standing(both, signalled=False) == "; it was in load, /home/me/tasks.py line 12"
    assert standing("no stack at all") == ""


def test_what_is_said_of_a_kill() -> None:
    told = death(-signal.SIGKILL, "", None, 3 * 2**30)
    assert told.outcome == "out_of_memory"
    assert told.message.endswith("most likely by the kernel for memory; it held 3.0 GiB")
    assert death(-70, "", 0, None).message == "the trainer died: signal 70"


def test_an_exception_that_cannot_be_told_is_told_by_its_name() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise ValueError

    try:
        raise Odd
    except Odd as error:
        told = raised("error", error)
    assert told.message.startswith("Odd (in test_an_exception_that_cannot_be_told")
