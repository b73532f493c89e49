"""Samplers, one fresh object for each trial.

A sampler object that lives on would hold the state of a random generator that a restart or another
replica does not have. A fresh one, seeded from the study's seed and the trial's number, suggests
the same whoever builds it; all else that a sampler remembers stands in trials and attributes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from optuna import samplers
from optuna.samplers import BaseSampler, nsgaii

from lehr.wire.space import searched
from lehr.wire.studies import StudyDefinition
from lehr_service.search.errors import SearchError
from lehr_service.search.quiet import quiet
from lehr_service.search.space import candidates
from lehr_service.search.tpe import CompleteGoodSet, Recall, Recalling

FINITE = ("grid", "brute_force")
OURS = ("name", "seed", "ask_ahead", "stale_after", "max_history")  # not Optuna's

_CROSSOVERS: dict[str, Callable[[], Any]] = {
    "blxalpha": nsgaii.BLXAlphaCrossover,
    "spx": nsgaii.SPXCrossover,
    "sbx": nsgaii.SBXCrossover,
    "vsbx": nsgaii.VSBXCrossover,
    "undx": nsgaii.UNDXCrossover,
}


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


def build_sampler(
    definition: StudyDefinition, seed: int, number: int, recall: Recall | None = None
) -> BaseSampler:
    """The sampler for one trial of a study whose seed is ``seed``.

    ``recall`` is what the one before has estimated of the same study, which TPE can use.
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
            if name == "tpe" and recall is not None:
                return _tpe(definition, options, seed, trial_seed(seed, number), recall)
            return _BUILDERS[name](definition, options, seed, trial_seed(seed, number))
    except ImportError as error:
        raise SearchError(
            f"the sampler {name} needs a package the server lacks: {error}"
        ) from error
    except ValueError as error:
        raise SearchError(f"the sampler {name} refuses its options: {error}") from error


Options = dict[str, Any]


def _tpe(
    definition: StudyDefinition,
    options: Options,
    seed: int,
    own: int,
    recall: Recall | None = None,
) -> BaseSampler:
    multivariate = options.pop("multivariate", True)
    counted = options.pop("good_set", "complete") == "complete" and len(definition.goals) == 1
    defaults = {"group": multivariate, "constant_liar": True}
    given = {"seed": own, "multivariate": multivariate} | defaults | options
    if not counted:
        return samplers.TPESampler(**given)
    if recall is None:
        return CompleteGoodSet(**given)
    if recall.sampler is None:
        recall.sampler = Recalling(recall, **given)
    recall.sampler.begin(own)
    return recall.sampler


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
