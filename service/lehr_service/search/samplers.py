"""Samplers, one fresh object for each trial.

A sampler object that lives on would hold the state of a random generator that a restart or another
replica does not have. A fresh one, seeded from the study's seed and the trial's number, suggests
the same whoever builds it; all else that a sampler remembers stands in trials and attributes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

from optuna import samplers
from optuna.samplers import BaseSampler, nsgaii
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from lehr.wire.space import searched
from lehr.wire.studies import StudyDefinition
from lehr_service.search.errors import SearchError
from lehr_service.search.quiet import quiet
from lehr_service.search.space import candidates

_LARGEST_GOOD_SET = 25  # as in Optuna
FINITE = ("grid", "brute_force")
OURS = ("name", "seed", "ask_ahead", "stale_after", "max_history")  # not Optuna's

_CROSSOVERS: dict[str, Callable[[], Any]] = {
    "blxalpha": nsgaii.BLXAlphaCrossover,
    "spx": nsgaii.SPXCrossover,
    "sbx": nsgaii.SBXCrossover,
    "vsbx": nsgaii.VSBXCrossover,
    "undx": nsgaii.UNDXCrossover,
}


class CompleteGoodSet(samplers.TPESampler):  # type: ignore[misc]
    """TPE that calls a tenth of the complete trials good, and no pruned trial.

    Optuna's takes a tenth of the complete and the pruned ones together, and pruned ones last: where
    most trials are pruned, nearly every complete one is good, and the estimate says little. Without
    pruned trials both are the same. Its ``gamma`` is the one public way to say so; the deprecation
    of that argument names nothing to take its place.
    """

    def __init__(self, **options: Any) -> None:
        self._complete = 0
        super().__init__(gamma=lambda finished: self._good(), **options)

    def _good(self) -> int:
        return min(math.ceil(0.1 * self._complete), _LARGEST_GOOD_SET)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        states = (TrialState.COMPLETE,)
        self._complete = len(study.get_trials(deepcopy=False, states=states))
        super().before_trial(study, trial)


def avoids_failures(definition: StudyDefinition) -> bool:
    """Whether a failed trial can be shown to the sampler as a pruned one.

    Optuna's TPE does not see failed trials, and goes on to suggest what diverges. Where no pruned
    trial is good it does no harm to take one that failed for pruned, whatever it reported.
    """
    options, several = definition.sampler, len(definition.goals) > 1
    return (
        options["name"] == "tpe" and options.get("good_set") in (None, "complete") and not several
    )


def trial_seed(seed: int, number: int) -> int:
    """A seed in [0, 2**32) for one trial: the first 4 bytes of BLAKE2b over ``seed:number``."""
    digest = hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big")


def build_sampler(definition: StudyDefinition, seed: int, number: int) -> BaseSampler:
    """The sampler for one trial of a study whose seed is ``seed``.

    Raises SearchError where the options do not go together or a package is not installed.
    """
    name = definition.sampler["name"]
    options = {
        option: value
        for option, value in definition.sampler.items()
        if option not in OURS and value is not None
    }
    try:
        with quiet():
            return _BUILDERS[name](definition, options, seed, trial_seed(seed, number))
    except ImportError as error:
        raise SearchError(
            f"the sampler {name} needs a package the server lacks: {error}"
        ) from error
    except ValueError as error:
        raise SearchError(f"the sampler {name} refuses its options: {error}") from error


Options = dict[str, Any]


def _tpe(definition: StudyDefinition, options: Options, seed: int, own: int) -> BaseSampler:
    multivariate = options.pop("multivariate", True)
    counted = options.pop("good_set", "complete") == "complete" and len(definition.goals) == 1
    defaults = {"group": multivariate, "constant_liar": True}
    kind = CompleteGoodSet if counted else samplers.TPESampler
    return kind(seed=own, multivariate=multivariate, **(defaults | options))


def _random(definition: StudyDefinition, options: Options, seed: int, own: int) -> BaseSampler:
    return samplers.RandomSampler(seed=own)


def _gp(definition: StudyDefinition, options: Options, seed: int, own: int) -> BaseSampler:
    return samplers.GPSampler(seed=own, warn_independent_sampling=False, **options)


def _cmaes(definition: StudyDefinition, options: Options, seed: int, own: int) -> BaseSampler:
    return samplers.CmaEsSampler(seed=own, warn_independent_sampling=False, **options)


def _qmc(definition: StudyDefinition, options: Options, seed: int, own: int) -> BaseSampler:
    # The seed is that of the scrambling: one sequence a study. What stands outside the sequence
    # is sampled independently, and must differ between trials.
    return samplers.QMCSampler(
        seed=seed,
        independent_sampler=samplers.RandomSampler(seed=own),
        warn_independent_sampling=False,
        **options,
    )


def _grid(definition: StudyDefinition, options: Options, seed: int, own: int) -> BaseSampler:
    # The seed is that of the shuffle: one order of points a study.
    grid = {n: candidates(v) for n, v in searched(definition.space).items()}
    return samplers.GridSampler(grid, seed=seed)


def _brute_force(definition: StudyDefinition, options: Options, seed: int, own: int) -> BaseSampler:
    return samplers.BruteForceSampler(seed=own, **options)


def _nsga2(definition: StudyDefinition, options: Options, seed: int, own: int) -> BaseSampler:
    return samplers.NSGAIISampler(seed=own, **_with_crossover(options))


def _nsga3(definition: StudyDefinition, options: Options, seed: int, own: int) -> BaseSampler:
    return samplers.NSGAIIISampler(seed=own, **_with_crossover(options))


def _with_crossover(options: Options) -> Options:
    # Without one, both samplers take the uniform crossover with the given swapping_prob.
    crossover = options.pop("crossover", "uniform")
    if crossover == "uniform":
        return options
    return options | {"crossover": _CROSSOVERS[crossover]()}


_BUILDERS: dict[str, Callable[[StudyDefinition, Options, int, int], BaseSampler]] = {
    "tpe": _tpe,
    "random": _random,
    "gp": _gp,
    "cmaes": _cmaes,
    "qmc": _qmc,
    "grid": _grid,
    "brute_force": _brute_force,
    "nsga2": _nsga2,
    "nsga3": _nsga3,
}
