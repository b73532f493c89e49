"""Training from a `tf.data` stream: the engine against `fit` on the same datasets, and its stalls.

`LEHR_DATA_DIR=... python tests/bench/streams.py`. A stall is what an epoch takes longer than one by
the same graph whose data lies on the device already.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import engine as arrays
import keras
import tensorflow as tf

from lehr_worker import Data, Stream, Task, task
from lehr_worker.training.engine import Engine

SOURCES = {"mnist_mlp": arrays.mnist, "small_cnn": arrays.fashion}


def stream(data: Data, batch_size: int) -> Stream:
    """The arrays, shuffled, batched and normalised on the way."""

    def batches(x: Any, y: Any, seed: int | None) -> Any:
        read = tf.data.Dataset.from_tensor_slices((x, y))
        if seed is not None:
            read = read.shuffle(10_000, seed=seed)
        read = read.batch(batch_size if seed is not None else 1000, drop_remainder=seed is not None)
        return read.map(lambda x, y: (tf.cast(x, tf.float32), y))

    return Stream(
        train=lambda seed: batches(data.x_train, data.y_train, seed),
        validation=batches(data.x_validation, data.y_validation, None),
    )


def streamed(name: str) -> Task:
    """A task of the engine's benchmark that reads its data while it trains."""
    known = arrays.TASKS[name]
    parameters = known.complete({})

    @task(
        name=f"streamed_{name}",
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        batch_size=parameters["batch_size"],
    )
    def model() -> Any:
        return known.build_model(parameters)

    model.data(lambda: stream(SOURCES[name](), parameters["batch_size"]))
    return model


class Epochs(keras.callbacks.Callback):
    """Seconds of each epoch's updates."""

    async_safe = True

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._start = time.perf_counter()

    def on_test_begin(self, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self._start)


def by_fit(given: Task, epochs: int) -> float:
    """Seconds of an epoch's updates, the first not counted."""
    parameters, seen = given.complete({}), Epochs()
    data = given.load_data(parameters)
    model = given.build_model(parameters)
    model.compile("sgd", given.build_loss(parameters), metrics=given.build_metrics(parameters))
    train = data.train(7).prefetch(tf.data.AUTOTUNE)
    model.fit(train, validation_data=data.validation, epochs=epochs, verbose=0, callbacks=[seen])
    return statistics.median(seen.seconds[1:])


def by_engine(given: Task, epochs: int) -> float:
    engine, seen = Engine({given.name: given}, xla=False), list[float]()
    config = arrays.replace(arrays.trial("small_cnn", 0, epochs=epochs), task=given.name)
    engine.train(config, lambda report: seen.append(report.seconds) or True)
    (program,) = engine.programs.kept
    evaluation = statistics.median(arrays.seconds(program.evaluate) for _ in range(3))
    return statistics.median(seen[1:]) - evaluation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    for name in SOURCES:
        read = streamed(name)
        ways: dict[str, Callable[[], float]] = {
            "fit": lambda read=read: by_fit(read, options.epochs),
            "stream": lambda read=read: by_engine(read, options.epochs),
            "on the device": lambda name=name: by_engine(arrays.TASKS[name], options.epochs),
        }
        taken = {way: [run() for _ in range(options.repeats)] for way, run in ways.items()}
        fit, engine, device = (statistics.median(taken[way]) for way in ways)
        print(
            f"{name}: an epoch's updates by fit {fit:.3f} s, by the engine {engine:.3f} s: ", end=""
        )
        print(
            f"{fit / engine:.2f}x; on the device {device:.3f} s: stalls {1 - device / engine:.0%}"
        )


if __name__ == "__main__":
    main()
