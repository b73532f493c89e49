"""What is still to come of a trial's learning rate, and so when its value says something."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

from optuna.trial import FrozenTrial

from lehr import schedules
from lehr.wire.space import Resolved, resolve
from lehr.wire.studies import StudyDefinition
from lehr_service.search.space import decode

Rates: TypeAlias = Sequence[float] | None
"""The learning rate at the end of each step; None where it cannot be known."""

_UPDATES = 100  # an epoch: fine enough for rates at the ends of epochs
_LARGEST_DECAY = math.log(100.0)  # a rate that falls further than this has all but ended


class Outlook:
    """Which steps of a trial are judged, and how much decay of its rate comes after each."""

    def __init__(self, rates: Rates, n_steps: int) -> None:
        self._rates = rates
        self._n_steps = n_steps

    @cached_property
    def _open(self) -> list[bool]:
        return [True] * self._n_steps if self._rates is None else _open_steps(self._rates)

    def is_due(self, planned: Iterable[int], before: int, step: int) -> bool:
        """Whether a trial that reports ``step``, after ``before``, has come to a planned step.

        A planned step is put off to the next at which the rate does not hide the value.
        """
        return self._open[step] and any(before < self._put_off(p) <= step for p in planned)

    def _put_off(self, step: int) -> int:
        return next((s for s in range(step, len(self._open)) if self._open[s]), len(self._open))

    def decay(self, step: int) -> float | None:
        """By how much the rate still falls after a step (logarithm); None where it is not known."""
        if self._rates is None:
            return None
        now, end = self._rates[step], self._rates[-1]
        if now <= 0.0:
            return 0.0
        return min(math.log(now / max(end, 1e-300)), _LARGEST_DECAY)


def _open_steps(rates: Sequence[float]) -> list[bool]:
    """All from the end of the rise on; of a rate that rises again, the ends of its falls only."""
    rises = [after > now * (1 + 1e-9) for now, after in itertools.pairwise(rates)]
    top = next((s for s, rising in enumerate(rises) if not rising), len(rates) - 1)
    if not any(rises[top:]):
        return [s >= top for s in range(len(rates))]
    falls = [False] + [after < now * (1 - 1e-9) for now, after in itertools.pairwise(rates)]
    return [falls[s] and s < len(rises) and rises[s] for s in range(len(rates))]


def rates_of(definition: StudyDefinition) -> Callable[[FrozenTrial], Rates]:
    """A function from a trial of a study to its learning rates.

    They are not known where they follow from the metric (``reduce_on_plateau``), or from lengths
    in updates, of which only the worker knows how many make an epoch.
    """
    space, epochs = definition.space, definition.training.epochs

    @lru_cache(maxsize=100_000)
    def known(names: tuple[str, ...], values: tuple[Any, ...]) -> Rates:
        params = dict(zip(names, values, strict=True))
        return _rates(resolve(space, lambda name, value: decode(value, params[name])), epochs)

    def rates(trial: FrozenTrial) -> Rates:
        return known(tuple(trial.params), tuple(trial.params.values()))

    return rates


def _rates(point: Resolved, epochs: int) -> Rates:
    if point.schedule["name"] == "reduce_on_plateau" or _in_updates([point.schedule, point.warmup]):
        return None
    curve = schedules.build(
        _as_rates(point.schedule),
        learning_rate=point.optimizer["learning_rate"],
        epochs=epochs,
        updates_per_epoch=_UPDATES,
        warmup=point.warmup,
    )
    return tuple(curve((epoch + 1) * _UPDATES - 1) for epoch in range(epochs))


def _as_rates(schedule: dict[str, Any]) -> dict[str, Any]:
    """A batch that grows does to the noise of updates what a rate that is divided does."""
    if schedule["name"] != "batch_growth":
        return schedule
    given = {name: value for name, value in schedule.items() if name != "name"}
    complete = schedules.SCHEDULES["batch_growth"].complete(given)
    boundaries, growth = complete["boundaries"], complete["growth"]
    factors = [growth**-k for k in range(len(boundaries) + 1)]
    return {"name": "piecewise_constant", "boundaries": boundaries, "factors": factors}


def _in_updates(value: Any) -> bool:
    """Whether a length anywhere in a value is in updates."""
    if isinstance(value, dict):
        return "updates" in value or any(map(_in_updates, value.values()))
    return isinstance(value, list | tuple) and any(map(_in_updates, value))
