"""Recorded tasks: a search space, and the recorded curve nearest to a point of it."""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lehr.wire.space import Choice, Range, searched
from lehr.wire.studies import StudyDefinition

AVERAGED = " ema"  # ends the name of a task that is judged by averaged weights
FAMILIES = ("taskset", "deepobs", "schedules")


@dataclass(frozen=True)
class Recorded:
    """One task: configurations by their flat parameters, and what a training of each measured."""

    family: str
    name: str
    space: dict[str, Any]  # as a study defines it
    direction: str
    params: list[dict[str, Any]]
    judged: np.ndarray  # [configurations, epochs]: what a worker reports; NaN where it diverged
    values: np.ndarray  # [configurations, epochs]: the metric that a trial is worth at its end

    @property
    def recording(self) -> str:
        """The recording's name: the same whichever weights judge."""
        return self.name.removesuffix(AVERAGED)

    @property
    def epochs(self) -> int:
        return int(self.judged.shape[1])

    @property
    def finals(self) -> np.ndarray:
        return self.values[:, -1]

    @cached_property
    def _scale(self) -> tuple[float, float]:
        """The best final value and the median one of all configurations."""
        worst = -math.inf if self.direction == "maximize" else math.inf
        finals = np.where(np.isfinite(self.finals), self.finals, worst)
        best = finals.max() if self.direction == "maximize" else finals.min()
        median = np.median(finals)
        if not np.isfinite(median):
            median = np.median(finals[np.isfinite(finals)])
        return float(best), float(median)

    def regret(self, value: float) -> float:
        """0: the best final value that is known; 1: the median of random configurations."""
        best, median = self._scale
        return (value - best) / (median - best)

    def better(self, one: float, other: float) -> bool:
        return one > other if self.direction == "maximize" else one < other

    @cached_property
    def _axes(self) -> dict[str, Any]:
        return searched(self.definition().space)

    @cached_property
    def _points(self) -> np.ndarray:
        return np.array([self._place(params) for params in self.params])

    def _place(self, params: dict[str, Any]) -> list[float]:
        """A point in units of each parameter's range; another choice is further than any range."""
        return [x for name, axis in self._axes.items() for x in _unit(axis, params.get(name))]

    def nearest(self, params: dict[str, Any]) -> int:
        away = self._points - np.array(self._place(params))
        return int(np.argmin((away**2).sum(axis=1)))

    def definition(self, **more: Any) -> StudyDefinition:
        """The study that searches this task."""
        return StudyDefinition.model_validate(
            {
                "name": "replay",
                "task": "replay",
                "objective": {"metric": "value", "direction": self.direction},
                "search_space": self.space,
                "training": {"epochs": self.epochs},
            }
            | more
        )


def _unit(axis: Any, value: Any) -> list[float]:
    match axis:
        case Choice(values):
            return [100.0 * (value == choice) for choice in values]
        case Range(low, high, log) if value is not None:
            if log:
                return [math.log(value / low) / math.log(high / low)]
            return [(value - low) / (high - low)]
    return [0.5]  # a parameter of a branch that was not chosen


def load(data: Path, family: str) -> list[Recorded]:
    """The recorded tasks of a family, in the order of their names."""
    return sorted(_LOADERS[family](data), key=lambda task: task.name)


def _log(low: float, high: float) -> dict[str, Any]:
    return {"low": low, "high": high, "log": True}


_TASKSET = {
    "optimizer": {"adam": {"learning_rate": _log(1e-8, 10.0)}},
    "parameters": {
        "one_minus_beta1": _log(1e-4, 1.0),
        "one_minus_beta2": _log(1e-6, 1.0),
        "epsilon": _log(1e-10, 1e3),
        "l1": _log(1e-8, 10.0),
        "l2": _log(1e-8, 10.0),
        "linear_decay": _log(1e-7, 1e-4),
        "exponential_decay": _log(1e-6, 1e-3),
    },
}


def _taskset(data: Path) -> Iterator[Recorded]:
    names = ["adam.learning_rate", *_TASKSET["parameters"]]
    for path in (data / "curves" / "taskset").glob("*.npz"):
        with np.load(path) as stored:
            points, curves = stored["hp"].copy(), stored["valid"][:, 1:].astype(float)
        points[:, 1:3] = np.clip(1.0 - points[:, 1:3], 1e-6, 1.0)
        params = [{"optimizer": "adam"} | dict(zip(names, p, strict=True)) for p in points.tolist()]
        yield Recorded("taskset", path.stem, _TASKSET, "minimize", params, curves, curves)


_DEEPOBS = {"GradientDescentOptimizer": "sgd", "MomentumOptimizer": "momentum"}
_DEEPOBS_METRIC = {"cifar10_3c3d": "test_acc", "fmnist_2c2d": "test_acc"}


def _deepobs(data: Path) -> Iterator[Recorded]:
    runs: dict[str, dict[tuple[str, float], list[float]]] = {}
    with gzip.open(data / "curves" / "deepobs" / "curves.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            if row["seed"] != "42" or row["epoch"] == "0":
                continue
            point = _DEEPOBS.get(row["optimizer"], "adam"), float(row["lr"])
            value = row[_DEEPOBS_METRIC.get(row["problem"], "test_loss")]
            curve = runs.setdefault(row["problem"], {}).setdefault(point, [])
            curve.append(float(value) if value else math.nan)
    space = {
        "optimizer": {
            "sgd": {"learning_rate": _log(1e-5, 100.0)},
            "momentum": {"learning_rate": _log(1e-5, 100.0), "momentum": 0.99},
            "adam": {"learning_rate": _log(1e-5, 100.0)},
        }
    }
    for name, found in runs.items():
        direction = "maximize" if name in _DEEPOBS_METRIC else "minimize"
        params = [{"optimizer": o, f"{o}.learning_rate": rate} for o, rate in found]
        curves = np.array(list(found.values()))
        curves[~np.isfinite(curves)] = math.nan
        yield Recorded("deepobs", name, space, direction, params, curves, curves)


def _schedules(data: Path) -> Iterator[Recorded]:
    """What ``record_curves.py`` wrote: ``NAME.npz``; a task twice where it has averaged weights."""
    for path in data.glob("*.npz"):
        with np.load(path) as stored:
            about = json.loads(str(stored["about"]))
            raw, ema = stored["raw"], stored["ema"]
        known = "schedules", path.stem, about["space"], about["direction"], about["params"]
        yield Recorded(*known, raw, raw)
        if np.isfinite(ema).any():
            yield Recorded(known[0], path.stem + AVERAGED, *known[2:], ema, raw)


_LOADERS = {"taskset": _taskset, "deepobs": _deepobs, "schedules": _schedules}
