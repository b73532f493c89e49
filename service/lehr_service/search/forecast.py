"""Prune a trial when the gain that others had from here to the end would not make it the best.

A pruner for any Optuna study. What it says follows from the study's trials and their parameters
alone, so it says the same after a restart and wherever it runs.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Callable, Sequence

import numpy as np
from optuna.pruners import BasePruner
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from lehr_service.search.field import Field
from lehr_service.search.memory import finished_of, running_of
from lehr_service.search.outlook import Outlook, Rates

CHECKS = 10  # a training
SEEN = 4  # trials, the judged one included, that make a median worth comparing with
SEEN_BY_EAGER = 3  # the same for eager halving
HALVINGS = (0.02, 0.04, 0.08, 0.16, 0.32)  # shares of training at which eager halving cuts


class ForecastPruner(BasePruner):  # type: ignore[misc]
    """Prunes where ``value now + G`` does not beat the best final value.

    G is the floor(alpha * (n + 1))-th largest gain from this step to the end among n complete
    trials (a split-conformal quantile, Vovk et al. 2005: a further trial gains more with a
    probability of at most alpha where trials are exchangeable). It judges ten times a training,
    and by forecast from ``n_min`` complete trials on. Before that it cuts once, at ``early_cut``
    of the training, what is outside the better half of at least 4 trials seen there, or, with
    ``eager``, at several shares of the training and among at least 3. What is no better than the
    median first value goes at any check.

    ``rates(trial)`` gives the learning rates at the end of each step, or None where they are not
    known. Nothing is judged while the rate rises, nor within a cycle of one that falls and rises
    again. With ``dominance`` a trial is compared only with those that had at least as much decay
    of their rate still to come.

    ``n_steps``: steps of a full training, counted from 0. ``select``: which of its values a trial
    is worth, as the objective has it; its value now is what it would be worth if it ended now, so
    that with ``best`` nothing is forecast to lose what it has reached. ``audit``: the share of
    trials that are never pruned, so that one can see what became of those that would have been.
    """

    def __init__(
        self,
        n_steps: int,
        *,
        alpha: float = 0.1,
        n_min: int = 10,
        early_cut: float = 0.25,
        eager: bool = False,
        dominance: bool = False,
        audit: float = 0.0,
        select: str = "last",
        rates: Callable[[FrozenTrial], Rates] | None = None,
    ) -> None:
        self._n_steps = n_steps
        self._alpha = alpha
        self._n_min = n_min
        self._dominance = dominance
        self._audit = audit
        self._select = select
        self._rates = rates
        self._checks = _steps([k / CHECKS for k in range(1, CHECKS)], n_steps)
        self._last: Field | None = None
        self._seen = SEEN_BY_EAGER if eager else SEEN
        self._cuts = _steps(HALVINGS if eager else [early_cut], n_steps)

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        return not self.is_audited(trial) and self.reason(study, trial) is not None

    def is_audited(self, trial: FrozenTrial) -> bool:
        """Whether a trial is among those that are never pruned; decided by its number."""
        digest = hashlib.blake2b(f"audit:{trial.number}".encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") < self._audit * 2**32

    def reason(self, study: Study, trial: FrozenTrial) -> str | None:
        """Why the trial ends at its last step, in one sentence; None where it goes on."""
        step = trial.last_step
        if step is None or step >= self._n_steps - 1:
            return None
        if not math.isfinite(trial.intermediate_values[step]):
            return f"the value at step {step} is not finite"
        outlook = self._outlook(trial)
        before = max((s for s in trial.intermediate_values if s < step), default=-1)
        is_check = outlook.is_due(self._checks, before, step)
        is_cut = outlook.is_due(self._cuts, before, step)
        if not (is_check or is_cut):
            return None
        view = _View(self._field(study, trial), study, trial, step, (step + 1) / self._n_steps)
        found = view.no_better_than_the_start(self._seen) if is_check else None
        if found is None and view.field.complete < self._n_min:
            return view.outside_the_better_half(self._seen) if is_cut else None
        if found is None and is_check:
            decay = (outlook.decay(step),) if self._dominance else ()
            return view.cannot_win(self._alpha, *decay)
        return found

    def _field(self, study: Study, trial: FrozenTrial) -> Field:
        """The finished trials; the last field goes on where a study tells which have finished."""
        finished = finished_of(study)
        if finished is None or trial.state.is_finished():
            trials = study.get_trials(deepcopy=False)
            finished = [t for t in trials if t.state.is_finished() and t.number != trial.number]
        if self._last is None or self._last.finished is not finished:
            upwards = study.direction == StudyDirection.MAXIMIZE
            self._last = Field(finished, upwards, self._outlook, self._select)
        self._last.read()
        return self._last

    def _outlook(self, trial: FrozenTrial) -> Outlook:
        return Outlook(self._rates(trial) if self._rates else None, self._n_steps)


class _View:
    """What can be seen of a trial and of the others at a step."""

    def __init__(
        self, field: Field, study: Study, trial: FrozenTrial, step: int, share: float
    ) -> None:
        self.field = field
        self._step = step
        self._value = field.at(trial, step)
        self._now = f"at {share:.0%} {self._shown(self._value)}"
        self._first = min(trial.intermediate_values)
        self._running = [
            t for t in running_of(study) if t.number != trial.number and t.intermediate_values
        ]

    def _shown(self, value: float) -> str:
        return f"{self.field.sign * value:.4g}"

    def no_better_than_the_start(self, seen: int) -> str | None:
        """Unless nobody is better: then the metric says nothing yet."""
        if self._step == self._first:
            return None
        starts = self.field.starts(self._running)
        if len(starts) < seen - 1:
            return None
        start = float(np.median(starts))
        others = self.field.values(self._step, self._running)
        if self._value > start or others.max(initial=start) <= start:
            return None
        return f"{self._now}: no better than the median first value {self._shown(start)}"

    def outside_the_better_half(self, seen: int) -> str | None:
        others = self.field.values(self._step, self._running)
        if len(others) < seen - 1:
            return None
        limit = float(np.median(others))
        if self._value >= limit:
            return None
        return (
            f"{self._now}: outside the better half of {len(others) + 1} trials seen there "
            f"({self._shown(limit)})"
        )

    def cannot_win(self, alpha: float, *decay: float | None) -> str | None:
        """The forecast; with a decay to come, from trials with at least as much of it."""
        field, step = self.field, self._step
        gains = np.sort(field.gains_under(step, *decay) if decay else field.gains(step))
        rank = math.floor(alpha * (len(gains) + 1) + 1e-9)
        if rank < 1 or _reaches(self._value, float(gains[-rank]), field.best):
            return None
        under = "under" if field.sign > 0 else "over"
        return (
            f"{self._now}; even with the gain of the luckiest {alpha:.0%} "
            f"({gains[-rank]:.4g}) it stays {under} the best final {self._shown(field.best)}"
        )


def _reaches(value: float, gain: float, best: float) -> bool:
    """Whether value + gain is at least as good as the best, but for how floats are rounded.

    A mean that holds a value that is not finite is the worst there is; others recovered from it
    where the gain is infinite.
    """
    if math.isinf(gain) or math.isinf(value):
        return math.isinf(gain)
    rounding = 4 * sys.float_info.epsilon * max(abs(value), abs(gain), abs(best))
    return value + gain >= best - rounding


def _steps(shares: Sequence[float], n_steps: int) -> tuple[int, ...]:
    return tuple(math.ceil(share * n_steps - 1e-9) - 1 for share in shares)
