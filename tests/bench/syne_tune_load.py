"""Syne Tune's local back end with ASHA; W processes at a time, one for each trial.

Started by the benchmark as a process that runs the whole search: ``python syne_tune_load.py JSON``.
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
from objective import STEPS

LOOK_SECONDS = 0.05  # between two looks at the trials; its default of 5 s suits long ones


def measure(bench: Any, row: Row) -> Row:
    trials, seconds = bench.options.limits
    found = bench.alone(Path(__file__), workers=row.workers, trials=trials, seconds=seconds)
    row.asynchronous, row.trials, row.errors = True, found["trials"], found["errors"]
    row.seconds, row.cpu = found["seconds"], found["cpu"]
    row.reports = [math.nan] * found["reports"]
    row.others = 2 * row.trials  # a suggestion and an end
    return row


def search(told: dict[str, Any]) -> None:
    os.environ["SYNETUNE_FOLDER"] = told["home"]
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import LocalBackend
    from syne_tune.config_space import choice, lograndint, loguniform, uniform
    from syne_tune.optimizer.baselines import ASHA
    from syne_tune.tuner_callback import TunerCallback

    class Count(TunerCallback):
        reports = 0

        def on_trial_result(self, *_: Any, **__: Any) -> None:
            self.reports += 1

    space = {
        "learning_rate": loguniform(1e-4, 1.0),
        "momentum": uniform(0.5, 0.99),
        "batch_size": choice([32, 64, 128]),
        "dropout": uniform(0.0, 0.5),
        "width": lograndint(8, 256),
        "weight_decay": loguniform(1e-6, 1e-2),
    }
    count = Count()
    tuner = Tuner(
        trial_backend=LocalBackend(
            str(Path(__file__).with_name("syne_tune_trial.py")), rotate_gpus=False
        ),
        scheduler=ASHA(
            space, metric="loss", time_attr="epoch", max_t=STEPS, reduction_factor=4, random_seed=1
        ),
        stop_criterion=StoppingCriterion(
            max_wallclock_time=told["seconds"], max_num_trials_finished=told["trials"]
        ),
        n_workers=told["workers"],
        sleep_time=LOOK_SECONDS,
        max_failures=told["trials"],
        callbacks=[count],
        save_tuner=False,
    )
    before, begin = cpu_seconds(os.getpid()), time.perf_counter()
    tuner.run()
    found = {
        "seconds": time.perf_counter() - begin,
        "cpu": cpu_seconds(os.getpid()) - before,
        "trials": tuner.tuning_status.num_trials_finished,
        "errors": tuner.tuning_status.num_trials_failed,
        "reports": count.reports,
    }
    Path(told["result"]).write_text(json.dumps(found))


if __name__ == "__main__":
    search(json.loads(sys.argv[1]))
