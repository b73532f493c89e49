"""A task that trains in a blink, on real digits, and trials of it."""

import os
from collections.abc import Callable
from typing import Annotated, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

from lehr_worker import Data, Parameter, Task, task
from lehr_worker.tasks.digits import digits
from lehr_worker.training.config import TrialConfig
from lehr_worker.training.engine import EpochReport

tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="on TensorFlow only"
)

same_with_every_backend = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="touches no back end: run once, by TensorFlow's"
)


@task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=20)
def small(
    units: Annotated[int, Parameter(low=1)] = 8,
    dropout: Annotated[float, Parameter(low=0.0, below=1.0, live=True)] = 0.0,
    scale: float = 1.0,
    forget: bool = False,
) -> Any:
    """One hidden layer on 64 digits."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((64,)),
            layers.Rescaling(scale),
            layers.Dense(units, activation="tanh"),
            layers.Dropout(dropout),
            layers.Dense(10, activation="softmax"),
        ]
    )


@small.data
def small_data(forget: bool) -> Data:
    data = digits()
    x, y = data.x_train[:64], data.y_train[:64]
    return Data(x * np.nan if forget else x, y, data.x_validation[:30], data.y_validation[:30])


@pytest.fixture
def small_task() -> Task:
    return small


@pytest.fixture
def trial() -> Callable[..., TrialConfig]:
    def config(optimizer: dict[str, Any] | None = None, **given: Any) -> TrialConfig:
        facts = {
            "task": "small",
            "number": 0,
            "optimizer": optimizer or {"name": "adam", "learning_rate": 0.01},
            "schedule": {"name": "exponential", "decay_steps": {"updates": 2}, "decay_rate": 0.9},
            "epochs": 4,
            "seed": 7,
            "metric": "val_loss",
            "direction": "minimize",
        }
        return TrialConfig(**facts | given)

    return config


class Log:
    """Keeps the reports and checkpoints of a training; `stop_after` says when it is enough."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.reports: list[EpochReport] = []
        self.checkpoints: list[bytes] = []
        self._stop_after = stop_after

    def on_epoch(self, report: EpochReport) -> bool:
        self.reports.append(report)
        return report.step != self._stop_after

    def checkpoint(self, step: int, state: Callable[[], bytes]) -> None:
        self.checkpoints.append(state())

    @property
    def facts(self) -> list[tuple[int, dict[str, float], float]]:
        """What must be equal in equal trainings: all but the time it took."""
        return [(r.step, r.metrics, r.learning_rate) for r in self.reports]


@pytest.fixture
def log() -> type[Log]:
    return Log
