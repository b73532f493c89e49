"""TPE with the good set of its complete trials, and what of its estimates can be kept."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

_LARGEST_GOOD_SET = 25  # as in Optuna
_TOLD = (TrialState.COMPLETE, TrialState.PRUNED)

Space = dict[str, BaseDistribution]
Names = tuple[str, ...]
Row = list[float]  # a trial's parameters, as densities take them
Known = tuple[FrozenTrial, Row | None]  # None: it lacks one of them


class CompleteGoodSet(TPESampler):  # type: ignore[misc]
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


@dataclass
class Recall:
    """What follows from the finished trials of one study, until another one finishes."""

    sampler: Recalling | None = None  # that it is for; made once
    finished: tuple[int, ...] = ()
    good: list[FrozenTrial] = field(default_factory=list)  # by number, as is ``bad``
    bad: list[FrozenTrial] = field(default_factory=list)
    kinds: tuple[Names, ...] = ()  # which parameters trials have, in the order of their first
    space: tuple[Space, Any] | None = None
    # By the names of the parameters that are estimated together:
    good_densities: dict[Names, Any] = field(default_factory=dict)
    bad_points: dict[Names, tuple[Any, Any]] = field(default_factory=dict)  # numbers, a row each
    rows: dict[Names, dict[int, Known]] = field(default_factory=lambda: defaultdict(dict))

    def see(self, study: Study, told: Sequence[FrozenTrial], size: int) -> None:
        """Forget what is not of these finished trials, of which the best ``size`` are good."""
        finished = tuple(trial.number for trial in told)
        if finished == self.finished:
            return
        shown = set(finished)
        for names, known in self.rows.items():
            kept = {n: k for n, k in known.items() if n in shown or not k[0].state.is_finished()}
            self.rows[names] = kept
        kinds = tuple(dict.fromkeys(tuple(trial.distributions) for trial in told))
        if kinds != self.kinds:  # another trial of a known kind divides the space no further
            self.kinds, self.space = kinds, None
        self.finished, self.good, self.bad = finished, [], []
        self.good_densities.clear()
        self.bad_points.clear()
        complete = [trial for trial in told if trial.state == TrialState.COMPLETE]
        complete.sort(key=_value, reverse=study.direction == StudyDirection.MAXIMIZE)
        best = {trial.number for trial in complete[:size]}
        for trial in told:
            (self.good if trial.number in best else self.bad).append(trial)


def _value(trial: FrozenTrial) -> float:
    return float(trial.value)


_PARTS = (
    "_build_parzen_estimator",
    "_compare",
    "_compute_acquisition_func",
    "_constant_liar",
    "_get_params",
    "_group_decomposed_search_space",
    "_n_ei_candidates",
    "_parzen_estimator_cls",
    "_parzen_estimator_parameters",
    "_random_sampler",
    "_rng",
    "_sample",
)


@cache
def _density() -> type | None:
    """The quicker density; None where Optuna has not what it is made of. It loads SciPy."""
    try:
        from lehr_service.search.densities import Density
    except ImportError:
        return None
    return Density


class Recalling(CompleteGoodSet):
    """The same suggestions for less: most of Optuna's time goes into trials that do not change.

    Optuna has no public place for it, so this is for processes that only ask ahead; ``is_possible``
    tells whether its parts are those known here.
    """

    _group_decomposed_search_space: Any

    def __init__(self, recall: Recall, **options: Any) -> None:
        super().__init__(**options)
        if (density := _density()) is not None:
            self._parzen_estimator_cls = density
        self._recall = recall
        self._search_space_group: Any = None  # Optuna's, of the last relative search space
        self._no_groups = copy.deepcopy(self._group_decomposed_search_space)

    @staticmethod
    @cache
    def is_possible() -> bool:
        """Whether this version of Optuna has the parts that are used here."""
        known = TPESampler()
        return all(hasattr(known, name) for name in _PARTS) and hasattr(
            known._random_sampler, "_rng"
        )

    def begin(self, seed: int) -> None:
        """Become the sampler of another trial: to make one takes a sixth of a suggestion's time."""
        for part in (self, self._random_sampler):
            part._rng.rng.seed(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        TPESampler.before_trial(self, study, trial)
        told = study.get_trials(deepcopy=False, states=_TOLD)
        self._complete = sum(1 for t in told if t.state == TrialState.COMPLETE)
        self._recall.see(study, told, self._good())

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> Space:
        if self._recall.space is None:
            self._group_decomposed_search_space = copy.deepcopy(self._no_groups)
            found = super().infer_relative_search_space(study, trial)
            self._recall.space = found, self._search_space_group
        found, self._search_space_group = self._recall.space
        return dict(found)

    def _sample(self, study: Study, trial: FrozenTrial, search_space: Space) -> dict[str, Any]:
        recall, names = self._recall, tuple(search_space)
        if names not in recall.good_densities:
            recall.good_densities[names] = self._build_parzen_estimator(
                study, search_space, recall.good, handle_below=True
            )
            recall.bad_points[names] = self._points(study, recall.bad, search_space)
        good = recall.good_densities[names]
        bad = self._bad_density(study, trial, search_space)
        points = good.sample(self._rng.rng, self._n_ei_candidates)
        best = self._compare(points, self._compute_acquisition_func(points, good, bad))
        return {name: d.to_external_repr(best[name]) for name, d in search_space.items()}

    def _bad_density(self, study: Study, own: FrozenTrial, search_space: Space) -> Any:
        """Of the bad trials and, as nothing is known of them, those that run, by number."""
        names = tuple(search_space)
        numbers, values = self._recall.bad_points[names]
        if self._constant_liar:
            running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            others = [t for t in running if t.number != own.number]
            their_numbers, theirs = self._points(study, others, search_space)
            values = np.insert(values, np.searchsorted(numbers, their_numbers), theirs, axis=0)
        observed = dict(zip(names, values.T, strict=True))
        return self._parzen_estimator_cls(observed, search_space, self._parzen_estimator_parameters)

    def _points(
        self, study: Study, trials: Sequence[FrozenTrial], search_space: Space
    ) -> tuple[Any, Any]:
        """Of the trials that have all of these parameters: numbers and, a row each, values."""
        rows = [(t.number, self._row(study, t, search_space)) for t in trials]
        having = [(number, row) for number, row in rows if row is not None]
        values = np.array([row for _, row in having], dtype=float)
        return np.array([n for n, _ in having], dtype=int), values.reshape(-1, len(search_space))

    def _row(self, study: Study, trial: FrozenTrial, search_space: Space) -> Row | None:
        known = self._recall.rows[tuple(search_space)]
        found, row = known.get(trial.number, (None, None))
        if found is not trial:  # the storage has another object once anything of it has changed
            params = self._get_params(trial, study)
            row = None
            if search_space.keys() <= params.keys():
                row = [d.to_internal_repr(params[n]) for n, d in search_space.items()]
            known[trial.number] = trial, row
        return row
