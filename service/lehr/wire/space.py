"""The search space: what is searched, as values, branches and the names Optuna knows them by.

A value is a constant (a scalar), a choice (a list), a range (``{low, high}``), a vector (a list
where the argument is a vector) or a length (``{epochs: value}``, ``{updates: value}``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Constant:
    """One value, not searched."""

    value: Any


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several constants; a constant may be a vector (list) or a length (dict)."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A number between ``low`` and ``high``, both included."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    integer: bool = False


@dataclass(frozen=True, slots=True)
class RangeTest:
    """A learning rate whose bounds a range test finds; see `lehr.range_tests`."""

    start: float  # the first rate of the test
    end: float  # the last one
    updates: int = 200  # from start to end
    seeds: int = 4  # so many tests, with the seeds 0, 1, ...
    reuse: bool = True  # whether an equal test of another study will do


@dataclass(frozen=True, slots=True)
class Vector:
    """Several numbers or lengths, each constant or a range."""

    elements: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """A length given in ``epochs`` or ``updates``."""

    unit: str
    count: Value


Value: TypeAlias = "Constant | Choice | Range | RangeTest | Vector | Measure"
Searched: TypeAlias = Choice | Range | RangeTest
Suggest: TypeAlias = Callable[[str, Searched], Any]
Branch: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True)
class SearchSpace:
    """A parsed search space; every mapping keeps the order of the definition."""

    optimizer: Mapping[str, Branch]
    schedule: Mapping[str, Branch] = field(default_factory=dict)
    warmup: Value | None = None
    parameters: Branch = field(default_factory=dict)


@dataclass(frozen=True)
class Resolved:
    """One point of a search space in the form that a trial is trained by."""

    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    warmup: Any
    parameters: dict[str, Any]


def resolve(space: SearchSpace, suggest: Suggest) -> Resolved:
    """Walk the space in its order, asking ``suggest`` for each parameter that is searched.

    ``suggest`` gets the parameter's flat name (``sgd.learning_rate``) and what to choose from; the
    parameters of a branch that was not chosen are never asked for. The order of questions is
    optimizer, its arguments, schedule, its arguments, warm-up, the task's own parameters.
    """
    return Resolved(
        optimizer=_branch("optimizer", space.optimizer, suggest),
        schedule=_branch("schedule", space.schedule, suggest) or {"name": "constant"},
        warmup=0.0 if space.warmup is None else _value("warmup", space.warmup, suggest),
        parameters={n: _value(n, v, suggest) for n, v in space.parameters.items()},
    )


def _branch(key: str, branches: Mapping[str, Branch], suggest: Suggest) -> dict[str, Any]:
    if not branches:
        return {}
    chosen = suggest(key, Choice(tuple(branches)))
    values = branches[chosen].items()
    return {"name": chosen} | {n: _value(f"{chosen}.{n}", v, suggest) for n, v in values}


def _value(name: str, value: Value, suggest: Suggest) -> Any:
    match value:
        case Constant(constant):
            return constant
        case Vector(elements):
            return [_value(f"{name}.{i}", e, suggest) for i, e in enumerate(elements)]
        case Measure(unit, count):
            return {unit: _value(f"{name}.{unit}", count, suggest)}
        case _:
            return suggest(name, value)


def range_tests(space: SearchSpace) -> dict[str, RangeTest]:
    """The range tests of a space by optimizer, in the order of the definition."""
    rates = {name: branch.get("learning_rate") for name, branch in space.optimizer.items()}
    return {name: rate for name, rate in rates.items() if isinstance(rate, RangeTest)}


def narrowed(space: SearchSpace, bounds: Mapping[str, tuple[float, float]]) -> SearchSpace:
    """The space with these bounds, by flat name, in place of range tests."""
    optimizers = {
        name: {
            argument: Range(*bounds[f"{name}.{argument}"], log=True)
            if isinstance(value, RangeTest) and f"{name}.{argument}" in bounds
            else value
            for argument, value in branch.items()
        }
        for name, branch in space.optimizer.items()
    }
    return replace(space, optimizer=optimizers)


def middle(value: Searched) -> Any:
    """The value in the middle of what is searched, where one has to stand for all.

    Of a range the middle of its scale, geometric with ``log``, on its grid; of a list the middle
    element, of two the first.
    """
    match value:
        case Choice(values):
            return values[(len(values) - 1) // 2]
        case RangeTest(start, end):
            return math.sqrt(start * end)
        case Range(low, high, log, step, integer):
            found = math.sqrt(low) * math.sqrt(high) if log else low + (high - low) / 2
            if step is not None:
                found = low + (found - low) // step * step
            found = min(max(found, low), high)
            return round(found) if integer else found


def searched(space: SearchSpace) -> dict[str, Searched]:
    """Every parameter of every branch by its flat name, in the order of ``resolve``."""
    return dict(_searched(space))


def _searched(space: SearchSpace) -> Iterator[tuple[str, Searched]]:
    for key, branches in (("optimizer", space.optimizer), ("schedule", space.schedule)):
        if branches:
            yield key, Choice(tuple(branches))
        for name, branch in branches.items():
            for argument, value in branch.items():
                yield from _leaves(f"{name}.{argument}", value)
    if space.warmup is not None:
        yield from _leaves("warmup", space.warmup)
    for name, value in space.parameters.items():
        yield from _leaves(name, value)


def _leaves(name: str, value: Value) -> Iterator[tuple[str, Searched]]:
    match value:
        case Constant():
            return
        case Vector(elements):
            for index, element in enumerate(elements):
                yield from _leaves(f"{name}.{index}", element)
        case Measure(unit, count):
            yield from _leaves(f"{name}.{unit}", count)
        case _:
            yield name, value


def is_conditional(space: SearchSpace) -> bool:
    """Whether some parameter exists only when a branch is chosen among several."""
    return any(
        len(branches) > 1
        and any(list(_leaves("", v)) for b in branches.values() for v in b.values())
        for branches in (space.optimizer, space.schedule)
    )


def searches_schedule(space: SearchSpace) -> bool:
    """Whether trials may differ in the shape of their learning rate's decay."""
    branches = space.schedule.values()
    return len(branches) > 1 or any(list(_leaves("", v)) for b in branches for v in b.values())


def admits(value: Searched, given: Any) -> str | None:
    """What is wrong with a value given for a searched parameter; None where nothing is."""
    match value:
        case Choice(values):
            if any(given == v and isinstance(given, bool) is isinstance(v, bool) for v in values):
                return None
            return f"must be one of {', '.join(map(repr, values))}, got {given!r:.80}"
        case RangeTest(start, end):
            low, high, integer = start, end, False
        case Range(low, high, _, _, integer):
            pass
    if isinstance(given, bool) or not isinstance(given, int if integer else int | float):
        return f"must be {'a whole number' if integer else 'a number'}, got {given!r:.80}"
    return None if low <= given <= high else f"must be from {low:g} to {high:g}, got {given!r:.80}"
