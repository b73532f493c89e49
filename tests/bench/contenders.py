"""Who takes part in the service benchmark, and the measure of each: a row for so many workers."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import client_load
import lehr_load
import optuna_load
from measure import Row
from objective import TASK
from tally import Begun, Tally, measured

Measure = Callable[[Any, Row], Row]


def lehr(kind: str, servers: int = 1) -> Measure:
    """lehr on SQLite or PostgreSQL, its workers simulated and spread evenly over the servers."""

    def run(bench: Any, row: Row) -> Row:
        options, database = bench.options, bench.places.url(kind)
        with ExitStack() as stack:
            started = [stack.enter_context(bench.lehr(database)) for _ in range(servers)]
            urls = [url for url, _ in started]

            async def begin() -> Begun:
                tasks = [f"{TASK}-{number}" for number in range(options.studies)]
                for task in tasks:
                    await lehr_load.created(urls[0], options.ask, task)
                tally = Tally(*options.limits)
                return tally, [
                    lehr_load.work(urls, i, tally, task=tasks[i // servers % len(tasks)])
                    for i in range(row.workers)
                ]

            return measured(row, [pid for _, pid in started], begin)

    return run


def ceiling(path: str, database: str | None) -> Measure:
    """FastAPI alone: what a request costs that is not lehr's doing; counted as reports."""

    def run(bench: Any, row: Row) -> Row:
        where = [] if database is None else [bench.places.url(database)]
        script = str(Path(__file__).with_name("ceilings.py"))
        with bench.python(script, "{port}", *where) as (url, pid):

            async def begin() -> Begun:
                tally = Tally(1, bench.options.ceiling_seconds)
                return tally, [lehr_load.flood(url, path, tally) for _ in range(row.workers)]

            return measured(row, [pid], begin)

    return run


def rival(driver: str) -> Measure:
    """A system that the environment may lack; its driver is imported when it takes part."""

    def run(bench: Any, row: Row) -> Row:
        found: Row = importlib.import_module(driver).measure(bench, row)
        return found

    return run


CONTENDERS: dict[str, Measure] = {
    "lehr-sqlite": lehr("sqlite"),
    "lehr-postgres": lehr("postgres"),
    "lehr-2-servers": lehr("postgres", servers=2),
    "lehr-client-sqlite": client_load.measure,
    "optuna-sqlite": optuna_load.contender("rdb", "sqlite"),
    "optuna-postgres": optuna_load.contender("rdb", "postgres"),
    "optuna-journal": optuna_load.contender("journal", "file"),
    "optuna-grpc-sqlite": optuna_load.contender("grpc", "sqlite"),
    "optuna-grpc-postgres": optuna_load.contender("grpc", "postgres"),
    "keras-tuner-chief": rival("keras_tuner_load"),
    "vizier": rival("vizier_load"),
    "ray-tune": rival("ray_tune_load"),
    "syne-tune": rival("syne_tune_load"),
    "fastapi-noop": ceiling("/noop", None),
    "fastapi-insert-sqlite": ceiling("/insert", "sqlite"),
    "fastapi-insert-postgres": ceiling("/insert", "postgres"),
}

NEEDS = {
    "keras-tuner-chief": ("keras_tuner", "jax", "six"),
    "vizier": ("vizier", "jax", "equinox", "flax", "chex"),
    "ray-tune": ("ray", "pandas"),
    "syne-tune": ("syne_tune",),
    "optuna-grpc-sqlite": ("grpc",),
    "optuna-grpc-postgres": ("grpc",),
}


def missing(contender: str) -> list[str]:
    """The packages that this environment lacks for a contender."""
    return [name for name in NEEDS.get(contender, ()) if importlib.util.find_spec(name) is None]
