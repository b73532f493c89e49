"""What a study costs when it is large: a report, a claim, a list, memory, an ask."""

from __future__ import annotations

import random
import time
from typing import Any

import uvloop
from lehr_load import Http, work
from measure import memory_bytes, quantile
from objective import SPACE, STEPS, definition, loss, suggest
from tally import Clock, Tally, until_over

CLAIMS_PER_SECOND = 10
MEAN_REPORTS = 14  # of a trial, as half of them are pruned early


def measure(bench: Any, sizes: list[int]) -> None:
    """One line a size and database."""
    for size in sizes:
        print(f"plain Optuna in memory, {size} finished trials: {_plain(size):.1f} asks/s")
        for kind in bench.options.databases:
            where = bench.places.url(kind)
            with bench.process(bench.command, "serve", url=where):
                pass  # makes the schema
            fill(where, size, bench.options.ask)
            with bench.lehr(where) as (url, pid):
                uvloop.run(_measure(kind, url, pid, size, bench.options.size_seconds))


def fill(where: str, size: int, ask: dict[str, Any]) -> None:
    """A study with so many complete trials, written as the service would have left it."""
    from sqlalchemy import insert

    from lehr.wire.studies import StudyDefinition
    from lehr.wire.trials import TrialState
    from lehr_service.domain.trial import Trial
    from lehr_service.operations.studies import new_study
    from lehr_service.settings import Settings
    from lehr_service.storage import studies, trials
    from lehr_service.storage.session import Database
    from lehr_service.storage.tables import reports

    database = Database(Settings(database_url=where).url)
    draw = random.Random(1)
    body = definition("bench", {"name": "tpe", **ask}, None)
    study = new_study(StudyDefinition.model_validate(body), time.time())
    row = studies.columns(study) | {
        "complete": size,
        "epochs": size * STEPS,
        "finished_epochs": size * STEPS,
        "revision": 1,
    }
    with database.write() as connection:
        study_id = studies.add(connection, row)
        done = [_point(draw) for _ in range(size)]
        trials.add_all(
            connection,
            study_id,
            [
                Trial(
                    number=number,
                    state=TrialState.COMPLETE,
                    created_at=0.0,
                    params=params,
                    value=loss(params, STEPS - 1),
                    attempts=1,
                    steps=STEPS,
                    revision=1,
                )
                for number, params in enumerate(done)
            ],
        )
        common = {"study_id": study_id, "attempt": 1, "learning_rate": 0.1, "metrics": {}}
        common |= {"verdict": "continue", "reason": "", "revision": 1, "reported_at": 0.0}
        for start in range(0, size, 500):
            rows = [
                common | {"trial": number, "step": step, "value": loss(done[number], step)}
                for number in range(start, min(size, start + 500))
                for step in range(STEPS)
            ]
            connection.execute(insert(reports), rows)
    database.close()


def _point(draw: random.Random) -> dict[str, Any]:
    return {
        "optimizer": next(iter(SPACE["optimizer"])),
        "momentum.learning_rate": 10 ** draw.uniform(-4, 0),
        "momentum.momentum": draw.uniform(0.5, 0.99),
        "batch_size": draw.choice([32, 64, 128]),
        "dropout": draw.uniform(0, 0.5),
        "width": draw.randint(8, 256),
        "weight_decay": 10 ** draw.uniform(-6, -2),
    }


async def _measure(kind: str, url: str, pid: int, size: int, seconds: float) -> None:
    paced = await _load(url, seconds, pause=16 / CLAIMS_PER_SECOND / MEAN_REPORTS)
    flat_out = await _load(url, seconds)
    http = await Http.connect(url)
    lists = [await _timed(http, "/v1/studies/bench/trials?limit=100") for _ in range(20)]
    best = [await _timed(http, "/v1/studies/bench") for _ in range(20)]
    http.close()
    print(
        f"{kind}, {size} finished trials, W=16: report p50 {_ms(flat_out.reports, 0.5)}, "
        f"p99 {_ms(flat_out.reports, 0.99)}; claim p50 {_ms(paced.claims, 0.5)} at "
        f"{len(paced.claims) / seconds:.1f} claims/s; sustained "
        f"{len(flat_out.claims) / seconds:.1f} claims/s; page of 100 trials {_ms(lists, 0.5)}, "
        f"study {_ms(best, 0.5)}; memory {memory_bytes(pid) / 1e6:.0f} MB with the sampler; "
        f"errors {paced.errors + flat_out.errors} {paced.first_error or flat_out.first_error}",
        flush=True,
    )


async def _load(url: str, seconds: float, pause: float | None = None) -> Tally:
    """16 workers for so long, after as long to warm up; ``pause`` is between their reports."""
    paced = None if pause is None else (lambda: random.uniform(0.5, 1.5) * pause)
    for _ in range(2):
        tally = Tally(10**9, seconds)
        await until_over(tally, [work([url], i, tally, paced) for i in range(16)])
    return tally


async def _timed(http: Http, path: str) -> float:
    begin = Clock()
    status, _ = await http.send("GET", path)
    return Clock() - begin if status == 200 else float("nan")


def _plain(size: int) -> float:
    """Asks a second of Optuna's own TPE in memory, each told at once."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler())
    probe = study.ask()
    suggest(probe)
    kinds = dict(probe.distributions)
    draw = random.Random(1)
    for _ in range(size):
        params = {n: v for n, v in _point(draw).items() if n in kinds}
        study.add_trial(
            optuna.trial.create_trial(
                params=params, distributions=kinds, value=loss(params, STEPS - 1)
            )
        )
    begin, asks = time.perf_counter(), 0
    while time.perf_counter() - begin < 3:
        trial = study.ask()
        study.tell(trial, loss(suggest(trial), STEPS - 1))
        asks += 1
    return asks / (time.perf_counter() - begin)


def _ms(values: list[float], share: float) -> str:
    return f"{1e3 * quantile(values, share):.1f} ms"
