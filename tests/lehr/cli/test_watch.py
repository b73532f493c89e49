"""Following a study, in a terminal and elsewhere."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from click.testing import Result
from rich.console import Console

from lehr import Client
from lehr.cli.watch import SHOWN_TRIALS, Watch, view
from lehr.wire.trials import TrialState
from lehr.wire.workers import Registration

Run = Callable[..., Result]


@pytest.fixture
def study(client: Client, definition: dict[str, Any]) -> str:
    definition["limits"] = {"max_trials": 3, "max_failed": 2}
    return client.create_study(definition).name


def shown(watch: Watch) -> str:
    console = Console(width=160, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(view(watch))
    console.file.close()
    return console.export_text()


def test_elsewhere_each_finished_trial_is_a_line_and_the_best_are_a_table(
    cli: Run, study: str, hand: Any
) -> None:
    hand.finish(0.1, 0.25)  # finished before anybody watched

    def go_on() -> None:
        hand.finish(0.1, 0.75)
        hand.finish(0.1, 0.5)

    worker = threading.Thread(target=go_on)
    worker.start()
    watched = cli("study", "watch", study)
    worker.join()
    assert watched.exit_code == 0
    lines = watched.stdout.splitlines()
    heads = [line.split("  in ")[0] for line in lines[:3]]
    assert heads == [
        "trial 0 complete  value 0.25  2 steps",
        "trial 1 complete  value 0.75  2 steps",
        "trial 2 complete  value 0.5  2 steps",
    ]
    assert "sgd.learning_rate=" in lines[0]
    assert lines[3].startswith("study study is completed: all 3 trials")
    table = [line.split()[0] for line in lines if line.strip()[:1].isdigit()]
    assert table == ["1", "2", "0"]


def test_a_study_that_nobody_can_run_says_so_and_what_to_do(
    cli: Run, client: Client, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel(_seconds: float) -> None:
        if not client.study(study).state.is_finished:
            client.cancel(study)

    slept = SimpleNamespace(sleep=cancel, monotonic=time.monotonic)
    monkeypatch.setattr("lehr.cli.watch.time", slept)
    first = cli("study", "watch", study).stdout.splitlines()[0]
    assert first.startswith("study study is active: no worker that is here offers the task")
    assert "start one with: lehr work" in first


def test_a_study_that_failed_is_an_error(cli: Run, client: Client, study: str, hand: Any) -> None:
    from lehr.wire.workers import Failure

    for _ in range(2):
        failure = Failure(outcome="error", message="no such layer")
        client.fail(hand.claim().token, failure)
    watched = cli("study", "watch", study)
    assert watched.exit_code == 1
    assert "trial 0 fail  (error)" in watched.stdout
    assert "2 trials failed (max_failed)" in watched.stdout
    last = watched.stdout.splitlines()[-1]
    assert last == "trial 1 failed: no such layer; more of it: lehr study trial study 1"


def test_a_study_that_is_not_there_is_said_to_be_so(cli: Run) -> None:
    assert cli("study", "watch", "nothing").stderr == "there is no study 'nothing'\n"


def test_the_terminal_shows_progress_curves_and_workers(
    client: Client, study: str, hand: Any
) -> None:
    hand.finish(0.1, 0.9)
    lease = hand.claim()
    hand.report(lease, 0.25, 0.5, 0.75)
    watch = Watch(client, study)
    watch.poll()
    text = shown(watch)
    for said in ("1/3 trials", "0.9 (trial 0)", "3/3", "▁▅█", "0.5 ", "hand", "1 running"):
        assert said in text, text


def test_the_terminal_shows_which_worker_runs_a_range_test(
    client: Client, definition: dict[str, Any]
) -> None:
    definition["search_space"]["optimizer"] = {"sgd": {"learning_rate": {"range_test": {}}}}
    client.create_study(definition)
    registration = Registration(name="w", tasks={"digits_mlp": {}}, abilities=["range_test"])
    client.claim(client.register(registration).id, uuid4())
    watch = Watch(client, definition["name"])
    watch.poll()
    assert "range test of sgd" in shown(watch)


def test_a_poll_asks_only_for_what_changed(client: Client, study: str, hand: Any) -> None:
    hand.finish(0.5)
    lease = hand.claim()
    watch = Watch(client, study)
    watch.poll()
    assert list(watch.running) == [1]
    hand.report(lease, 0.1)
    assert [(t.number, t.steps) for t in watch.changes()] == [(1, 1)]
    hand.report(lease, 0.1, 0.2)
    watch.poll()
    assert [r.value for r in watch.curves[1]] == [0.1, 0.2]
    client.stop_trial(study, 1)
    watch.poll()
    assert (watch.running, watch.curves) == ({}, {})
    assert "no trial is running" in shown(watch)


def test_a_first_poll_of_lines_tells_what_was_finished_before(
    client: Client, study: str, hand: Any
) -> None:
    hand.finish(0.5)
    assert [t.number for t in Watch(client, study).changes()] == [0]
    assert list(Watch(client, study).changes(first=TrialState.RUNNING)) == []


def test_more_running_trials_than_fit_are_counted(
    client: Client, definition: Any, hand: Any
) -> None:
    client.create_study(definition)
    for _ in range(SHOWN_TRIALS + 2):
        hand.claim()
    watch = Watch(client, definition["name"])
    watch.poll()
    assert len(watch.curves) == SHOWN_TRIALS
    assert "and 2 more" in shown(watch)


@contextlib.contextmanager
def in_a_terminal(server: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command in a terminal of its own, with the end to read it from."""
    ours, theirs = pty.openpty()
    env = os.environ | {"LEHR_SERVER": server, "TERM": "xterm", "COLUMNS": "150", "LINES": "40"}
    command = [sys.executable, "-c", "from lehr.cli import app; app()", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        try:
            yield process, ours
        finally:
            process.kill()
            os.close(ours)


def read_until(terminal: int, wanted: str | None) -> str:
    """What the terminal shows until it shows ``wanted``, or until the command ends; no colours."""
    seen, deadline = b"", time.monotonic() + 30
    text = ""
    with contextlib.suppress(OSError):  # EIO: nobody writes there any more
        while wanted is None or wanted not in text:
            if not select.select([terminal], [], [], max(deadline - time.monotonic(), 0))[0]:
                pytest.fail(f"the terminal did not show {wanted!r} but {text}")
            seen += os.read(terminal, 65536)
            text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode(errors="replace"))
    return text


def test_ctrl_c_leaves_quietly_and_the_study_goes_on(
    server: str, client: Client, study: str, hand: Any
) -> None:
    hand.report(hand.claim(), 0.25, 0.5)
    with in_a_terminal(server, "study", "watch", study) as (process, terminal):
        assert "▁█" in read_until(terminal, "workers")
        process.send_signal(signal.SIGINT)
        rest = read_until(terminal, None)
        assert process.wait(30) == 0
    assert "Traceback" not in rest
    assert "Aborted" not in rest
    assert client.study(study).state == "active"


def test_in_a_terminal_the_end_is_a_table(
    server: str, client: Client, study: str, hand: Any
) -> None:
    hand.finish(0.125)
    with in_a_terminal(server, "study", "watch", study) as (process, terminal):
        read_until(terminal, "1/3 trials")
        client.stop(study)
        rest = read_until(terminal, None)
        assert process.wait(30) == 0
    assert "study study is completed" in rest
    assert "best trials" in rest.split("is completed")[-1]
