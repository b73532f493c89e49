"""Optuna's own workers: W processes that share a storage, as its manual has it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from measure import Row, cpu_seconds
from objective import STEPS, loss, suggest
from processes import Clock, Done, Opened, context, run

STUDY = "bench"


def contender(kind: str, database: str) -> Callable[[Any, Row], Row]:
    """Storage ``kind`` (rdb, journal, grpc) on a database or a file."""

    def measure(bench: Any, row: Row) -> Row:
        options = bench.options
        where = bench.places.url(database, driver=True)
        with ExitStack() as stack:
            if kind == "grpc":
                script = str(Path(__file__).with_name("grpc_proxy.py"))
                url, pid = stack.enter_context(bench.python(script, where, "{port}"))
                where, before = url.removeprefix("http://"), cpu_seconds(pid)
            _prepare(kind, where)
            row = run(row, partial(_opened, kind, where, options.sampler), *options.limits)
            if kind == "grpc":
                row.cpu += cpu_seconds(pid) - before
        return row

    return measure


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


def _prepare(kind: str, where: str) -> None:
    """Make the study, in a process of its own so that no connection stays in this one."""
    process = context().Process(target=_create, args=(kind, where))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"no study in {kind} {where}; the error is above")


def _create(kind: str, where: str) -> None:
    import optuna

    if where.startswith("sqlite"):
        import sqlite3

        with sqlite3.connect(where.removeprefix("sqlite:///")) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    optuna.create_study(storage=storage_of(kind, where), study_name=STUDY, direction="minimize")


def _opened(kind: str, where: str, sampler: str, index: int) -> Opened:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    study = optuna.load_study(
        study_name=STUDY,
        storage=storage_of(kind, where),
        sampler=samplers[sampler](),
        pruner=optuna.pruners.MedianPruner(),
    )
    return partial(_one_trial, study, optuna)


def _one_trial(study: Any, optuna: Any, done: Done) -> None:
    begin = Clock()
    trial = study.ask()
    params = suggest(trial)
    done["claims"].append(Clock() - begin)
    for step in range(STEPS):
        begin = Clock()
        trial.report(loss(params, step), step)
        pruned = trial.should_prune()
        done["reports"].append(Clock() - begin)
        if pruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            break
    else:
        study.tell(trial, loss(params, STEPS - 1))
    done["others"] += 1
    done["trials"] += 1
