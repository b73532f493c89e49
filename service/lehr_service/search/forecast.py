"""Prune a trial when the gain that others had from here to the end would not make it the best.

A pruner for any Optuna study. It keeps nothing: what it says follows from the study's trials and
their parameters, so it says the same after a restart and wherever it runs.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from statistics import median

from optuna.pruners import BasePruner
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from lehr_service.search.outlook import Outlook, Rates

CHECKS = 10  # a training
SEEN = 4  # trials, the judged one included, that make a median worth comparing with
HALVINGS = (0.02, 0.04, 0.08, 0.16, 0.32)  # shares of training at which eager halving cuts


class ForecastPruner(BasePruner):  # type: ignore[misc]
    """Prunes where ``value now + G`` does not beat the best final value.

    G is the floor(alpha * (n + 1))-th largest gain from this step to the end among n complete
    trials (a split-conformal quantile, Vovk et al. 2005: a further trial gains more with a
    probability of at most alpha where trials are exchangeable). It judges ten times a training,
    and by forecast from ``n_min`` complete trials on. Before that it cuts once, at ``early_cut``
    of the training, what is outside the better half of at least 4 trials seen there, or, with
    ``eager``, at several shares of the training. What is no better than the median first value
    goes at any check.

    ``rates(trial)`` gives the learning rates at the end of each step, or None where they are not
    known. Nothing is judged while the rate rises, nor within a cycle of one that falls and rises
    again. With ``dominance`` a trial is compared only with those that had at least as much decay
    of their rate still to come.

    ``n_steps``: steps of a full training, counted from 0. ``audit``: the share of trials that are
    never pruned, so that one can see what became of those that would have been.
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
        rates: Callable[[FrozenTrial], Rates] | None = None,
    ) -> None:
        self._n_steps = n_steps
        self._alpha = alpha
        self._n_min = n_min
        self._dominance = dominance
        self._audit = audit
        self._rates = rates
        self._checks = _steps([k / CHECKS for k in range(1, CHECKS)], n_steps)
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
        view = _View(study, trial, step, (step + 1) / self._n_steps)
        complete = [t for t in view.others if t.state is TrialState.COMPLETE]
        found = view.no_better_than_the_start() if is_check else None
        if found is None and len(complete) < self._n_min:
            return view.outside_the_better_half() if is_cut else None
        if found is None and is_check:
            return view.cannot_win(self._comparable(complete, step, outlook), complete, self._alpha)
        return found

    def _outlook(self, trial: FrozenTrial) -> Outlook:
        return Outlook(self._rates(trial) if self._rates else None, self._n_steps)

    def _comparable(
        self, trials: list[FrozenTrial], step: int, outlook: Outlook
    ) -> list[FrozenTrial]:
        """Those with at least as much decay to come; where it is not known, those like it."""
        if not self._dominance:
            return trials
        mine = outlook.decay(step)
        theirs = [(trial, self._outlook(trial).decay(step)) for trial in trials]
        if mine is None:
            return [trial for trial, decay in theirs if decay is None]
        return [trial for trial, decay in theirs if decay is not None and decay >= mine - 1e-9]


class _View:
    """What can be seen of a trial and of the others at a step; upwards is better in here."""

    def __init__(self, study: Study, trial: FrozenTrial, step: int, share: float) -> None:
        self._upwards = study.direction == StudyDirection.MAXIMIZE
        self._sign = 1.0 if self._upwards else -1.0
        self._step = step
        self._value = self._at(trial, step)
        self._now = f"at {share:.0%} {trial.intermediate_values[step]:.4g}"
        self._first = min(trial.intermediate_values)
        trials = study.get_trials(deepcopy=False)
        self.others = [t for t in trials if t.number != trial.number and t.intermediate_values]

    def _at(self, trial: FrozenTrial, step: int) -> float:
        value = trial.intermediate_values[step]
        return self._sign * value if math.isfinite(value) else -math.inf

    def _shown(self, value: float) -> str:
        return f"{self._sign * value:.4g}"

    def _others_here(self) -> list[float]:
        """What the others had reached at this step."""
        return [self._at(t, self._step) for t in self.others if self._step in t.intermediate_values]

    def no_better_than_the_start(self) -> str | None:
        """Unless nobody is better: then the metric says nothing yet."""
        starts = [self._at(t, min(t.intermediate_values)) for t in self.others]
        if self._step == self._first or len(starts) < SEEN - 1:
            return None
        start = median(starts)
        if self._value > start or max(self._others_here(), default=start) <= start:
            return None
        return f"{self._now}: no better than the median first value {self._shown(start)}"

    def outside_the_better_half(self) -> str | None:
        seen = self._others_here()
        if len(seen) < SEEN - 1 or self._value >= median(seen):
            return None
        limit = self._shown(median(seen))
        return (
            f"{self._now}: outside the better half of {len(seen) + 1} trials seen there ({limit})"
        )

    def cannot_win(
        self, comparable: list[FrozenTrial], complete: list[FrozenTrial], alpha: float
    ) -> str | None:
        """The forecast: which trials it takes gains from, and which ones it holds it against."""
        gains = sorted(
            (
                self._sign * t.value - self._at(t, self._step)
                for t in comparable
                if self._step in t.intermediate_values
            ),
            reverse=True,
        )
        rank = math.floor(alpha * (len(gains) + 1))
        best = max(self._sign * t.value for t in complete)
        if rank < 1 or self._value + gains[rank - 1] >= best:
            return None
        under = "under" if self._upwards else "over"
        return (
            f"{self._now}; even with the gain of the luckiest {alpha:.0%} "
            f"({gains[rank - 1]:.4g}) it stays {under} the best final {self._shown(best)}"
        )


def _steps(shares: Sequence[float], n_steps: int) -> tuple[int, ...]:
    return tuple(math.ceil(share * n_steps - 1e-9) - 1 for share in shares)
