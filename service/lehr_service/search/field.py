"""What the other trials of a study had reached at a step, and gained from there to their end."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from lehr_service.domain.trial import select_value
from lehr_service.search.outlook import Outlook

Numbers = np.ndarray
"""[trials] float64; upwards is better."""


@dataclass
class _Step:
    """What was read of the finished trials at one step."""

    read: int = 0  # trials, from the first on
    values: array[float] = field(default_factory=lambda: array("d"))
    gains: array[float] = field(default_factory=lambda: array("d"))  # of complete trials
    decays: array[float] = field(default_factory=lambda: array("d"))  # the same; NaN: not known


class Field:
    """The trials that a trial is held against.

    ``finished`` may grow at its end: each trial is read once for each step that is asked for, so
    that the cost of a verdict does not grow with what each trial reported. Upwards is better in all
    that this gives; what is not finite is worse than anything. ``select`` is the objective's: at a
    step a trial has reached what it would be worth if it ended there.
    """

    def __init__(
        self,
        finished: Sequence[FrozenTrial],
        upwards: bool,
        outlook: Callable[[FrozenTrial], Outlook],
        select: str = "last",
    ) -> None:
        self.finished = finished
        self._select = select
        self.sign = 1.0 if upwards else -1.0
        self._outlook = outlook
        self._steps: dict[int, _Step] = defaultdict(_Step)
        self._read = 0
        self._starts: array[float] = array("d")
        self.complete = 0
        self.best = -math.inf

    def read(self) -> None:
        """Take in the trials that have finished since the last time."""
        for trial in self.finished[self._read :]:
            self._read += 1
            if trial.intermediate_values:
                self._starts.append(self._start(trial))
                if _is_complete(trial):
                    self.complete += 1
                    self.best = max(self.best, self.sign * trial.value)

    def at(self, trial: FrozenTrial, step: int) -> float:
        """What a trial would be worth if it ended at a step that it reported."""
        reports = trial.intermediate_values
        if self._select == "last" or not math.isfinite(reports[step]):
            return self._upwards(reports[step])
        curve = [self._upwards(reports[s]) for s in sorted(reports) if s <= step]
        return select_value(self._select, "maximize", curve)

    def _upwards(self, value: float) -> float:
        return self.sign * value if math.isfinite(value) else -math.inf

    def starts(self, running: Iterable[FrozenTrial]) -> Numbers:
        """The first value of each trial, finished or among these."""
        return np.array([*self._starts, *map(self._start, running)])

    def values(self, step: int, running: Iterable[FrozenTrial]) -> Numbers:
        """The value at this step of each trial that reported it, finished or among these."""
        others = [self.at(t, step) for t in running if step in t.intermediate_values]
        return np.concatenate([self._at_step(step).values, others])

    def gains(self, step: int) -> Numbers:
        """What each complete trial gained from this step to its end."""
        return np.array(self._at_step(step).gains)

    def gains_under(self, step: int, decay: float | None) -> Numbers:
        """The same of those with at least so much decay to come; None: where it is not known."""
        here = self._at_step(step)
        decays = np.array(here.decays)
        alike = np.isnan(decays) if decay is None else decays >= decay - 1e-9
        return np.array(here.gains)[alike]

    def _start(self, trial: FrozenTrial) -> float:
        return self._upwards(trial.intermediate_values[min(trial.intermediate_values)])

    def _at_step(self, step: int) -> _Step:
        here = self._steps[step]
        for trial in self.finished[here.read :]:
            here.read += 1
            if step not in trial.intermediate_values:
                continue
            value = self.at(trial, step)
            here.values.append(value)
            if _is_complete(trial):
                decay = self._outlook(trial).decay(step)
                here.gains.append(self.sign * trial.value - value)
                here.decays.append(math.nan if decay is None else decay)
        return here


def _is_complete(trial: FrozenTrial) -> bool:
    """With an end that others can be measured by."""
    return trial.state is TrialState.COMPLETE and math.isfinite(trial.value)
