"""The training engine against `model.fit`, in one run: `python tests/bench/engine.py`.

Needs MNIST and Fashion-MNIST (`LEHR_DATA_DIR`). Prints a table; ratios are fit / engine.
"""

import argparse
import ctypes
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from lehr_worker import Data, Parameter, task
from lehr_worker.libraries import DEFAULTS
from lehr_worker.tasks.datasets import load_images
from lehr_worker.tasks.fashion_mnist import fashion_mnist_cnn
from lehr_worker.tasks.mnist import mnist_softmax
from lehr_worker.training.config import TrialConfig
from lehr_worker.training.engine import Engine, EpochReport

RATES = (0.1, 0.03, 0.01)
SCHEDULES: tuple[dict[str, Any], ...] = (
    {"name": "exponential", "decay_steps": {"epochs": 1}, "decay_rate": 0.9},
    {"name": "cosine"},
    {"name": "constant"},
)
OPTIMIZERS = ("sgd", "momentum", "adam", "rmsprop")
TRIALS = (20, 200)


@task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=100)
def mnist_mlp(units: Annotated[int, Parameter(low=1)] = 128) -> Any:
    """Two hidden layers on MNIST."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((28, 28), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(units, activation="relu"),
            layers.Dense(units, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


@mnist_mlp.data
def mnist() -> Data:
    return load_images("mnist", validation=10_000)


@task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=100)
def short_mlp() -> Any:
    """The MLP on 1,000 images: for many trials."""
    return mnist_mlp.build_model({"units": 64})


@short_mlp.data
def short_mnist() -> Data:
    data = mnist()
    return Data(
        data.x_train[:1000], data.y_train[:1000], data.x_validation[:1000], data.y_validation[:1000]
    )


@task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=32)
def small_cnn() -> Any:
    """The CNN of `fashion_mnist_cnn`, an epoch of 300 updates."""
    return fashion_mnist_cnn.build_model(fashion_mnist_cnn.complete({}))


@small_cnn.data
def fashion() -> Data:
    data = load_images("fashion_mnist", validation=10_000)
    return Data(
        data.x_train[:9600], data.y_train[:9600], data.x_validation[:1000], data.y_validation[:1000]
    )


TASKS = {t.name: t for t in (mnist_softmax, mnist_mlp, small_cnn, short_mlp)}
CASES = {"mnist_softmax": 7.0, "mnist_mlp": 5.0, "small_cnn": 1.8}
"""The tasks with the updates a second that the engine has to make, as multiples of `fit`'s."""


def trial(name: str, index: int, *, epochs: int, seed: int = 7, optimizer: str = "sgd") -> Any:
    return TrialConfig(
        task=name,
        number=index,
        optimizer={"name": optimizer, "learning_rate": RATES[index % 3] / (1 + index)},
        schedule=SCHEDULES[index % 3],
        epochs=epochs,
        seed=seed,
        metric="val_accuracy",
        direction="maximize",
    )


class Stopwatch(keras.callbacks.Callback):
    """When the first update ended, how long each epoch's updates took, and each epoch in all."""

    async_safe = True  # or Keras waits for each update's metrics, 5 % of the MLP's time

    def __init__(self) -> None:
        super().__init__()
        self.at: float | None = None
        self.updates: list[float] = []
        self.epochs: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._start = time.perf_counter()

    def on_test_begin(self, logs: Any = None) -> None:
        self.updates.append(time.perf_counter() - self._start)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append(time.perf_counter() - self._start)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.at is None:
            self.at = time.perf_counter()


def plain_fit(name: str, data: Data, epochs: int) -> dict[str, float]:
    """A trial as it is usually run: build, compile, fit."""
    task_ = TASKS[name]
    parameters = task_.complete({})
    callback = Stopwatch()
    start = time.perf_counter()
    keras.utils.set_random_seed(7)
    model = task_.build_model(parameters)
    model.compile("sgd", task_.build_loss(parameters), metrics=task_.build_metrics(parameters))
    model.fit(
        data.x_train,
        data.y_train,
        batch_size=parameters["batch_size"],
        epochs=epochs,
        validation_data=(data.x_validation, data.y_validation),
        validation_batch_size=1000,
        verbose=0,
        callbacks=[callback],
    )
    total = time.perf_counter() - start
    steady = statistics.median(callback.updates[1:] or callback.updates)
    updates = -(-len(data.x_train) // parameters["batch_size"])
    return {
        "updates/s": updates / steady,
        "first update": callback.at - start,
        "start": total - epochs * statistics.median(callback.epochs[1:] or callback.epochs),
    }


def engine_trial(engine: Engine, config: TrialConfig) -> dict[str, float]:
    """The same through the engine. `before` is the time until its first epoch's call begins,
    `start` what the whole trial takes beyond its epochs (in a new program tracing, compiling)."""
    reports: list[EpochReport] = []
    ends: list[float] = []

    def on_epoch(report: EpochReport) -> bool:
        reports.append(report)
        ends.append(time.perf_counter())
        return True

    start = time.perf_counter()
    engine.train(config, on_epoch)
    total = time.perf_counter() - start
    steady = statistics.median([r.seconds for r in reports[1:]])
    (program,) = engine.programs.kept
    evaluation = seconds(program.evaluate)
    return {
        "updates/s": reports[0].updates / (steady - evaluation),
        "before": ends[0] - start - reports[0].seconds,
        "start": total - len(reports) * steady,
    }


def seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare(name: str, epochs: int, repeats: int) -> list[tuple[str, float, float, float]]:
    """Rows (what, fit, engine, target): updates a second, overheads, first use.

    Each runs in processes of its own, with the environment that it has where people use it: that
    of a trainer for the engine, an empty one for `fit`.
    """
    runs: dict[str, list[Any]] = {"fit": [], "fit, oneDNN": [], "engine": []}
    for _ in range(repeats):
        for what, found in runs.items():
            option = "--engine" if what == "engine" else "--fit"
            found.append(
                apart(
                    *(option, name, "--epochs", str(epochs)),
                    environment={} if what == "fit" else DEFAULTS,
                )
            )
    fits, nexts = runs["fit"], [run for both in runs["engine"] for run in both[1:]]
    firsts = [both[0] for both in runs["engine"]]

    def median(runs: list[dict[str, float]], key: str) -> float:
        return statistics.median(run[key] for run in runs)

    rate, start = median(nexts, "updates/s"), median(fits, "start")
    return [
        ("updates/s", median(fits, "updates/s"), rate, CASES[name]),
        ("fit with oneDNN", median(runs["fit, oneDNN"], "updates/s"), rate, 0.0),
        ("next trial, s", median(fits, "first update"), median(nexts, "before"), 0.05),
        ("first use, s", start, median(firsts, "start"), start),
    ]


def one(name: str, epochs: int, *, fit: bool) -> Any:
    """A trial by `fit`, or three by the engine; TensorFlow's own first use belongs to neither."""
    plain_fit("short_mlp", short_mnist(), 1)
    if fit:
        return plain_fit(name, TASKS[name].load_data(TASKS[name].complete({})), epochs)
    engine, parameters = Engine(TASKS), TASKS[name].complete({})
    data = engine.programs.data(TASKS[name], parameters)  # loaded in nobody's time, as fit's
    trials = [trial(name, i, epochs=epochs, seed=7 + i // 2) for i in range(3)]
    found = [engine_trial(engine, each) for each in trials]
    del data
    return found


FEATURES: dict[str, dict[str, Any]] = {
    "plain": {},
    "averaged weights": {"ema": 0.99},
    "mixed_bfloat16": {"parameters": {"precision": "mixed_bfloat16"}},
    "mixed_float16": {"parameters": {"precision": "mixed_float16"}},
}


def features(name: str, epochs: int, rounds: int = 5) -> list[tuple[str, float]]:
    """Rows (what, time of an epoch as a multiple of float32 without an average).

    It is CPU time of all threads, which other work on the machine changes less than wall time; the
    features take turns, and the median epoch counts.
    """
    engine = Engine(TASKS)
    taken: dict[str, list[float]] = {what: [] for what in FEATURES}
    for _ in range(rounds):
        for what, changes in FEATURES.items():
            ends: list[float] = []

            def note(report: EpochReport, ends: list[float] = ends) -> bool:
                ends.append(time.process_time())
                return True

            engine.train(replace(trial(name, 0, epochs=epochs), **changes), note)
            taken[what] += np.diff(ends).tolist()
    plain = statistics.median(taken["plain"])
    return [(what, statistics.median(found) / plain) for what, found in taken.items()]


def resident() -> float:
    """Resident memory in MB, once what is free has been given back."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def memory(seeds: str) -> dict[int, float]:
    """Resident memory after so many trials over four optimizers and three schedules."""
    engine, found = Engine(TASKS), {}
    for index in range(TRIALS[-1]):
        seed = 7 if seeds == "fixed" else index
        config = trial("short_mlp", index, epochs=1, seed=seed, optimizer=OPTIMIZERS[index % 4])
        engine.train(config, lambda _: True)
        if index + 1 in TRIALS:
            found[index + 1] = resident()
    return found


def apart(*arguments: str, environment: Mapping[str, str] = DEFAULTS) -> Any:
    """What this program prints as JSON in a process of its own."""
    command = [sys.executable, __file__, *arguments]
    environment = dict(os.environ) | environment
    output = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment
    ).stdout
    return json.loads(output.splitlines()[-1])


def show(options: argparse.Namespace) -> None:
    names = ("tensorflow", "keras", "numpy")
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}", end="")
    print("".join(f", {name} {version(name)}" for name in names), f", {np.datetime64('today')}")
    print(f"{'task':20}{'':16}{'model.fit':>12}{'engine':>12}{'ratio':>8}  target")
    for name in CASES:
        for what, fit, engine, target in compare(name, options.epochs, options.repeats):
            fast = not what.endswith(", s")
            ratio = engine / fit if fast else fit / engine
            goal = f">= {target:.1f}x" if fast else f"<= {target:.3f} s"
            met = "met" if (ratio >= target if fast else engine <= target) else "MISSED"
            print(f"{name:20}{what:16}{fit:12.3f}{engine:12.3f}{ratio:7.1f}x  {goal} {met}")
    for name in CASES:
        rows = apart("--features", name, "--epochs", str(options.epochs))
        print(name, "CPU time an epoch:", ", ".join(f"{what} {ratio:.2f}x" for what, ratio in rows))
    for seeds in ("fixed", "per_trial"):
        found = apart("--memory", seeds)
        first, last = (found[str(n)] for n in TRIALS)
        growth = last / first - 1
        met = "met" if growth < 0.05 else "MISSED"
        print(
            f"memory, {seeds} seed: {first:.0f} MB after {TRIALS[0]} trials, {last:.0f} MB after",
            end="",
        )
        print(f" {TRIALS[1]}: {growth:+.1%} (< 5 % {met})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--fit", choices=CASES, help="one trial by fit only, as JSON")
    parser.add_argument("--engine", choices=CASES, help="three by the engine only, as JSON")
    parser.add_argument("--features", choices=CASES, help="what features cost only, as JSON")
    parser.add_argument("--memory", choices=("fixed", "per_trial"), help="memory only, as JSON")
    options = parser.parse_args()
    if options.fit or options.engine:
        name, fit = options.fit or options.engine, bool(options.fit)
        print(json.dumps(one(name, options.epochs, fit=fit)))
    elif options.features:
        print(json.dumps(features(options.features, options.epochs)))
    elif options.memory:
        print(json.dumps(memory(options.memory)))
    else:
        show(options)


if __name__ == "__main__":
    main()
