"""Which samplers and pruners there are and what each takes: Optuna 5's own options.

``n_startup_trials`` may also be written ``startup_trials``: the ``n_`` of an option may be left
out. ``None`` as a default means: what Optuna does when the option is not given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lehr.schedules import REQUIRED, Argument
from lehr.wire.base import Path, Problems, one_of

_REFERENCE_POINTS = 100_000

Catalogue = Mapping[str, Mapping[str, Argument]]


def _count(default: int | None, doc: str, low: int = 0, high: int = 1_000_000_000) -> Argument:
    return Argument(kind="integer", default=default, low=low, high=high, doc=doc)


def _flag(default: bool | None, doc: str) -> Argument:
    return Argument(kind="boolean", default=default, doc=doc)


def _share(default: float | None, doc: str) -> Argument:
    return Argument(kind="number", default=default, low=0.0, high=1.0, doc=doc)


def _choice(default: Any, doc: str, *choices: str) -> Argument:
    return Argument(kind="choice", default=default, choices=choices, doc=doc)


_SEED = Argument(kind="integer", default=None, low=0, high=2**32 - 1, doc="same seed, same search")
_AHEAD = {
    "ask_ahead": _count(
        None,
        "suggestions made before they are claimed, at most; 0: each is made when it is claimed, "
        "the same again for the same seed; default: as many as are claimed meanwhile, and 0 where "
        "a seed is given",
        high=256,
    ),
    "stale_after": _count(
        None,
        "finished trials after which a suggestion made ahead is dropped; default: as many as run",
    ),
}
_AT_ONCE = {"ask_ahead": _count(0, "this sampler is asked when a trial is claimed", high=0)}
_GENETIC = {
    "seed": _SEED,
    **_AHEAD,
    "population_size": _count(50, "trials a generation", low=2, high=10_000),
    "mutation_prob": _share(None, "probability of mutating a parameter"),
    "crossover_prob": _share(0.9, "probability that a child has two parents"),
    "swapping_prob": _share(0.5, "probability of swapping a parameter between parents"),
    "crossover": _choice(
        None, "crossover of numbers", "uniform", "blxalpha", "spx", "sbx", "vsbx", "undx"
    ),
}

SAMPLERS: Catalogue = MappingProxyType(
    {
        "tpe": {
            "seed": _SEED,
            "n_startup_trials": _count(10, "random trials before the first estimate"),
            "n_ei_candidates": _count(24, "candidates a suggestion", low=1, high=10_000),
            "multivariate": _flag(True, "model parameters jointly"),
            "group": _flag(True, "model each branch of a conditional space jointly"),
            "constant_liar": _flag(True, "keep parallel trials apart"),
            "good_set": _choice(
                "complete",
                "what a tenth is good of: complete trials, or all with pruned ones (as in Optuna); "
                "with complete, what diverged or ran out of memory is avoided",
                "complete",
                "all",
            ),
            "max_history": _count(
                None,
                "finished trials that suggestions made ahead are estimated from: the best, the "
                "latest and a sample of the others; 0: all; default 300",
            ),
            **_AHEAD,
        },
        "random": {"seed": _SEED, **_AHEAD},
        "gp": {
            "seed": _SEED,
            "n_startup_trials": _count(10, "random trials before the first fit"),
            "deterministic_objective": _flag(False, "the objective has no noise"),
            **_AHEAD,
        },
        "cmaes": {
            "seed": _SEED,
            "n_startup_trials": _count(1, "random trials before the first generation"),
            "sigma0": Argument(kind="number", default=None, above=0.0, doc="initial deviation"),
            "popsize": _count(None, "trials a generation", low=2, high=10_000),
            "consider_pruned_trials": _flag(False, "learn from pruned trials too"),
            "use_separable_cma": _flag(False, "diagonal covariance"),
            "with_margin": _flag(False, "margin for discrete parameters"),
            "lr_adapt": _flag(False, "adapt the learning rate of the search"),
            **_AHEAD,
        },
        "qmc": {
            "seed": _SEED,
            "qmc_type": _choice("sobol", "sequence", "sobol", "halton"),
            "scramble": _flag(False, "scramble the sequence"),
            **_AT_ONCE,
        },
        "grid": {"seed": _SEED, **_AT_ONCE},
        "brute_force": {
            "seed": _SEED,
            "avoid_premature_stop": _flag(False, "strict exhaustive search"),
            **_AT_ONCE,
        },
        "nsga2": _GENETIC,
        "nsga3": _GENETIC
        | {"dividing_parameter": _count(3, "density of directions", low=1, high=10_000)},
    }
)

_INTERVAL = {
    "n_warmup_steps": _count(0, "steps of a trial without a verdict"),
    "interval_steps": _count(1, "steps between verdicts", low=1),
}
_RANKING = {
    "n_startup_trials": _count(5, "trials that complete before the first verdict"),
    **_INTERVAL,
    "n_min_trials": _count(1, "trials that must have reached the step", low=1),
}
_WRAPPED = Argument(kind="pruner", default=None, doc="the pruner that is made patient")

PRUNERS: Catalogue = MappingProxyType(
    {
        "none": {},
        "median": _RANKING,
        "percentile": {
            "percentile": Argument(
                kind="number", default=REQUIRED, low=0, high=100, doc="share of trials kept, in %"
            ),
            **_RANKING,
        },
        "successive_halving": {
            "min_resource": _count(1, "steps before the first rung", low=1),
            "reduction_factor": _count(4, "one of so many goes on", low=2),
            "min_early_stopping_rate": _count(0, "rungs left out at the start", high=30),
            "bootstrap_count": _count(0, "trials a rung before the first verdict"),
        },
        "hyperband": {
            "min_resource": _count(1, "steps before the first rung", low=1),
            "max_resource": _count(None, "steps of a full trial; default training.epochs", low=1),
            "reduction_factor": _count(3, "one of so many goes on", low=2),
            "bootstrap_count": _count(0, "trials a rung before the first verdict"),
        },
        "forecast": {
            "alpha": Argument(
                kind="number",
                default=0.1,
                above=0.0,
                below=1.0,
                doc="share of trials that gain more than is granted",
            ),
            "n_min": _count(10, "trials that complete before the first forecast", low=1),
            "early_cut": _share(
                0.25, "share of training at which the worse half goes before that; 1: never"
            ),
            "eager": _flag(
                None,
                "halve earlier and more often before the first forecast, instead of the early cut; "
                "default: unless a schedule is searched or early_cut is given",
            ),
            "dominance": _choice(
                "auto",
                "compare only with trials with as much decay to come; auto: if schedules differ",
                "auto",
                "on",
                "off",
            ),
            "audit": _share(0.0, "share of trials that are never pruned, to see what was missed"),
        },
        "patient": {
            "wrapped_pruner": _WRAPPED,
            "patience": Argument(
                kind="integer", default=REQUIRED, low=0, high=10**9, doc="steps without a gain"
            ),
            "min_delta": Argument(kind="number", default=0.0, low=0, doc="smallest gain"),
        },
        "threshold": {
            "lower": Argument(kind="number", default=None, doc="prune below this value"),
            "upper": Argument(kind="number", default=None, doc="prune above this value"),
            **_INTERVAL,
        },
        "wilcoxon": {
            "p_threshold": _share(0.1, "p value below which a trial is pruned"),
            "n_startup_steps": _count(2, "steps of a trial without a verdict"),
        },
    }
)


def read_choice(raw: Any, kind: str, catalogue: Catalogue, problems: Problems, path: Path) -> Any:
    """``{name, options}`` with Optuna's option names, or None where ``problems`` grew.

    ``raw`` is a name or a mapping with ``name`` and options; options that are not given stay out.
    """
    if isinstance(raw, str):
        raw = {"name": raw}
    if not isinstance(raw, dict):
        problems.add(path, f"must be a mapping with a name: {one_of(catalogue)}")
        return None
    name = raw.get("name")
    if not isinstance(name, str) or name not in catalogue:
        problems.add((*path, "name"), f"must be {one_of(catalogue)}, got {name!r:.80}")
        return None
    read = {"name": name}
    for written, value in raw.items():
        option, place = _canonical(written, catalogue[name]), (*path, written)
        if written == "name":
            continue
        if option in read:
            problems.add(place, f"is {option} once more; give it once")
            continue
        read[option] = _read_option(kind, name, option, value, catalogue, problems, place)
    for option, argument in catalogue[name].items():
        if argument.default is REQUIRED and option not in read:
            problems.add((*path, option), f"required: {argument.doc}")
    return read


def _canonical(option: str, known: Mapping[str, Argument]) -> str:
    return f"n_{option}" if option not in known and f"n_{option}" in known else option


def _read_option(
    kind: str,
    name: str,
    option: str,
    value: Any,
    catalogue: Catalogue,
    problems: Problems,
    path: Path,
) -> Any:
    argument = catalogue[name].get(option)
    if argument is None:
        takes = one_of(catalogue[name]) if catalogue[name] else "no options"
        problems.add(path, f"unknown option; the {kind} {name} takes {takes}")
    elif value is None and argument.default is None:
        return None
    elif argument.kind == "pruner":
        wrapped = {k: v for k, v in catalogue.items() if k != name}
        return read_choice(value, kind, wrapped, problems, path)
    elif isinstance(value, bool) and {"on", "off"} <= set(argument.choices):
        return "on" if value else "off"  # YAML reads both as booleans
    else:
        try:
            argument.check("value", value)
        except ValueError as error:
            problems.add(path, str(error).partition(": ")[2])
    return value


def check_sampler(sampler: dict[str, Any], objectives: int, problems: Problems, path: Path) -> None:
    """NSGA-III places C(objectives + d - 1, d) reference points for a dividing_parameter of d."""
    divisions = sampler.get("dividing_parameter")
    if sampler["name"] != "nsga3" or divisions is None:
        return
    points = math.comb(objectives + divisions - 1, divisions)
    if points > _REFERENCE_POINTS:
        message = f"makes {points} reference points, more than {_REFERENCE_POINTS}; lower it"
        problems.add((*path, "dividing_parameter"), message)


def check_pruner(pruner: dict[str, Any], epochs: int, problems: Problems, path: Path) -> None:
    """Rules across a pruner's options, for trainings of so many epochs."""
    lower, upper = pruner.get("lower"), pruner.get("upper")
    if pruner["name"] == "threshold":
        if lower is None and upper is None:
            problems.add(path, "a threshold pruner needs lower or upper")
        elif lower is not None and upper is not None and lower > upper:
            problems.add((*path, "lower"), "must not be above upper")
    full = pruner.get("max_resource") or epochs
    if pruner["name"] == "hyperband" and full < pruner.get("min_resource", 1):
        message = f"must not be above max_resource, the steps of a full trial ({full})"
        problems.add((*path, "min_resource"), message)
    if isinstance(pruner.get("wrapped_pruner"), dict):
        check_pruner(pruner["wrapped_pruner"], epochs, problems, (*path, "wrapped_pruner"))
