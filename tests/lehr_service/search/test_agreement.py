"""A mirror is plain Optuna, and any mirror continues what another began."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from optuna import pruners, samplers

from lehr_service.search import Mirror
from lehr_service.search.forecast import ForecastPruner
from lehr_service.search.tpe import CompleteGoodSet

from .stories import (
    CONDITIONAL,
    GRID,
    TREE,
    MirrorSide,
    PlainSide,
    Replicas,
    Restarts,
    Trace,
    define,
    play,
    suggest_conditional,
    suggest_grid,
    suggest_tree,
)

NO_PRUNER = pruners.NopPruner


@dataclass(frozen=True)
class Story:
    """A study written twice: as a definition, and in Optuna's own words."""

    sampler: dict[str, Any]
    plain_sampler: Callable[[int, int], Any]
    pruner: dict[str, Any]
    plain_pruner: Callable[[], Any]
    space: dict[str, Any]
    suggest: Callable[[Any], dict[str, Any]]
    enqueued: tuple[dict[str, Any], ...] = ({"optimizer": "adam", "widths": [8, 16]}, {})
    trials: int = 40
    objectives: int = 1
    needs: str = "optuna"

    def define(self) -> Any:
        goals = [
            {"metric": "loss", "direction": "minimize"},
            {"metric": "size", "direction": "maximize"},
        ]
        several = {"objectives": goals} if self.objectives > 1 else {}
        return define(self.space, sampler=self.sampler, pruner=self.pruner, **several)

    def through_mirrors(self, turn: Callable[[MirrorSide], Mirror] | None = None) -> Trace:
        side = MirrorSide(self.define(), turn)
        return play(side, self.trials, list(self.enqueued), self.objectives)

    def through_optuna(self) -> Trace:
        side = PlainSide(self.define(), self.plain_sampler, self.plain_pruner(), self.suggest)
        return play(side, self.trials, list(self.enqueued), self.objectives)


def sampling(
    name: str,
    plain: Callable[[int, int], Any],
    *,
    options: dict[str, Any] | None = None,
    pruned: bool = True,
    **fields: Any,
) -> Story:
    pruner, plain_pruner = ("median", pruners.MedianPruner) if pruned else ("none", NO_PRUNER)
    story = {"space": CONDITIONAL, "suggest": suggest_conditional} | fields
    return Story({"name": name} | (options or {}), plain, {"name": pruner}, plain_pruner, **story)


def tpe(seed: int, own: int) -> Any:
    return samplers.TPESampler(seed=own, multivariate=True, group=True, constant_liar=True)


def good_tpe(seed: int, own: int) -> Any:
    return CompleteGoodSet(seed=own, multivariate=True, group=True, constant_liar=True)


def rates(trial: Any) -> list[float]:
    """The learning rate of each epoch's last update in CONDITIONAL, 100 updates an epoch."""
    params, rise = trial.params, round(900 * trial.params["warmup"])
    updates = [100 * epoch + 99 for epoch in range(9)]
    length = params.get("exponential.decay_steps.epochs", 1)
    factor = params.get("exponential.decay_rate", 1.0)
    return [u / rise if u < rise else factor ** ((u - rise) / (100 * length)) for u in updates]


def grid(seed: int, own: int) -> Any:
    values = {
        "optimizer": ["sgd"],
        "sgd.learning_rate": [0.1, 0.01],
        "x": [0, 1, 2],
        "y": [0.0, 0.4, 0.8],
    }
    return samplers.GridSampler(values, seed=seed)


def pruning(
    pruner: dict[str, Any],
    plain: Callable[[], Any],
    sampler: tuple[str, Any] = ("random", lambda _, own: samplers.RandomSampler(seed=own)),
) -> Story:
    name, plain_sampler = sampler
    options = {"good_set": "all"} if name == "tpe" else {}
    return Story(
        {"name": name} | options,
        plain_sampler,
        pruner,
        plain,
        CONDITIONAL,
        suggest_conditional,
        trials=50,
    )


def of_one_schedule(pruner: dict[str, Any], plain: Callable[[], Any]) -> Story:
    return replace(pruning(pruner, plain), space=TREE, suggest=suggest_tree, enqueued=())


FLAT = {"space": GRID, "suggest": suggest_grid}
STORIES = {
    "tpe": sampling("tpe", tpe, options={"good_set": "all"}),
    "tpe with options": sampling(
        "tpe",
        lambda _, own: samplers.TPESampler(
            seed=own, multivariate=False, n_startup_trials=4, n_ei_candidates=6
        ),
        options={
            "multivariate": False,
            "startup_trials": 4,
            "ei_candidates": 6,
            "good_set": "all",
        },
    ),
    "tpe with a good set of its own": sampling("tpe", good_tpe),
    "random": sampling("random", lambda _, own: samplers.RandomSampler(seed=own)),
    "gp": sampling(
        "gp",
        lambda _, own: samplers.GPSampler(
            seed=own, n_startup_trials=4, warn_independent_sampling=False
        ),
        options={"n_startup_trials": 4},
        trials=9,
        needs="torch",
    ),
    "cmaes": sampling(
        "cmaes",
        lambda _, own: samplers.CmaEsSampler(seed=own, popsize=4, warn_independent_sampling=False),
        options={"popsize": 4},
        pruned=False,
    ),
    "cmaes with margin": sampling(
        "cmaes",
        lambda _, own: samplers.CmaEsSampler(
            seed=own, popsize=4, with_margin=True, warn_independent_sampling=False
        ),
        options={"popsize": 4, "with_margin": True},
        pruned=False,
        enqueued=({"x": 2},),
        **FLAT,
    ),
    "qmc": sampling(
        "qmc",
        lambda seed, own: samplers.QMCSampler(
            seed=seed,
            scramble=True,
            independent_sampler=samplers.RandomSampler(seed=own),
            warn_independent_sampling=False,
        ),
        options={"scramble": True},
    ),
    "grid": sampling(
        "grid",
        grid,
        enqueued=({"optimizer": "sgd", "sgd.learning_rate": 0.01, "x": 2, "y": 0.8},),
        trials=16,
        **FLAT,
    ),
    "brute_force": sampling(
        "brute_force",
        lambda _, own: samplers.BruteForceSampler(seed=own),
        space=TREE,
        suggest=suggest_tree,
        enqueued=({"optimizer": "adam"}, {"x": 0.7}),
        trials=14,
    ),
    "nsga2": sampling(
        "nsga2",
        lambda _, own: samplers.NSGAIISampler(seed=own, population_size=6),
        options={"population_size": 6},
        objectives=2,
        pruned=False,
    ),
    "nsga2 with a crossover": sampling(
        "nsga2",
        lambda _, own: samplers.NSGAIISampler(
            seed=own, population_size=6, crossover=samplers.nsgaii.SBXCrossover()
        ),
        options={"population_size": 6, "crossover": "sbx"},
    ),
    "nsga3": sampling(
        "nsga3",
        lambda _, own: samplers.NSGAIIISampler(seed=own, population_size=6, dividing_parameter=2),
        options={"population_size": 6, "dividing_parameter": 2},
        objectives=2,
        pruned=False,
    ),
    "tpe of two objectives": sampling("tpe", tpe, objectives=2, pruned=False),
    "no pruner": pruning({"name": "none"}, pruners.NopPruner),
    "median": pruning(
        {"name": "median", "startup_trials": 2, "warmup_steps": 1, "interval_steps": 2},
        lambda: pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1, interval_steps=2),
    ),
    "percentile": pruning(
        {"name": "percentile", "percentile": 30.0},
        lambda: pruners.PercentilePruner(30.0),
    ),
    "successive_halving": pruning(
        {"name": "successive_halving", "reduction_factor": 2},
        lambda: pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
    ),
    "hyperband": pruning(
        {"name": "hyperband"},
        lambda: pruners.HyperbandPruner(max_resource=9),
    ),
    "hyperband and tpe": pruning(
        {"name": "hyperband"}, lambda: pruners.HyperbandPruner(max_resource=9), ("tpe", tpe)
    ),
    "forecast": pruning(
        {"name": "forecast", "min": 6, "alpha": 0.2},
        lambda: ForecastPruner(9, n_min=6, alpha=0.2, dominance=True, rates=rates),
    ),
    "forecast of one schedule": of_one_schedule(
        {"name": "forecast", "min": 6}, lambda: ForecastPruner(9, n_min=6, eager=True)
    ),
    "forecast of one schedule with a cut": of_one_schedule(
        {"name": "forecast", "min": 6, "early_cut": 0.4},
        lambda: ForecastPruner(9, n_min=6, early_cut=0.4),
    ),
    "eager forecast": pruning(
        {"name": "forecast", "eager": True, "dominance": "off"},
        lambda: ForecastPruner(9, eager=True, rates=rates),
    ),
    "patient forecast": pruning(
        {"name": "patient", "patience": 0, "wrapped_pruner": {"name": "forecast", "min": 3}},
        lambda: pruners.PatientPruner(
            ForecastPruner(9, n_min=3, dominance=True, rates=rates), patience=0
        ),
    ),
    "patient": pruning(
        {"name": "patient", "patience": 1, "wrapped_pruner": {"name": "median"}},
        lambda: pruners.PatientPruner(pruners.MedianPruner(), patience=1),
    ),
    "patient alone": pruning(
        {"name": "patient", "patience": 2, "wrapped_pruner": None},
        lambda: pruners.PatientPruner(None, patience=2),
    ),
    "threshold": pruning(
        {"name": "threshold", "upper": 1.1, "warmup_steps": 1},
        lambda: pruners.ThresholdPruner(upper=1.1, n_warmup_steps=1),
    ),
    "wilcoxon": pruning(
        {"name": "wilcoxon", "p_threshold": 0.3},
        lambda: pruners.WilcoxonPruner(p_threshold=0.3),
    ),
}


@pytest.fixture(params=STORIES, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(STORIES[request.param].needs)
    return str(request.param)


@pytest.fixture
def story(name: str) -> Story:
    return STORIES[name]


@pytest.fixture(scope="module")
def trace(name: str) -> Trace:
    return STORIES[name].through_mirrors()


# Optuna warns the plain side; mirrors keep it quiet, as the other tests show.
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.filterwarnings("ignore:WilcoxonPruner finds steps")
@pytest.mark.filterwarnings("ignore:`gamma` has been deprecated")
def test_agrees_with_plain_optuna(story: Story, trace: Trace) -> None:
    assert trace == story.through_optuna()
    assert any(event[2] is True for event in trace) is (story.pruner["name"] != "none")


def test_continues_across_restarts(story: Story, trace: Trace) -> None:
    assert story.through_mirrors(Restarts()) == trace


def test_continues_in_a_mirror_that_catches_up(story: Story, trace: Trace) -> None:
    assert story.through_mirrors(Replicas()) == trace


class Threads:
    """A side each of whose acts runs in a thread of its own, as in a lane."""

    def __init__(self, side: MirrorSide) -> None:
        self._side = side

    def __getattr__(self, act: str) -> Callable[..., Any]:
        def in_a_thread(*arguments: Any) -> Any:
            with ThreadPoolExecutor(1) as thread:
                return thread.submit(getattr(self._side, act), *arguments).result()

        return in_a_thread


@pytest.mark.parametrize("name", ["tpe", "hyperband"])
def test_threads_do_not_matter(name: str) -> None:
    story = STORIES[name]
    side = Threads(MirrorSide(story.define()))
    assert play(side, story.trials, list(story.enqueued)) == story.through_mirrors()


_ANOTHER_PROCESS = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.lehr_service.search.test_agreement import STORIES
names = ("tpe", "nsga2", "qmc", "successive_halving")
print(json.dumps([STORIES[name].through_mirrors() for name in names]))
"""


def test_hash_seeds_of_processes_do_not_matter() -> None:
    root = str(Path(__file__).parents[3])
    traces = [
        subprocess.run(
            [sys.executable, "-c", _ANOTHER_PROCESS, root],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert json.loads(traces[0])
    assert traces[0] == traces[1]
