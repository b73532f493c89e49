"""Optuna's median and percentile pruners on summaries, so that a verdict's cost does not grow."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from optuna.pruners import PercentilePruner
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from lehr_service.search.memory import Memory
from lehr_service.search.summaries import Summaries


def summaries_of(study: Study) -> Summaries | None:
    """The summaries of a mirror's study; None for a study that Optuna itself stores."""
    storage = study._storage  # a study has no public way to what stores it
    return storage.summaries if isinstance(storage, Memory) else None


class RankingPruner(PercentilePruner):  # type: ignore[misc]
    """Optuna's percentile pruner, with the same decisions: it reads no trial but the judged one."""

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        summaries, step = summaries_of(study), trial.last_step
        if summaries is None:
            return bool(super().prune(study, trial))
        if summaries.trials == 0 or summaries.trials < self._n_startup_trials:
            return False
        if step is None or not self._is_judged(step, trial.intermediate_values):
            return False
        upwards = study.direction == StudyDirection.MAXIMIZE
        best = best_of(trial.intermediate_values.values(), upwards)
        if math.isnan(best):
            return True
        if summaries.count(step) < self._n_min_trials:
            return False
        limit = summaries.percentile(step, 100 - self._percentile if upwards else self._percentile)
        return bool(best < limit if upwards else best > limit)

    def _is_judged(self, step: int, reported: Iterable[int]) -> bool:
        """Whether this is the first report since the last step at which a verdict is due."""
        warmup, interval = self._n_warmup_steps, self._interval_steps
        if step < warmup:
            return False
        due = (step - warmup) // interval * interval + warmup
        return bool(max((s for s in reported if s != step), default=-1) < due)


class RankingMedianPruner(RankingPruner):
    """Optuna's median pruner."""

    def __init__(self, **options: Any) -> None:
        super().__init__(50.0, **options)


def best_of(values: Iterable[float], upwards: bool) -> float:
    """The best of the values that are numbers; not a number where none is."""
    numbers = [value for value in values if not math.isnan(value)]
    return (max if upwards else min)(numbers, default=math.nan)
