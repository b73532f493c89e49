"""Ray Tune with Optuna's sampler and ASHA; W actors at a time, one for each trial.

Started by the benchmark as a process that runs the whole search: ``python ray_tune_load.py JSON``.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

from measure import Row, cpu_seconds
from objective import STEPS, loss, suggest


def measure(bench: Any, row: Row) -> Row:
    trials, seconds = bench.options.limits
    found = bench.alone(
        Path(__file__),
        workers=row.workers,
        trials=trials,
        seconds=seconds,
        sampler=bench.options.sampler,
    )
    row.asynchronous, row.trials, row.errors = True, found["trials"], found["errors"]
    row.seconds, row.cpu = found["seconds"], found["cpu"]
    row.reports = [math.nan] * found["reports"]
    row.others = 2 * row.trials  # a suggestion and an end
    return row


def train(params: dict[str, Any]) -> None:
    from ray import tune

    for step in range(STEPS):
        tune.report({"loss": loss(params, step)})


def search(told: dict[str, Any]) -> None:
    """Everything that Ray starts before a search is not counted."""
    import optuna
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    ray.init(
        num_cpus=told["workers"],
        include_dashboard=False,
        object_store_memory=100 * 2**20,
        _node_ip_address="127.0.0.1",
        _temp_dir=told["home"],
    )
    watch = _watch(told["seconds"])
    tuner = tune.Tuner(
        train,
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(
                space=_space, metric="loss", mode="min", sampler=samplers[told["sampler"]]()
            ),
            scheduler=ASHAScheduler(metric="loss", mode="min", max_t=STEPS, grace_period=1),
            num_samples=told["trials"],
            max_concurrent_trials=told["workers"],
            time_budget_s=told["seconds"],
        ),
        run_config=tune.RunConfig(
            storage_path=str(Path(told["home"], "results")), callbacks=[watch], verbose=0
        ),
    )
    before = cpu_seconds(os.getpid())
    watch.begin = time.perf_counter()
    tuner.fit()
    cpu = cpu_seconds(os.getpid()) - before
    Path(told["result"]).write_text(json.dumps(watch.found | {"cpu": cpu}))
    ray.shutdown()


def _space(trial: Any) -> None:
    suggest(trial)


def _watch(seconds: float) -> Any:
    """Counts what ends within the time."""
    from ray import tune

    class Watch(tune.Callback):
        begin = 0.0
        found: dict[str, Any] = {"trials": 0, "reports": 0, "errors": 0, "seconds": seconds}  # noqa: RUF012

        def _count(self, what: str) -> None:
            took = time.perf_counter() - self.begin
            if took <= seconds:
                self.found[what] += 1
                self.found["seconds"] = took

        def on_trial_result(self, *_: Any, **__: Any) -> None:
            self._count("reports")

        def on_trial_complete(self, *_: Any, **__: Any) -> None:
            self._count("trials")

        def on_trial_error(self, *_: Any, **__: Any) -> None:
            self._count("errors")

    return Watch()


if __name__ == "__main__":
    search(json.loads(sys.argv[1]))
