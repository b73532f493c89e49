"""What pruners ask of all complete trials at a step, kept up to date trial by trial."""

from __future__ import annotations

import math
from bisect import insort
from collections import defaultdict

from optuna.trial import FrozenTrial

_FEW = 32  # new trials up to which inserting each is cheaper than sorting anew


class Summaries:
    """The values that complete trials reported, by step and in order."""

    def __init__(self) -> None:
        self.trials = 0
        self._news: list[FrozenTrial] = []
        self._ordered: dict[int, list[float]] = defaultdict(list)  # without those not a number
        self._counts: dict[int, int] = defaultdict(int)  # with them

    def add(self, trial: FrozenTrial) -> None:
        """Take in a complete trial; what that costs is put off until somebody asks."""
        self.trials += 1
        self._news.append(trial)

    def count(self, step: int) -> int:
        """How many trials have a report at this step, be it a number or not."""
        self._catch_up()
        return self._counts.get(step, 0)

    def percentile(self, step: int, percentile: float) -> float:
        """As ``numpy.nanpercentile`` of the values at this step, to the last bit; NaN of none."""
        self._catch_up()
        values = self._ordered.get(step)
        if not values:
            return math.nan
        position = (len(values) - 1) * (percentile / 100)
        index = math.floor(position)
        is_last = position >= len(values) - 1
        below, above = (values[-1],) * 2 if is_last else values[index : index + 2]
        share = position - (-1 if is_last else index)
        difference = above - below
        if share >= 0.5:
            return above - difference * (1 - share)
        return below + difference * share

    def _catch_up(self) -> None:
        news, self._news = self._news, []
        few = len(news) <= _FEW
        for trial in news:
            for step, value in trial.intermediate_values.items():
                self._counts[step] += 1
                if math.isnan(value):
                    continue
                if few:
                    insort(self._ordered[step], value)
                else:
                    self._ordered[step].append(value)
        if not few:
            for values in self._ordered.values():
                values.sort()
