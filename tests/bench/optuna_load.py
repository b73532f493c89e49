"""Optuna's own workers: W processes that share a storage, as its manual has it."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from measure import Row, cpu_seconds
from objective import STEPS, loss, suggest

STUDY = "bench"


def storage_of(kind: str, where: str) -> Any:
    """An Optuna storage; SQLite in WAL mode, as its users set it for several processes."""
    import optuna
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if kind == "journal":
        return JournalStorage(JournalFileBackend(where))
    if kind == "grpc":
        host, _, port = where.rpartition(":")
        proxy = optuna.storages.GrpcStorageProxy(host=host, port=int(port))
        proxy.wait_server_ready(timeout=60)
        return proxy
    if where.startswith("sqlite"):
        return RDBStorage(where, engine_kwargs={"connect_args": {"timeout": 60}})
    return RDBStorage(where)


def prepare(kind: str, where: str, sampler: str) -> None:
    """Make the study, in a process of its own so that no connection stays in this one."""
    process = _context().Process(target=_prepare, args=(kind, where))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"no study in {kind} {where}")


def _prepare(kind: str, where: str) -> None:
    import optuna

    if where.startswith("sqlite"):
        import sqlite3

        with sqlite3.connect(where.removeprefix("sqlite:///")) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    optuna.create_study(storage=storage_of(kind, where), study_name=STUDY, direction="minimize")


def run(row: Row, kind: str, where: str, sampler: str, trials: int, seconds: float) -> Row:
    """So many trials by ``row.workers`` processes, or as many as they do in the time."""
    import tempfile

    context = _context()
    with tempfile.TemporaryDirectory() as folder:
        ready, go = context.Semaphore(0), context.Event()
        counter = context.Value("i", 0)
        shared = (kind, where, sampler, trials, seconds, ready, go, counter, folder)
        processes = [
            context.Process(target=_work, args=(index, *shared)) for index in range(row.workers)
        ]
        for process in processes:
            process.start()
        for _ in processes:
            ready.acquire()
        begin = time.perf_counter()
        go.set()
        used = 0.0
        for process in processes:
            process.join()
        row.seconds = time.perf_counter() - begin
        for path in sorted(Path(folder).glob("*.json")):
            done = json.loads(path.read_text())
            row.trials += done["trials"]
            row.claims += done["claims"]
            row.reports += done["reports"]
            row.errors += done["errors"]
            used += done["cpu"]
            row.seconds = max(0.0, row.seconds)
    row.cpu = used
    return row


def _work(
    index: int,
    kind: str,
    where: str,
    sampler: str,
    trials: int,
    seconds: float,
    ready: Any,
    go: Any,
    counter: Any,
    folder: str,
) -> None:
    import os

    import optuna

    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    study = optuna.load_study(
        study_name=STUDY,
        storage=storage_of(kind, where),
        sampler=samplers[sampler](),
        pruner=optuna.pruners.MedianPruner(),
    )
    done: dict[str, Any] = {"trials": 0, "claims": [], "reports": [], "errors": 0}
    ready.release()
    go.wait()
    before, ends_at = cpu_seconds(os.getpid()), time.perf_counter() + seconds
    while time.perf_counter() < ends_at:
        with counter.get_lock():
            if counter.value >= trials:
                break
            counter.value += 1
        try:
            _one_trial(study, done, optuna)
        except Exception as error:
            done["errors"] += 1
            if done["errors"] == 1:
                print(f"  worker {index}: {error!r:.200}", file=sys.stderr)
    done["cpu"] = cpu_seconds(os.getpid()) - before
    Path(folder, f"{index}.json").write_text(json.dumps(done))


def _one_trial(study: Any, done: dict[str, Any], optuna: Any) -> None:
    clock = time.perf_counter
    begin = clock()
    trial = study.ask()
    params = suggest(trial)
    done["claims"].append(clock() - begin)
    for step in range(STEPS):
        begin = clock()
        trial.report(loss(params, step), step)
        pruned = trial.should_prune()
        done["reports"].append(clock() - begin)
        if pruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            break
    else:
        study.tell(trial, loss(params, STEPS - 1))
    done["trials"] += 1


def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["optuna", "optuna.storages", "optuna_load"])
    return context
