"""A whole study of short trials: lehr (server, worker, verdicts) against Optuna with `model.fit`.

    .venv/bin/python tests/bench/study.py [--trials 100] [--epochs 10]

Both search optimizer, learning rate and schedule of the digits network with random sampling and the
median pruner, one trial after the other on this machine. lehr's time runs from the study's creation
to its end, its worker being up; Optuna's from its first trial to its last, TensorFlow being loaded.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
LEHR = Path(sys.executable).with_name("lehr")
SCHEDULES = ["constant", "exponential", "cosine"]


def definition(trials: int, epochs: int) -> dict[str, Any]:
    return {
        "name": "bench",
        "task": "digits_mlp",
        "objective": {"metric": "val_accuracy", "direction": "maximize"},
        "search_space": {
            "optimizer": {
                "momentum": {"learning_rate": {"low": 1e-3, "high": 0.3, "log": True}},
                "adam": {"learning_rate": {"low": 1e-4, "high": 0.03, "log": True}},
            },
            "schedule": {
                "constant": {},
                "exponential": {"decay_steps": {"epochs": 1}, "decay_rate": 0.8},
                "cosine": {},
            },
        },
        "training": {"epochs": epochs, "seed": 7},
        "sampler": {"name": "random", "seed": 7},
        "pruner": {"name": "median", "n_startup_trials": 5, "n_warmup_steps": 2},
        "limits": {"max_trials": trials},
    }


def with_lehr(trials: int, epochs: int) -> dict[str, float]:
    """Seconds, epochs trained and best value of a study through real processes."""
    from lehr import Client

    with socket.socket() as free, tempfile.TemporaryDirectory() as home:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        url = f"http://127.0.0.1:{port}"
        environment = os.environ | {"LEHR_HOME": home, "LEHR_PORT": str(port), "LEHR_SERVER": url}
        log = (Path(home) / "log").open("wb")
        started = [
            subprocess.Popen([LEHR, *command], env=environment, stdout=log, stderr=log)
            for command in (["serve"], ["work", "--devices", "cpu"])
        ]
        try:
            client = Client(url, retry_seconds=60)
            while not list(client.workers()):
                time.sleep(0.1)
            start = time.perf_counter()
            client.create_study(definition(trials, epochs))
            study = client.wait_for("bench", timeout=3600)
            seconds = time.perf_counter() - start
            idle = idle_share(client)
            return {
                "seconds": seconds,
                "epochs": study.epochs,
                "best": study.best.value,
                "idle": idle,
            }
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait()
            log.close()


def idle_share(client: Any) -> float:
    """Share of the time from the first report to the last in which nothing was trained.

    What lies between the last report of a trial and the first of the next, less an epoch of it: the
    end of one, the claim of the other, resetting the program, and compiling where it is a new kind.
    """
    times = [
        [report.reported_at.timestamp() for report in client.reports("bench", trial.number)]
        for trial in client.trials("bench")
    ]
    times = sorted(reported for reported in times if len(reported) > 1)
    trained = sum(t[-1] - t[0] for t in times)
    trained += sum((t[-1] - t[0]) / (len(t) - 1) for t in times[1:])
    return 1 - trained / (times[-1][-1] - times[0][0])


def with_optuna(trials: int, epochs: int) -> dict[str, float]:
    """The same study the usual way: a new model, compile and fit for each trial."""
    import keras
    import optuna

    from lehr_worker.tasks.registry import load

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    task = load([])["digits_mlp"]
    parameters = task.complete({})
    data = task.load_data(parameters)
    updates = len(data.x_train) // parameters["batch_size"]
    trained = 0

    class Prune(keras.callbacks.Callback):
        def __init__(self, trial: optuna.Trial) -> None:
            super().__init__()
            self._trial = trial

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            nonlocal trained
            trained += 1
            self._trial.report(logs["val_accuracy"], epoch)
            if self._trial.should_prune():
                raise optuna.TrialPruned

    def rate(trial: optuna.Trial, initial: float) -> Any:
        schedules = keras.optimizers.schedules
        match trial.suggest_categorical("schedule", SCHEDULES):
            case "exponential":
                return schedules.ExponentialDecay(initial, updates, 0.8)
            case "cosine":
                return schedules.CosineDecay(initial, updates * epochs)
        return initial

    def objective(trial: optuna.Trial) -> float:
        keras.utils.set_random_seed(7)
        if trial.suggest_categorical("optimizer", ["momentum", "adam"]) == "momentum":
            initial = trial.suggest_float("momentum.learning_rate", 1e-3, 0.3, log=True)
            optimizer = keras.optimizers.SGD(rate(trial, initial), momentum=0.9)
        else:
            initial = trial.suggest_float("adam.learning_rate", 1e-4, 0.03, log=True)
            optimizer = keras.optimizers.Adam(rate(trial, initial))
        model = task.build_model(parameters)
        model.compile(
            optimizer,
            loss=task.build_loss(parameters),
            metrics=task.build_metrics(parameters),
        )
        history = model.fit(
            data.x_train,
            data.y_train,
            batch_size=parameters["batch_size"],
            epochs=epochs,
            validation_data=(data.x_validation, data.y_validation),
            callbacks=[Prune(trial)],
            verbose=0,
        )
        return float(history.history["val_accuracy"][-1])

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=7),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2),
    )
    start = time.perf_counter()
    study.optimize(objective, n_trials=trials)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "epochs": trained, "best": study.best_value}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    found = {}
    for name, run in (("lehr", with_lehr), ("optuna + model.fit", with_optuna)):
        found[name] = run(options.trials, options.epochs)
        print(f"{name:20}", json.dumps({k: round(v, 3) for k, v in found[name].items()}))
    lehr, plain = found.values()
    print(f"ratio of seconds     {plain['seconds'] / lehr['seconds']:.1f}")
    each = [run["seconds"] / run["epochs"] for run in (plain, lehr)]
    print(f"ratio an epoch       {each[0] / each[1]:.1f}")


if __name__ == "__main__":
    main()
