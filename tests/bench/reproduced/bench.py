"""What each reproduction has at hand: an engine, tables, pictures."""

import os
import platform
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from matplotlib.figure import Figure

from lehr_worker.training.config import TrialConfig
from lehr_worker.training.engine import Engine, EpochReport
from reproduced.tasks import Load, tasks

T = TypeVar("T")

CONSTANT = {"name": "constant"}


class Bench:
    """Trains by lehr's engine, prints Markdown tables, writes pictures to a folder.

    `quick` is for trying out whether everything runs; its figures say nothing.
    """

    def __init__(self, out: Path, load: Load, *, quick: bool) -> None:
        self.quick = quick
        self.tasks = tasks(load)
        self.engine = Engine(self.tasks)
        self._out = out
        out.mkdir(parents=True, exist_ok=True)

    def pick(self, full: T, quick: T) -> T:
        return quick if self.quick else full

    def train(
        self,
        task: str,
        optimizer: Mapping[str, Any],
        schedule: Mapping[str, Any] = CONSTANT,
        *,
        epochs: int,
        seed: int = 0,
        parameters: Mapping[str, Any],
        engine: Engine | None = None,
        resume: bytes | None = None,
        checkpoint: Callable[[int, Callable[[], bytes]], None] | None = None,
    ) -> list[EpochReport]:
        """The reports of a whole training, or of what follows the state to resume from."""
        reports: list[EpochReport] = []
        config = TrialConfig(
            task=task,
            number=0,
            optimizer=optimizer,
            schedule=schedule,
            epochs=epochs,
            seed=seed,
            metric="val_accuracy",
            direction="maximize",
            parameters=parameters,
        )

        def on_epoch(report: EpochReport) -> bool:
            reports.append(report)
            return True

        (engine or self.engine).train(config, on_epoch, resume=resume, checkpoint=checkpoint)
        return reports

    def picture(self, name: str, figure: Figure) -> None:
        file = self._out / f"{name}.png"
        figure.savefig(file, dpi=120)
        print(f"\nwrote {file}")


def head() -> str:
    """The machine and the versions that figures depend on."""
    names = ("tensorflow", "keras", "numpy")
    libraries = "".join(f", {name} {version(name)}" for name in names)
    python = platform.python_version()
    return f"{os.cpu_count()} CPU cores, Python {python}{libraries}, {np.datetime64('today')}"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A Markdown table; floats with five significant digits."""
    print("\n| " + " | ".join(columns) + " |")
    print("|---" * len(columns) + "|")
    for row in rows:
        print("| " + " | ".join(_cell(value) for value in row) + " |")
    print(flush=True)


def accuracies(reports: Sequence[EpochReport]) -> list[float]:
    """On the test images, by epoch."""
    return [report.metrics["val_accuracy"] for report in reports]


def spread(values: Sequence[float]) -> str:
    """Mean and sample standard deviation."""
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"


def mean_curve(runs: Sequence[Sequence[float]]) -> list[float]:
    return [statistics.mean(values) for values in zip(*runs, strict=True)]


def axes(columns: int, *, xlabel: str = "epoch") -> tuple[Figure, Any]:
    """A figure with so many plots side by side."""
    figure = Figure(figsize=(6 * columns, 4.5), layout="constrained")
    plots = figure.subplots(1, columns, squeeze=False)[0]
    for plot in plots:
        plot.grid(alpha=0.3)
        plot.set_xlabel(xlabel)
    return figure, plots


def _cell(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
