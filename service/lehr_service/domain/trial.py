"""What is allowed for a trial, and how its value follows from its reports. Pure; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lehr.wire.parts import Direction
from lehr.wire.trials import Outcome, TrialState


@dataclass(frozen=True)
class Trial:
    """A trial as the rules see it."""

    number: int
    state: TrialState
    created_at: float
    reason: str | None = None
    fixed_params: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] | None = None  # None until the sampler was asked
    value: float | None = None
    objective_values: Sequence[float] | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    attempts: int = 0
    lost: int = 0
    steps: int = 0
    worker: str | None = None
    revision: int = 0
    started_at: float | None = None
    finished_at: float | None = None


def select_value(select: str, direction: Direction, curve: Sequence[float]) -> float:
    """The value of a trial from its reported values in the order of steps, at least one.

    ``select``: ``last``, ``best``, or ``mean_of_last_N`` (of all where there are fewer than N).
    """
    if select == "last":
        return curve[-1]
    if select == "best":
        return max(curve) if direction == "maximize" else min(curve)
    tail = curve[-int(select.removeprefix("mean_of_last_")) :]
    return sum(tail) / len(tail)


def ending(outcome: Outcome, lost: int, max_attempts: int) -> tuple[TrialState, str | None]:
    """Where an attempt's end leaves its trial: state and reason.

    ``lost``: attempts of this trial lost so far, this one included. Only lost attempts count
    against ``max_attempts``: a worker that hands its trial back did nothing wrong.
    """
    match outcome:
        case Outcome.COMPLETE:
            return TrialState.COMPLETE, None
        case Outcome.PRUNED:
            return TrialState.PRUNED, None
        case Outcome.LOST if lost < max_attempts:
            return TrialState.WAITING, "its worker was lost; it will run again"
        case Outcome.PREEMPTED:
            return TrialState.WAITING, "its worker handed it back; it will run again"
        case _:
            return TrialState.FAIL, outcome.value


def pareto_front(values: Sequence[Sequence[float]], directions: Sequence[Direction]) -> list[int]:
    """Indices of the points that no other point dominates; of equal points, all."""
    if not values:
        return []
    costs = np.array(values, float) * [-1.0 if d == "maximize" else 1.0 for d in directions]
    front: list[int] = []
    kept, size = np.empty_like(costs), 0
    for index in np.lexsort(costs.T[::-1]):  # none is dominated by one that comes later
        mine, others = costs[index], kept[:size]
        if not ((others <= mine).all(axis=1) & (others != mine).any(axis=1)).any():
            kept[size], size = mine, size + 1
            front.append(int(index))
    return sorted(front)
