"""Workers that are processes of their own, as those of a library's users are."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import Row, cpu_seconds

Clock = time.perf_counter
Done = dict[str, Any]
Opened = Callable[[Done], None]  # runs one trial and notes what it did


def note() -> Done:
    return {"trials": 0, "claims": [], "reports": [], "others": 0, "errors": 0}


def run(row: Row, opened: Callable[[int], Opened], trials: int, seconds: float) -> Row:
    """So many trials by ``row.workers`` processes, or as many as they do in the time.

    ``opened`` is called in each process with its number, before the time begins.
    """
    started = context()
    with tempfile.TemporaryDirectory() as folder:
        ready, go = started.Semaphore(0), started.Event()
        shared = (opened, trials, seconds, ready, go, started.Value("i", 0), folder)
        processes = [
            started.Process(target=_work, args=(index, *shared)) for index in range(row.workers)
        ]
        for process in processes:
            process.start()
        _await_all(processes, ready)
        begin = Clock()
        go.set()
        for process in processes:
            process.join()
        row.seconds = Clock() - begin
        for path in sorted(Path(folder).glob("*.json")):
            done = json.loads(path.read_text())
            row.trials += done["trials"]
            row.claims += done["claims"]
            row.reports += done["reports"]
            row.others += done["others"]
            row.errors += done["errors"]
            row.cpu += done["cpu"]
    return row


def _await_all(processes: list[Any], ready: Any) -> None:
    for _ in processes:
        while not ready.acquire(timeout=5):
            if any(process.exitcode for process in processes):
                for process in processes:
                    process.kill()
                raise RuntimeError("a worker ended before it began; its error is above")


def _work(
    index: int,
    opened: Callable[[int], Opened],
    trials: int,
    seconds: float,
    ready: Any,
    go: Any,
    counter: Any,
    folder: str,
) -> None:
    warnings.simplefilter("ignore")
    one_trial, done = opened(index), note()
    ready.release()
    go.wait()
    before, ends_at = cpu_seconds(os.getpid()), Clock() + seconds
    while Clock() < ends_at:
        with counter.get_lock():
            if counter.value >= trials:
                break
            counter.value += 1
        try:
            one_trial(done)
        except Exception as error:
            done["errors"] += 1
            if done["errors"] == 1:
                print(f"  worker {index}: {error!r:.200}", file=sys.stderr)
    done["cpu"] = cpu_seconds(os.getpid()) - before
    Path(folder, f"{index}.json").write_text(json.dumps(done))


def context() -> Any:
    """Processes that start from one which has imported what they need."""
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(["optuna", "optuna.storages", "lehr.client", "objective"])
    return forkserver
