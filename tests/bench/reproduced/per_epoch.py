"""Rates that change once an epoch, as Keras's `LearningRateScheduler` makes them."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from reproduced.bench import CONSTANT, Bench, accuracies, axes, spread, table

Rule = Callable[[int, float], float]
"""Epoch and the rate of the one before to the rate of this one."""


def hold(epoch: int, rate: float) -> float:
    """The example of TensorFlow's documentation of `LearningRateScheduler`."""
    return rate if epoch < 10 else rate * math.exp(-0.1)


def percent(epoch: int, rate: float) -> float:
    """`lr -= lr / 100` after each epoch."""
    return rate if epoch == 0 else rate - rate / 100


def reproduce_hold(bench: Bench) -> None:
    print("\n### 10 epochs at 0.01, then times exp(-0.1) each epoch")
    schedule = {"name": "hold_then_exponential", "hold": {"epochs": 10}, "decay": 0.1}
    used = compare(bench, "hold", hold, schedule, rate=0.01, epochs=15, shown=(0, 9, 10, 11, 14))
    print(f"after 15 epochs, rounded to 5 places: {round(used[-1], 5)} (the source: 0.00607)")


def reproduce_percent(bench: Bench) -> None:
    print("\n### lr -= lr / 100 each epoch, from 0.1")
    schedule = {"name": "per_epoch_decay", "decay": 0.01}
    compare(bench, "percent", percent, schedule, rate=0.1, epochs=30, shown=(0, 1, 2, 10, 29))


def compare(
    bench: Bench,
    name: str,
    rule: Rule,
    schedule: Mapping[str, Any],
    *,
    rate: float,
    epochs: int,
    shown: tuple[int, ...],
) -> list[float]:
    """Rates beside those of `fit` with the rule; trainings beside a fixed rate. The rates used."""
    given = rates_of_fit(rule, rate, epochs)
    seeds = bench.pick(3, 1)
    parameters = {"images": bench.pick(55_000, 1_000), "tested": bench.pick(10_000, 300)}
    figure, (left, right) = axes(2)
    rows, used = [], []
    for label, chosen in {name: schedule, "fixed": CONSTANT}.items():
        optimizer = {"name": "sgd", "learning_rate": rate}
        runs = [
            bench.train(
                "softmax", optimizer, chosen, epochs=epochs, seed=seed, parameters=parameters
            )
            for seed in range(seeds)
        ]
        used.append([report.learning_rate for report in runs[0]])
        rows.append((label, spread([accuracies(run)[-1] for run in runs])))
        left.plot(accuracies(runs[0]), label=label)
        right.plot(used[-1], label=label)
    table(
        ("epoch", "Keras LearningRateScheduler", "trained with"),
        [(epoch, given[epoch], used[0][epoch]) for epoch in shown],
    )
    worst = max(abs(a - b) / b for a, b in zip(given, used[0], strict=True))
    print(f"{epochs} epochs; largest difference {worst:.1e} of the rate (Keras's is a float32)")
    table((f"schedule, rate {rate}, {epochs} epochs, {seeds} seeds", "test accuracy"), rows)
    left.set(ylabel="test accuracy", title="softmax regression, MNIST, SGD, batch 100")
    right.set(ylabel="learning rate")
    left.legend()
    bench.picture(name, figure)
    return used[0]


def rates_of_fit(rule: Rule, rate: float, epochs: int) -> list[float]:
    """The rate of each epoch of a `fit` with the rule in a LearningRateScheduler."""
    rates: list[float] = []

    class Note(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            rates.append(float(self.model.optimizer.learning_rate))

    model = keras.Sequential([keras.layers.Input((20,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(learning_rate=rate), loss="mse")
    callbacks = [keras.callbacks.LearningRateScheduler(rule), Note()]
    x = np.arange(100).reshape(5, 20) / 100
    model.fit(x, np.zeros((5, 1)), epochs=epochs, callbacks=callbacks, verbose=0)
    return rates
