"""Records learning curves of this project's own engine: optimizers x learning rates x schedules.

    LEHR_DATA_DIR=... .venv/bin/python tests/bench/record_curves.py FOLDER [--task NAME]

Writes FOLDER/NAME.npz for each task on Fashion-MNIST, 324 runs each: what ``search_quality.py
--family schedules --data FOLDER`` replays. The folder must not be in the repository. What is
interrupted goes on from FOLDER/NAME.part when it is started again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import contextlib

import keras
import numpy as np

from lehr_worker import Data, Parameter, task
from lehr_worker.tasks.datasets import load_images
from lehr_worker.training.config import TrialConfig
from lehr_worker.training.engine import Engine
from lehr_worker.training.errors import Diverged

EPOCHS = 20
RATES = 12  # an optimizer
OPTIMIZERS: dict[str, tuple[float, float, dict[str, Any]]] = {
    "sgd": (3e-3, 3.0, {}),
    "momentum": (3e-4, 0.3, {"momentum": 0.9}),
    "adam": (1e-4, 0.1, {}),
}
SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {},
    "linear": {},
    "cosine": {},
    "exponential": {"decay_steps": 1.0, "decay_rate": 0.01},
    "inverse_time": {"decay_steps": 0.1, "decay_rate": 1.0},
    "piecewise_constant": {"boundaries": [0.5, 0.75], "factors": [1.0, 0.1, 0.01]},
    "cosine_restarts": {"first_decay": 0.25, "t_mul": 3.0},
    "one_cycle": {"peak": 0.3},
    "warmup_stable_decay": {"warmup": 0.1, "decay": 0.2},
}


def _data(samples: int, wrong_labels: float = 0.0) -> Data:
    """So many images to train, 4,000 to judge; a share of the training labels drawn at random."""
    data = load_images("fashion_mnist", validation=10_000)
    labels = data.y_train[:samples].copy()
    chance = np.random.default_rng(0)
    wrong = chance.random(samples) < wrong_labels
    labels[wrong] = chance.integers(0, 10, int(wrong.sum()))
    held_out = data.x_validation[:4000], data.y_validation[:4000]
    return Data(data.x_train[:samples], labels, *held_out)


def _small_images(samples: int) -> Data:
    """So many images of 14x14 to train, each pixel the mean of four; 1,000 to judge."""
    data = _data(samples)

    def halved(images: np.ndarray) -> np.ndarray:
        blocks = images.reshape(-1, 14, 2, 14, 2)
        return blocks.mean(axis=(2, 4)).round().astype(np.uint8)

    held_out = halved(data.x_validation[:1000]), data.y_validation[:1000]
    return Data(halved(data.x_train), data.y_train, *held_out)


def _dense(*units: int) -> Any:
    return keras.Sequential(
        [
            keras.layers.Input((28, 28), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            *(keras.layers.Dense(count, activation="relu") for count in units),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


@task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=100)
def softmax() -> Any:
    """Softmax regression, 5,000 images."""
    return _dense()


@task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=100)
def mlp(units: Annotated[int, Parameter(low=1)] = 64) -> Any:
    """Two hidden layers, 5,000 images."""
    return _dense(units, units)


@task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=100)
def mlp_noisy() -> Any:
    """One hidden layer, 5,000 images, every fifth label drawn at random."""
    return _dense(128)


@task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=20)
def mlp_small() -> Any:
    """Three hidden layers, 1,000 images in small batches."""
    return _dense(64, 64, 64)


@task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=25, xla=True)
def cnn_normed() -> Any:
    """Two convolutions with batch normalisation, 1,000 images of 14x14."""
    layers = [
        keras.layers.Input((14, 14), dtype="uint8"),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Reshape((14, 14, 1)),
    ]
    for filters in (8, 16):
        layers += [
            keras.layers.Conv2D(filters, 3, strides=2, use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
        ]
    layers += [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    return keras.Sequential(layers)


softmax.data(lambda: _data(5000))
mlp.data(lambda: _data(5000))
mlp_noisy.data(lambda: _data(5000, wrong_labels=0.2))
mlp_small.data(lambda: _data(1000))
cnn_normed.data(lambda: _small_images(1000))
TASKS = {t.name: t for t in (softmax, mlp, mlp_noisy, mlp_small, cnn_normed)}


def space() -> dict[str, Any]:
    """The search space whose points were recorded."""
    rates = {n: {"low": low, "high": high, "log": True} for n, (low, high, _) in OPTIMIZERS.items()}
    optimizers = {n: {"learning_rate": rates[n]} | more for n, (*_, more) in OPTIMIZERS.items()}
    return {"optimizer": optimizers, "schedule": SCHEDULES}


def points() -> list[dict[str, Any]]:
    """Every recorded point by its flat parameters."""
    return [
        {"optimizer": name, f"{name}.learning_rate": float(rate), "schedule": schedule}
        for name, (low, high, _) in OPTIMIZERS.items()
        for rate in np.geomspace(low, high, RATES)
        for schedule in SCHEDULES
    ]


def record(engine: Engine, name: str, point: dict[str, Any], ema: float | None) -> np.ndarray:
    """Validation accuracy by epoch, [2, epochs]: raw and averaged weights; NaN once diverged."""
    chosen = point["optimizer"]
    config = TrialConfig(
        task=name,
        number=0,
        optimizer={"name": chosen, "learning_rate": point[f"{chosen}.learning_rate"]}
        | OPTIMIZERS[chosen][2],
        schedule={"name": point["schedule"]} | SCHEDULES[point["schedule"]],
        epochs=EPOCHS,
        seed=0,
        metric="val_accuracy",
        direction="maximize",
        **({} if ema is None else {"ema": ema}),
    )
    curves = np.full((2, EPOCHS), math.nan)

    def note(report: Any) -> bool:
        for row, metric in enumerate(("val_accuracy", "ema_val_accuracy")):
            curves[row, report.step] = report.metrics.get(metric, math.nan)
        return True

    with contextlib.suppress(Diverged):
        engine.train(config, note)
    return curves


def record_all(engine: Engine, path: Path, ema: float | None) -> np.ndarray:
    """Every point's curves, [points, 2, epochs]; goes on from those in ``path``'s ``.part``."""
    part = path.with_suffix(".part")
    curves = list(np.load(part)) if part.exists() else []
    recorded = points()
    for number in range(len(curves), len(recorded)):
        curves.append(record(engine, path.stem, recorded[number], ema))
        if number % len(SCHEDULES) == 0:
            with part.open("wb") as file:
                np.save(file, np.array(curves))
    part.unlink(missing_ok=True)
    return np.array(curves)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--task", choices=TASKS, help="one task; all if not given")
    parser.add_argument("--ema", type=float, default=0.99, help="decay an update; 0: none")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    engine = Engine(TASKS)
    for name in [options.task] if options.task else list(TASKS):
        start, path = time.perf_counter(), options.folder / f"{name}.npz"
        curves = record_all(engine, path, options.ema or None)
        about = {"space": space(), "direction": "maximize", "params": points()}
        about |= {"ema": options.ema or None}
        np.savez_compressed(path, about=json.dumps(about), raw=curves[:, 0], ema=curves[:, 1])
        print(f"{path}: {len(curves)} runs in {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
