"""Pruners and samplers on recorded learning curves: what they find, and for how many epochs.

LEHR_DATA_DIR=... .venv/bin/python tests/bench/search_quality.py --family taskset --half report
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")  # processes share the cores

import numpy as np
import optuna
from replay import tasks
from replay.sides import Plain, Searched, Served
from replay.simulation import measures, simulate
from replay.tasks import FAMILIES, Recorded

from lehr_service.search.forecast import _View

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.WARNING)

MEASURES = ("regret 25%", "regret 50%", "regret 100%", "wrong", "pruned", "saved")


def _tpe(seed: int) -> Any:
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)


def _plain(make: Callable[[int], Any], sampler: Any, task: Recorded, seed: int) -> Plain:
    return Plain(task.definition(), sampler(seed), make(task.epochs))


PLAIN = {
    "random": (
        lambda epochs: optuna.pruners.NopPruner(),
        lambda seed: optuna.samplers.RandomSampler(seed),
    ),
    "TPE": (lambda epochs: optuna.pruners.NopPruner(), _tpe),
    "TPE + median": (lambda epochs: optuna.pruners.MedianPruner(), _tpe),
    "TPE + ASHA": (
        lambda epochs: optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=4),
        _tpe,
    ),
    "TPE + Hyperband": (lambda epochs: optuna.pruners.HyperbandPruner(max_resource=epochs), _tpe),
}
FORECAST = {"name": "forecast"}
OWN: dict[str, dict[str, Any]] = {
    "lehr": {},
    "lehr eager": {"pruner": FORECAST | {"eager": True}},
}
NO_START = "lehr, first values not compared"
ABLATIONS: dict[str, dict[str, Any]] = {
    "lehr, good_set all": {"sampler": {"name": "tpe", "good_set": "all"}},
    "lehr, one early cut": {"pruner": FORECAST | {"eager": False}},
    "lehr, no early cut": {"pruner": FORECAST | {"early_cut": 1.0}},
    NO_START: {},
    "lehr, dominance off": {"pruner": FORECAST | {"dominance": "off"}},
    "lehr, alpha 0.05": {"pruner": FORECAST | {"alpha": 0.05}},
    "lehr, alpha 0.2": {"pruner": FORECAST | {"alpha": 0.2}},
    "lehr, n_min 5": {"pruner": FORECAST | {"n_min": 5}},
    "lehr, n_min 20": {"pruner": FORECAST | {"n_min": 20}},
    "lehr, audit 0.05": {"pruner": FORECAST | {"audit": 0.05}},
    "median, good set": {"pruner": {"name": "median"}},
}


def make_side(name: str, own: str, task: Recorded, seed: int, served: bool) -> Any:
    """The side of a contender; ``own`` is JSON of what its study defines beside the task."""
    if name in PLAIN:
        return _plain(*PLAIN[name], task, seed)
    definition = task.definition(**{"pruner": FORECAST} | json.loads(own))
    return Served(definition, seed) if served else Searched(definition, seed)


@cache
def _tasks(data: str, family: str) -> list[Recorded]:
    return tasks.load(Path(data), family)


def _number(task: Recorded) -> int:
    """Of the recording, whichever weights judge: searches are compared with equal seeds."""
    return zlib.crc32(task.recording.encode()) % 2**20


def replay(
    data: str, family: str, served: bool, job: tuple[str, str, int, int]
) -> dict[str, float]:
    """One search of one task with one seed."""
    name, own, index, seed = job
    task = _tasks(data, family)[index]
    side = make_side(name, own, task, 1000 * _number(task) + seed, served)
    without: Any = nullcontext()
    if name == NO_START:
        without = patch.object(_View, "no_better_than_the_start", lambda view, seen: None)
    try:
        with without:
            return measures(task, simulate(task, side, seed))
    finally:
        if isinstance(side, Served):
            side.close()


def run_all(
    data: str,
    family: str,
    contenders: dict[str, dict[str, Any]],
    chosen: list[int],
    seeds: int,
    processes: int,
    served: bool = False,
) -> dict[str, np.ndarray]:
    """For each contender its measures, [tasks, seeds, measures]."""
    jobs = [
        (name, json.dumps(own), index, seed)
        for name, own in contenders.items()
        for index in chosen
        for seed in range(seeds)
    ]
    with ProcessPoolExecutor(processes) as pool:
        found = list(pool.map(partial(replay, data, family, served), jobs, chunksize=4))
    rows = [[measured[key] for key in MEASURES] for measured in found]
    shape = len(contenders), len(chosen), seeds, len(MEASURES)
    return dict(zip(contenders, np.array(rows).reshape(shape), strict=True))


def interval(differences: np.ndarray) -> tuple[float, float]:
    """90 % of the mean, by resampling pairs (one a task and seed)."""
    chance = np.random.default_rng(0)
    flat = differences.ravel()
    means = flat[chance.integers(0, flat.size, (10_000, flat.size))].mean(axis=1)
    low, high = np.percentile(means, [5, 95])
    return float(low), float(high)


def table(found: dict[str, np.ndarray], reference: str = "TPE") -> str:
    """One line a contender, in Markdown."""
    lines = [
        "| | 25 % | 50 % | 100 % | median at 100 % "
        f"| 100 % less {reference} [90 %] | wrong | saved |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, runs in found.items():
        early, half, full, wrong, pruned, saved = (runs[..., i] for i in range(len(MEASURES)))
        difference = ""
        if reference in found and name != reference:
            pairs = full - found[reference][..., 2]
            low, high = interval(pairs)
            difference = f"{pairs.mean():+.3f} [{low:+.3f}, {high:+.3f}]"
        share = wrong.sum() / max(pruned.sum(), 1)
        lines.append(
            f"| {name} | {early.mean():.3f} | {half.mean():.3f} | {full.mean():.3f} "
            f"| {np.median(full):.3f} | {difference} | {share:.1%} | {saved.mean():.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", choices=FAMILIES, required=True)
    parser.add_argument("--data", default=os.environ.get("LEHR_DATA_DIR"), help="LEHR_DATA_DIR")
    parser.add_argument("--half", choices=("choose", "report", "both"), default="report")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="contenders by name; all if not given")
    parser.add_argument(
        "--own", type=json.loads, default={}, help='more contenders: {"name": {"pruner": ...}}'
    )
    parser.add_argument("--ablations", action="store_true", help="lehr without this and that")
    parser.add_argument("--served", action="store_true", help="lehr through its real server")
    options = parser.parse_args()
    known: dict[str, dict[str, Any]] = {key: {} for key in PLAIN} | OWN | options.own
    if options.ablations:
        known = {"TPE": {}, "lehr": {}} | ABLATIONS
    contenders = {n: known[n] for n in options.only} if options.only is not None else known
    loaded, found = _tasks(options.data, options.family), {}
    for judge, chosen in _chosen(loaded, options.half).items():
        names = ", ".join(loaded[i].name for i in chosen)
        print(f"\n{options.family}, judged by {judge} weights: {names}; {options.seeds} seeds\n")
        found[judge] = run_all(
            options.data,
            options.family,
            contenders,
            chosen,
            options.seeds,
            options.processes,
            options.served,
        )
        print(table(found[judge], "lehr" if options.ablations else "TPE"), flush=True)
    if len(found) == 2 and "lehr" in contenders:
        pairs = found["averaged"]["lehr"][..., 2] - found["raw"]["lehr"][..., 2]
        low, high = interval(pairs)
        print(f"\nlehr, averaged less raw: {pairs.mean():+.3f} [{low:+.3f}, {high:+.3f}]")


def _chosen(loaded: list[Recorded], half: str) -> dict[str, list[int]]:
    """Indices of the tasks in a half of the recordings, by the weights that judge."""
    names = sorted({task.recording for task in loaded})
    part = {"choose": names[::2], "report": names[1::2], "both": names}[half]
    found: dict[str, list[int]] = {}
    for index, task in enumerate(loaded):
        if task.recording in part:
            judge = "raw" if task.recording == task.name else "averaged"
            found.setdefault(judge, []).append(index)
    return found


if __name__ == "__main__":
    main()
