"""SGD, momentum, Adagrad and Adam on a batch-normalised ResNet; checkpoint and resume in between.

Kingma and Ba (2015, arXiv:1412.6980, section 6.3): on a convolutional network Adam and momentum
converge considerably faster than Adagrad. Wilson et al. (2017, arXiv:1705.08292): adaptive methods
progress faster at first, SGD and momentum generalise as well or better. Here the rate falls to 0 by
a cosine, so that the end does not depend on noise; the best of three rates has the lowest loss.
"""

from collections.abc import Callable

import numpy as np

from lehr_worker.training import checkpoints
from lehr_worker.training.engine import Engine
from reproduced.bench import Bench, accuracies, axes, table

COSINE = {"name": "cosine"}
RATES = {
    "sgd": (0.03, 0.1, 0.3),
    "momentum": (0.01, 0.03, 0.1),
    "adagrad": (0.01, 0.03, 0.1),
    "adam": (0.001, 0.003, 0.01),
}


def reproduce(bench: Bench) -> None:
    print("\n### Four optimizers on a ResNet-8 with batch normalisation, Fashion-MNIST 14x14")
    epochs = bench.pick(6, 2)
    figure, (left, right) = axes(2)
    rows, resumed = [], []
    for name, rates in bench.pick(RATES, {"momentum": RATES["momentum"][:1]}).items():
        runs = [Trained(bench, name, rate, epochs) for rate in rates]
        best = min(runs, key=lambda run: run.losses[-1])
        tried = ", ".join(f"{run.rate:g}: {run.losses[-1]:.3f}" for run in runs)
        rows.append((name, tried, best.rate, best.losses[0], best.accuracies[-1]))
        resumed.append((name, *resumption(bench, best, epochs)))
        left.plot(best.losses, label=f"{name} {best.rate}")
        right.plot(best.accuracies, label=f"{name} {best.rate}")
    losses = f"training loss after {epochs} epochs, by rate", "best rate", "its loss after 1"
    table(("optimizer", *losses, "its test accuracy"), rows)
    print("Resumed from the checkpoint in the middle, in another engine:")
    table(("optimizer", "epochs", "metrics that differ", "largest difference of a weight"), resumed)
    left.set(ylabel="training loss")
    right.set(ylabel="test accuracy")
    left.legend()
    bench.picture("resnet", figure)


class Trained:
    """An uninterrupted training with the states after each of its epochs."""

    def __init__(self, bench: Bench, name: str, rate: float, epochs: int) -> None:
        self.optimizer = {"name": name, "learning_rate": rate}
        self.rate = rate
        self.states: list[bytes] = []
        self.reports = bench.train(
            "small_resnet",
            self.optimizer,
            COSINE,
            epochs=epochs,
            parameters=parameters(bench),
            checkpoint=keep(self.states),
        )
        self.accuracies = accuracies(self.reports)
        self.losses = [report.metrics["loss"] for report in self.reports]


def resumption(bench: Bench, whole: Trained, epochs: int) -> tuple[str, int, float]:
    """Which epochs were trained again, how many metrics and by how much weights differ."""
    half = epochs // 2
    states: list[bytes] = []
    reports = bench.train(
        "small_resnet",
        whole.optimizer,
        COSINE,
        epochs=epochs,
        parameters=parameters(bench),
        engine=Engine(bench.tasks),
        resume=whole.states[half - 1],
        checkpoint=keep(states),
    )
    pairs = [
        (a.metrics[name], b.metrics[name])
        for a, b in zip(reports, whole.reports[half:], strict=True)
        for name in b.metrics
    ]
    differ = sum(a != b for a, b in pairs)
    return f"{half + 1} to {epochs}", differ, apart(states[-1], whole.states[-1])


def apart(state: bytes, other: bytes) -> float:
    """The largest difference of any variable: weights, statistics, slots, seeds."""
    (arrays, _), (others, _) = checkpoints.unpack(state), checkpoints.unpack(other)
    return max(
        float(np.max(np.abs(arrays[name].astype(float) - others[name].astype(float)), initial=0.0))
        for name in others
    )


def keep(states: list[bytes]) -> Callable[[int, Callable[[], bytes]], None]:
    return lambda step, state: states.append(state())


def parameters(bench: Bench) -> dict[str, int]:
    return {"images": bench.pick(6_400, 256), "tested": bench.pick(2_000, 200)}
