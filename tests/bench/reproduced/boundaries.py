"""Piecewise-constant rates by global update: where exactly does the rate change?"""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from lehr import schedules
from reproduced.bench import CONSTANT, Bench, accuracies, axes, table

LADDER = (40_000, 60_000, 80_000)
RUNGS = (0.1, 0.01, 0.001, 0.0001)
UPDATES = 100_000


def reproduce(bench: Bench) -> None:
    small(bench)
    ladder(bench)


def small(bench: Bench) -> None:
    """Boundaries 5, 10, 15. Trained with one update an epoch, so that every rate is reported."""
    boundaries, rates = (5, 10, 15), (0.1, 0.05, 0.01, 0.001)
    schedule = piecewise(boundaries, rates)
    given = keras.optimizers.schedules.PiecewiseConstantDecay(list(boundaries), list(rates))
    images = bench.pick(10_000, 500)
    reports = bench.train(
        "softmax",
        {"name": "sgd", "learning_rate": rates[0]},
        schedule,
        epochs=20,
        parameters={"images": images, "batch_size": images, "tested": bench.pick(10_000, 300)},
    )
    print("\n### Boundaries 5, 10, 15; rates 0.1, 0.05, 0.01, 0.001")
    used = [report.learning_rate for report in reports]
    rows = [(u, float(given(u)), used[u]) for b in boundaries for u in (b - 1, b, b + 1)]
    table(("update", "Keras PiecewiseConstantDecay", "trained with"), rows)
    worst = max(abs(float(given(update)) - rate) for update, rate in enumerate(used))
    print(f"{len(used)} updates trained; largest difference to Keras's rate {worst:.1e}")


def ladder(bench: Bench) -> None:
    """`if step < 40000: 0.1, elif step < 60000: 0.01, ...` over 100,000 updates, and a fixed 0.1.

    The ladder of TensorFlow's ResNet example (tensorflow/models, research/resnet) on a small model.
    """
    shrink = bench.pick(1, 1000)
    tops = [top // shrink for top in LADDER]
    boundaries = [top - 1 for top in tops]  # a boundary belongs to the rate on its left
    given = keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, list(RUNGS))
    schedule = piecewise(boundaries, RUNGS)
    images = bench.pick(50_000, 1_000)
    epochs = UPDATES // shrink // (images // 100)
    curve = schedules.build(
        schedule, learning_rate=RUNGS[0], epochs=epochs, updates_per_epoch=images // 100
    )
    print("\n### The ladder 40,000 / 60,000 / 80,000")
    rows = [
        (u, by_steps(tops)(u), float(given(u)), curve(u)) for t in tops for u in (t - 1, t, t + 1)
    ]
    table(("update", "if step < ...", "Keras, boundaries one less", "lehr"), rows)
    every = range(UPDATES // shrink)
    wrong = sum(abs(by_steps(tops)(u) - curve(u)) > 1e-12 for u in every)
    print(f"updates of {len(every):,} with another rate than the ladder's: {wrong}")
    train_ladder(bench, schedule, epochs, images, tops)


def train_ladder(
    bench: Bench, schedule: dict[str, Any], epochs: int, images: int, tops: Sequence[int]
) -> None:
    parameters = {"images": images, "tested": bench.pick(10_000, 300)}
    figure, (left, right) = axes(2)
    rows = []
    for name, rates in {"ladder": schedule, "fixed 0.1": CONSTANT}.items():
        optimizer = {"name": "sgd", "learning_rate": RUNGS[0]}
        reports = bench.train("softmax", optimizer, rates, epochs=epochs, parameters=parameters)
        judged = accuracies(reports)
        per_epoch = images // 100
        ends = [top // per_epoch - 1 for top in tops] + [epochs - 1]
        rows.append((name, *(judged[end] for end in ends), reports[-1].metrics["loss"]))
        left.plot(judged, label=name)
        right.plot([report.learning_rate for report in reports], label=name)
    columns = [f"after {top:,}" for top in (*tops, epochs * (images // 100))]
    table(("test accuracy", *columns, "training loss at the end"), rows)
    left.set(ylabel="test accuracy", title="softmax regression, MNIST, SGD, batch 100")
    right.set(ylabel="learning rate", yscale="log")
    left.legend()
    bench.picture("piecewise", figure)


def piecewise(boundaries: Sequence[int], rates: Sequence[float]) -> dict[str, Any]:
    """The schedule with these rates, given the first as the learning rate."""
    return {
        "name": "piecewise_constant",
        "boundaries": [{"updates": update} for update in boundaries],
        "factors": [rate / rates[0] for rate in rates],
    }


def by_steps(tops: Sequence[int]) -> Callable[[int], float]:
    """The chain of ifs as it is written in training loops."""

    def rate(step: int) -> float:
        if step < tops[0]:
            return 0.1
        if step < tops[1]:
            return 0.01
        if step < tops[2]:
            return 0.001
        return 0.0001

    return rate
