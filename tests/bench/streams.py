"""Training from a `tf.data` stream: the engine against `fit` on the same datasets, and its stalls.

`LEHR_DATA_DIR=... python tests/bench/streams.py`. A stall is what an epoch takes longer than one by
the same graph whose data lies on the device already.
"""

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import engine as arrays
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


def by_fit(given: Task, epochs: int) -> float:
    """Updates a second, those of the first epoch not counted."""
    parameters, seen = given.complete({}), arrays.Stopwatch()
    data = given.load_data(parameters)
    model = given.build_model(parameters)
    model.compile("sgd", given.build_loss(parameters), metrics=given.build_metrics(parameters))
    train = data.train(7).prefetch(tf.data.AUTOTUNE)
    model.fit(train, validation_data=data.validation, epochs=epochs, verbose=0, callbacks=[seen])
    return len(train) / statistics.median(seen.updates[1:])


def by_engine(given: Task, epochs: int) -> float:
    """The same by the engine, without XLA, which compiles no stream."""
    config = arrays.replace(arrays.trial("small_cnn", 0, epochs=epochs), task=given.name)
    return arrays.engine_trial(Engine({given.name: given}, xla=False), config)["updates/s"]


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
        print(f"{name}: updates/s by fit {fit:.0f}, by the engine {engine:.0f}: ", end="")
        print(f"{engine / fit:.2f}x; on the device {device:.0f}: stalls {1 - engine / device:.0%}")


if __name__ == "__main__":
    main()
