"""Whether a search suffers from suggestions made ahead, from a thinned history.

    LEHR_DATA_DIR=... .venv/bin/python tests/bench/ahead.py [--trials 400] [--seeds 4] [--tasks 5]

TPE searches recorded Adam trainings (TaskSet): a suggestion takes the final loss of the nearest of
1,000 configurations. Eight trials run at a time. Printed is the share of the 1,000 that is better
than the best one found (lower is better), at a quarter of the trials and at their end.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import TrialState
from lehr_service.search import Mirror, hasten

AT_ONCE = 8


def definition(low: Any, high: Any, names: list[str]) -> StudyDefinition:
    space = {
        name: {"low": float(bottom), "high": float(top)}
        for name, bottom, top in zip(names, low, high, strict=True)
    }
    return StudyDefinition.model_validate(
        {
            "name": "replay",
            "task": "taskset",
            "objective": {"metric": "loss", "direction": "minimize"},
            "search_space": {"optimizer": {"adam": {"learning_rate": 0.1}}, "parameters": space},
            "training": {"epochs": 1},
            "sampler": {"name": "tpe"},
        }
    )


class Table:
    """The recorded configurations, each parameter as its rank so that distances make sense."""

    def __init__(self, path: Path) -> None:
        data = np.load(path)
        ranks = data["hp"].argsort(0).argsort(0)
        varied = np.array([len(np.unique(column)) > 10 for column in data["hp"].T])
        self.points = ranks[:, varied] / len(ranks)
        final = data["valid"][:, -1].astype(float)
        final[~np.isfinite(final)] = np.inf
        self.ranks = final.argsort().argsort() / len(final)
        self.names = [f"p{i}" for i in range(self.points.shape[1])]
        bounds = np.zeros(len(self.names)), np.ones(len(self.names))
        self.definition = definition(*bounds, self.names)

    def rank(self, params: dict[str, Any]) -> float:
        point = np.array([params[name] for name in self.names])
        return float(self.ranks[((self.points - point) ** 2).sum(1).argmin()])


def at_each_claim(table: Table, seed: int, trials: int, history: int) -> list[float]:
    """Ranks in the order of trials, each asked for when it is claimed."""
    mirror = Mirror(table.definition, "s", seed)
    mirror.thin(history)
    running: deque[tuple[int, float]] = deque()
    ranks: list[float] = []
    while len(ranks) < trials:
        if len(running) == AT_ONCE:
            _finish(mirror, running)
        asked = mirror.ask()
        ranks.append(table.rank(asked.params))
        running.append((asked.number, ranks[-1]))
    return ranks


def ahead(table: Table, seed: int, trials: int, history: int) -> list[float]:
    """The same with suggestions made eight at a time, before the eight that run have finished."""
    mirror = Mirror(table.definition, "s", seed)
    mirror.thin(history)
    running: deque[tuple[int, float]] = deque()
    stock: deque[Any] = deque()
    ranks: list[float] = []
    while len(ranks) < trials:
        if len(stock) == 0:
            with mirror.pretending([]):
                stock.extend(mirror.ask_ahead(len(ranks) + i) for i in range(AT_ONCE))
        if len(running) == AT_ONCE:
            _finish(mirror, running)
        asked = mirror.adopt(stock.popleft())
        ranks.append(table.rank(asked.params))
        running.append((asked.number, ranks[-1]))
    return ranks


def _finish(mirror: Mirror, running: deque[tuple[int, float]]) -> None:
    number, value = running.popleft()
    mirror.tell(number, TrialState.COMPLETE, [value])


WAYS = {
    "at each claim": (at_each_claim, 0),
    "ahead": (ahead, 0),
    "ahead, history of 300": (ahead, 300),
    "ahead, history of 100": (ahead, 100),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--tasks", type=int, default=5)
    options = parser.parse_args()
    folder = Path(os.environ["LEHR_DATA_DIR"]) / "curves" / "taskset"
    tables = [Table(path) for path in sorted(folder.glob("*.npz"))[: options.tasks]]
    hasten()
    print("| suggestions | regret at 1/4 | regret at the end | mean rank, last half | CPU s |")
    print("|---|---|---|---|---|")
    for name, (way, history) in WAYS.items():
        begin = time.process_time()
        runs = [
            way(table, seed, options.trials, history)
            for table in tables
            for seed in range(options.seeds)
        ]
        quarter, end = options.trials // 4, options.trials
        figures = [
            np.mean([min(run[:quarter]) for run in runs]),
            np.mean([min(run[:end]) for run in runs]),
            np.mean([np.mean(run[end // 2 :]) for run in runs]),
        ]
        shown = " | ".join(f"{figure:.4f}" for figure in figures)
        print(f"| {name} | {shown} | {time.process_time() - begin:.0f} |", flush=True)


if __name__ == "__main__":
    main()
