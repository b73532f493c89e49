"""What the database knows about a trial, and the same in Optuna's form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from lehr.wire.trials import Outcome, TrialState

FIXED = "fixed_params"  # where Optuna keeps the given parameters of an enqueued trial

AVOIDED = frozenset({Outcome.DIVERGED, Outcome.OUT_OF_MEMORY})
"""Reasons of failed trials that lie in their parameters."""

_SOME_TIME = datetime(1970, 1, 1, tzinfo=UTC)  # Optuna wants one; nothing here reads it


@dataclass(frozen=True)
class TrialSnapshot:
    """What the database knows about a trial."""

    number: int
    state: TrialState
    params: dict[str, Any] | None  # None: enqueued, not asked for yet
    fixed_params: dict[str, Any]  # of an enqueued trial, else {}
    values: list[float] | None
    reports: Mapping[int, float | None]  # step -> value; None: not a number
    attrs: dict[str, Any]  # Optuna's system attributes, as Mirror.take_changes gave them
    reason: str | None = None  # why it failed


def freeze(
    trial: TrialSnapshot,
    params: dict[str, Any] | None,
    fixed: dict[str, Any],
    distributions: Mapping[str, BaseDistribution],
    objectives: int,
) -> FrozenTrial:
    """Optuna's form of a trial; ``params`` and ``fixed`` hold Optuna's values."""
    state = optuna_state(trial)
    reports = {step: as_number(trial.reports[step]) for step in sorted(trial.reports)}
    enqueued = {FIXED: fixed} if params is None or fixed else {}
    return FrozenTrial(
        number=trial.number,
        trial_id=trial.number,
        state=state,
        value=None,
        values=final_values(trial.state, trial.values, trial.reports, objectives),
        datetime_start=None if state == OptunaState.WAITING else _SOME_TIME,
        datetime_complete=_SOME_TIME if state.is_finished() else None,
        params=params or {},
        distributions={name: distributions[name] for name in params or ()},
        user_attrs={},
        system_attrs=trial.attrs | enqueued,
        intermediate_values=reports,
    )


def optuna_state(trial: TrialSnapshot) -> OptunaState:
    """Running from the first ask to the end, whatever became of the workers in between."""
    if trial.params is None:
        return OptunaState.WAITING
    return OptunaState[trial.state.name] if trial.state.is_finished else OptunaState.RUNNING


def final_values(
    state: TrialState,
    values: list[float] | None,
    reports: Mapping[int, float | None],
    objectives: int,
) -> list[float] | None:
    """A finished trial's values; a pruned one's is its last report, as Optuna has it."""
    if state == TrialState.COMPLETE and values is not None:
        return [float(value) for value in values]
    if state == TrialState.PRUNED and reports and objectives == 1:
        last = as_number(reports[max(reports)])
        return None if math.isnan(last) else [last]
    return None


def as_number(value: float | None) -> float:
    return math.nan if value is None else float(value)
