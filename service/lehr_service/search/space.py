"""The search space as Optuna sees it: distributions, and values on both sides of the border.

Optuna's categories are scalars. A choice among lists or lengths is therefore given to Optuna as
JSON texts; everywhere else a value is the one that the definition holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from lehr.wire.space import Choice, Range, RangeTest, Searched, SearchSpace, resolve
from lehr_service.search.errors import SearchError


def distribution(value: Searched) -> BaseDistribution:
    """Optuna's distribution for a parameter; the same that ``suggest`` makes."""
    match value:
        case Choice():
            return CategoricalDistribution(categories(value))
        case RangeTest(start, end):
            return FloatDistribution(start, end, log=True)
        case Range(low, _, log, step, integer=True):
            return IntDistribution(int(low), int(highest(value)), log, int(step or 1))
        case Range(low, _, log, step):
            return FloatDistribution(low, highest(value), log, step)


def suggest(trial: Trial, space: SearchSpace) -> dict[str, Any]:
    """Values of one point of the space, flat and in order, as the definition holds them."""
    params: dict[str, Any] = {}

    def ask(name: str, value: Searched) -> Any:
        params[name] = decode(value, _suggest(trial, name, value))
        return params[name]

    resolve(space, ask)
    return params


def _suggest(trial: Trial, name: str, value: Searched) -> Any:
    match value:
        case Choice():
            return trial.suggest_categorical(name, categories(value))
        case RangeTest(start, end):
            return trial.suggest_float(name, start, end, log=True)
        case Range(low, _, log, step, integer=True):
            high = int(highest(value))
            return trial.suggest_int(name, int(low), high, step=int(step or 1), log=log)
        case Range(low, _, log, step):
            return trial.suggest_float(name, low, highest(value), step=step, log=log)


def categories(choice: Choice) -> list[Any]:
    """A choice's values for Optuna: themselves, or all as JSON texts where one is no scalar."""
    if any(isinstance(value, list | dict) for value in choice.values):
        return [json.dumps(value) for value in choice.values]
    return list(choice.values)


def decode(value: Searched, suggested: Any) -> Any:
    """The definition's value for one that Optuna suggested."""
    match value:
        case Choice(values):
            return values[categories(value).index(suggested)]
        case Range(integer=True):
            return int(suggested)
        case _:
            return float(suggested)


def encode(name: str, value: Searched, given: Any) -> Any:
    """Optuna's value for one of ours; a number on a grid is moved onto it exactly, a learning rate
    given beside the bounds of a range test to the nearest of them.

    Raises SearchError for a value that a choice does not have.
    """
    match value:
        case Choice(values):
            if given not in values:
                raise SearchError(f"{name}: {given!r:.80} is not among the values to choose from")
            return categories(value)[values.index(given)]
        case Range(step=step) if step is not None:
            return _candidate(value, _position(value, given))
        case Range(integer=True):
            return int(given)
        case Range(low, high):
            return min(max(float(given), low), high)
        case _:
            return float(given)


def encode_all(known: Mapping[str, Searched], params: Mapping[str, Any]) -> dict[str, Any]:
    """``encode`` for the parameters of a trial, in the order of the space."""
    if unknown := params.keys() - known.keys():
        raise SearchError(f"no parameter is named {min(unknown)}")
    return {n: encode(n, v, params[n]) for n, v in known.items() if n in params}


def is_on_grid(value: Range, given: float) -> bool:
    """Whether a number is low plus a whole number of steps, as near as Optuna asks for."""
    position = (given - value.low) / (value.step or 1)
    return value.step is None or abs(position - round(position)) < 1e-8


def highest(value: Range) -> float:
    """The highest number of a range that its steps reach: what Optuna lowers ``high`` to."""
    if value.step is None:
        return value.high
    steps, rest = divmod(
        Decimal(str(value.high)) - Decimal(str(value.low)), Decimal(str(value.step))
    )
    return value.high if rest == 0 else _candidate(value, int(steps))


def candidates(value: Searched) -> list[Any]:
    """Optuna's values of a choice or of a range that has a step."""
    if isinstance(value, Choice):
        return categories(value)
    if isinstance(value, RangeTest):
        raise SearchError("a range test has no list of values")
    return [_candidate(value, position) for position in range(count(value))]


def count(value: Searched) -> int:
    """How many values a choice or a stepped range has."""
    match value:
        case Choice(values):
            return len(values)
        case Range():
            return _position(value, highest(value)) + 1
        case _:
            raise SearchError("a range test has no number of values")


def count_points(space: SearchSpace) -> int:
    """How many points a space has whose every parameter has a number of values."""
    return sum(_count_branch(space, *branch) for branch in _branches(space))


def _branches(space: SearchSpace) -> Iterator[tuple[str, str | None]]:
    for optimizer in space.optimizer:
        for schedule in space.schedule or (None,):
            yield optimizer, schedule


def _count_branch(space: SearchSpace, optimizer: str, schedule: str | None) -> int:
    chosen = {"optimizer": optimizer, "schedule": schedule}
    counts: list[int] = []

    def choose(name: str, value: Searched) -> Any:
        if name in chosen:
            return chosen[name]
        counts.append(count(value))
        return None

    resolve(space, choose)
    return math.prod(counts)


def _position(value: Range, given: float) -> int:
    return round((given - value.low) / (value.step or 1))


def _candidate(value: Range, position: int) -> float:
    step = value.step or 1
    if value.integer:
        return int(value.low) + position * int(step)
    return float(Decimal(str(value.low)) + position * Decimal(str(step)))
