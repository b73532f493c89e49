"""Reads the ``search_space`` of a study definition and names everything that is wrong in it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from lehr.schedules import REQUIRED, SCHEDULES, Argument
from lehr.schedules.arguments import is_number
from lehr.wire.base import Path, Problems, all_of, one_of
from lehr.wire.optimizers import OPTIMIZERS
from lehr.wire.space import (
    Branch,
    Choice,
    Constant,
    Measure,
    Range,
    RangeTest,
    SearchSpace,
    Value,
    Vector,
)

_RANGE_KEYS = ("low", "high", "log", "step", "int")
_WARMUP = Argument(kind="length", default=0.0, low=0.0, doc="length of the linear warm-up")
_ANYTHING = Argument(kind="anything", doc="a parameter of the task's own")
_RANGE_TEST = {
    "start": Argument(kind="number", default=1e-6, low=1e-12, doc="the first learning rate"),
    "end": Argument(kind="number", default=1.0, high=1e6, doc="the last learning rate"),
    "updates": Argument(
        kind="integer", default=200, low=20, high=5_000, doc="updates from start to end"
    ),
    "seeds": Argument(
        kind="integer", default=4, low=1, high=20, doc="so many tests, with the seeds 0, 1, ..."
    ),
    "reuse": Argument(
        kind="boolean", default=True, doc="take over the result of an equal test, if there is one"
    ),
}
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_SCHEDULE_ARGUMENTS = {name: kind.arguments for name, kind in SCHEDULES.items()}
_CORNERS = 1000
_LONGEST = 1000
_LARGEST = 1e300
_LARGEST_INTEGER = 2**53  # beyond it a float, which samplers work in, skips integers
_MOST_STEPS = 1e15


class _Wrong(Exception):
    """The value at a path cannot be read; its problem is already noted."""


def parse_space(raw: Any) -> SearchSpace:
    """The search space that a definition describes.

    Raises pydantic's ``ValidationError`` with one entry, path and fix included, a wrong field.
    """
    problems = Problems()
    space = _Reader(problems).space(raw)
    problems.raise_if_any()
    return space


@lru_cache(maxsize=256)
def _parse_text(text: str) -> SearchSpace:
    return parse_space(json.loads(text))


def space_of(raw: Mapping[str, Any]) -> SearchSpace:
    """As ``parse_space`` for a space that was checked before; remembers what it parsed."""
    return _parse_text(json.dumps(raw))


class _Reader:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def space(self, raw: Any) -> SearchSpace:
        known = ("optimizer", "schedule", "warmup", "parameters")
        if not isinstance(raw, dict):
            self._problems.add((), "must be a mapping with the key optimizer")
            return SearchSpace({})
        for key in raw:
            if key not in known:
                self._problems.add((key,), f"unknown key; known are {all_of(known)}")
        warmup = raw.get("warmup")
        return SearchSpace(
            optimizer=self._branches("optimizer", raw.get("optimizer"), OPTIMIZERS),
            schedule=self._schedules(raw["schedule"]) if "schedule" in raw else {},
            warmup=None if warmup is None else self._try(("warmup",), _WARMUP, warmup),
            parameters=self._parameters(raw.get("parameters", {})),
        )

    def _branches(
        self, key: str, raw: Any, known: Mapping[str, Mapping[str, Argument]]
    ) -> dict[str, Branch]:
        if not isinstance(raw, dict) or not raw:
            self._problems.add((key,), f"must be a mapping with one or more of {one_of(known)}")
            return {}
        for name in raw:
            if name not in known:
                self._problems.add((key, name), f"unknown {key}; known are {all_of(known)}")
        return {n: self._branch((key, n), known[n], raw[n]) for n in raw if n in known}

    def _schedules(self, raw: Any) -> dict[str, Branch]:
        branches = self._branches("schedule", raw, _SCHEDULE_ARGUMENTS)
        for name, branch in branches.items():
            self._across(("schedule", name), name, branch)
        return branches

    def _branch(self, path: Path, known: Mapping[str, Argument], raw: Any) -> Branch:
        if raw is None:
            raw = {}
        if not isinstance(raw, dict):
            self._problems.add(path, "must be a mapping of arguments; {} takes the defaults")
            return {}
        for name in raw:
            if name not in known:
                takes = one_of(known) if known else "no arguments"
                self._problems.add((*path, name), f"unknown argument; {path[-1]} takes {takes}")
        for name, argument in known.items():
            if argument.default is REQUIRED and name not in raw:
                self._problems.add((*path, name), f"required: {argument.doc}")
        read = {n: self._try((*path, n), known[n], v) for n, v in raw.items() if n in known}
        return {name: value for name, value in read.items() if value is not None}

    def _across(self, path: Path, name: str, branch: Branch) -> None:
        """A schedule's rule across its arguments, at the corners of what may be sampled."""
        kind = SCHEDULES[name]
        if kind.check is None or not all(
            n in branch for n, a in kind.arguments.items() if a.default is REQUIRED
        ):
            return
        defaults = {n: a.default for n, a in kind.arguments.items()}
        for corner in itertools.islice(_corners(branch), _CORNERS):
            try:
                kind.check(defaults | corner)
            except ValueError as error:
                argument, _, message = str(error).partition(": ")
                self._problems.add((*path, argument), message)
                return

    def _parameters(self, raw: Any) -> Branch:
        if not isinstance(raw, dict):
            self._problems.add(("parameters",), "must be a mapping of the task's parameters")
            return {}
        if len(raw) > _LONGEST:
            self._problems.add(("parameters",), f"at most {_LONGEST} parameters, got {len(raw)}")
            return {}
        read: dict[str, Value] = {}
        for name, value in raw.items():
            path = ("parameters", name)
            if not _PARAMETER.fullmatch(name) or name in ("optimizer", "schedule", "warmup"):
                self._problems.add(
                    path,
                    "a parameter's name is a letter or _, then up to 99 letters, digits or _; "
                    "optimizer, schedule and warmup are taken",
                )
            elif (parsed := self._try(path, _ANYTHING, value)) is not None:
                read[name] = parsed
        return read

    def _try(self, path: Path, argument: Argument, raw: Any) -> Value | None:
        try:
            return self._value(path, argument, raw)
        except _Wrong:
            return None

    def _wrong(self, path: Path, message: str) -> _Wrong:
        self._problems.add(path, message)
        return _Wrong()

    def _value(self, path: Path, argument: Argument, raw: Any) -> Value:
        if isinstance(raw, dict):
            return self._mapping(path, argument, raw)
        if not isinstance(raw, list):
            return Constant(self._constant(path, argument, raw))
        if not 1 <= len(raw) <= _LONGEST:
            raise self._wrong(path, f"a list has from 1 to {_LONGEST} values, got {len(raw)}")
        is_vector = argument.kind in ("numbers", "lengths")
        if is_vector and not any(isinstance(element, list) for element in raw):
            return self._vector(path, argument, raw)
        return self._choice(path, argument, raw)

    def _vector(self, path: Path, argument: Argument, raw: list[Any]) -> Vector:
        element = _scalar(argument)
        return Vector(tuple(self._value((*path, i), element, r) for i, r in enumerate(raw)))

    def _choice(self, path: Path, argument: Argument, raw: list[Any]) -> Choice:
        values = tuple(self._constant((*path, i), argument, r) for i, r in enumerate(raw))
        for index, value in enumerate(values):
            if value in values[:index]:
                raise self._wrong((*path, index), f"{value!r} is in the choice already")
        return Choice(values)

    def _constant(self, path: Path, argument: Argument, raw: Any) -> Any:
        if isinstance(raw, list) and not 1 <= len(raw) <= _LONGEST:
            raise self._wrong(path, f"a list has from 1 to {_LONGEST} values, got {len(raw)}")
        if argument.kind == "anything":
            if _is_plain(raw):
                return raw
            raise self._wrong(path, "must be a number, true, false, text, or a list of these")
        if isinstance(raw, str) and argument.kind not in ("choice",) and _looks_numeric(raw):
            raise self._wrong(path, f"{raw!r} is text; write the number without quotes")
        if raw is None and argument.default is None:
            return None
        try:
            argument.check("value", raw)
        except ValueError as error:
            place, _, message = str(error).partition(": ")
            index = re.search(r"\[(\d+)\]", place)
            raise self._wrong((*path, int(index[1])) if index else path, message) from None
        return raw

    def _mapping(self, path: Path, argument: Argument, raw: dict[str, Any]) -> Value:
        if "range_test" in raw:
            return self._range_test(path, raw)
        if argument.kind == "length" and raw.keys() & {"epochs", "updates"}:
            return self._measure(path, argument, raw)
        return self._range(path, argument, raw)

    def _measure(self, path: Path, argument: Argument, raw: dict[str, Any]) -> Value:
        if len(raw) != 1:
            raise self._wrong(path, "must have one key, epochs or updates")
        unit, count = next(iter(raw.items()))
        kind = "integer" if unit == "updates" else "number"
        counted = Argument(
            kind=kind, low=argument.low or 0.0, above=argument.above, high=1e9, doc=argument.doc
        )
        return Measure(unit, self._value((*path, unit), counted, count))

    def _range(self, path: Path, argument: Argument, raw: dict[str, Any]) -> Range:
        if argument.kind in ("boolean", "choice", "numbers", "lengths"):
            raise self._wrong(path, f"a {argument.kind} has no range; give a value or a list")
        for key in raw:
            if key not in _RANGE_KEYS:
                raise self._wrong((*path, key), f"unknown key; a range has {one_of(_RANGE_KEYS)}")
        for key in ("log", "int"):
            if not isinstance(raw.get(key, False), bool):
                raise self._wrong((*path, key), "must be true or false")
        integer = raw.get("int", False) or argument.kind == "integer"
        low = self._bound((*path, "low"), argument, raw.get("low"), integer)
        high = self._bound((*path, "high"), argument, raw.get("high"), integer)
        if not (low and high):
            raise _Wrong
        return self._ordered(path, raw, integer)

    def _bound(self, path: Path, argument: Argument, raw: Any, integer: bool) -> bool:
        """Whether one end of a range is admitted; notes why where it is not."""
        if raw is None:
            message = "required: a range needs both low and high"
        elif isinstance(raw, str) and _looks_numeric(raw):
            message = f"{raw!r} is text; write the number without quotes"
        elif not is_number(raw) or abs(raw) > _LARGEST:
            message = f"must be a finite number, got {raw!r:.80}"
        elif integer and int(raw) != raw:
            message = f"must be a whole number as int is true, got {raw!r}"
        elif integer and abs(raw) > _LARGEST_INTEGER:
            message = f"must be a whole number from -2**53 to 2**53, got {raw!r:.80}"
        else:
            bound = int(raw) if integer else raw
            return argument.kind == "anything" or self._try_constant(path, argument, bound)
        self._problems.add(path, message)
        return False

    def _try_constant(self, path: Path, argument: Argument, raw: Any) -> bool:
        try:
            self._constant(path, argument, raw)
        except _Wrong:
            return False
        return True

    def _ordered(self, path: Path, raw: dict[str, Any], integer: bool) -> Range:
        low, high, log, step = raw["low"], raw["high"], raw.get("log", False), raw.get("step")
        if low > high:
            raise self._wrong((*path, "low"), f"must not be above high, got {low!r} and {high!r}")
        if log and low <= 0:
            raise self._wrong((*path, "low"), f"must be above 0 as log is true, got {low!r}")
        if integer and log and low < 1:
            raise self._wrong((*path, "low"), f"must be at least 1, as int and log are, got {low}")
        if step is not None and (not is_number(step) or step <= 0 or (integer and step % 1)):
            whole = "whole " if integer else ""
            raise self._wrong((*path, "step"), f"must be a {whole}number above 0, got {step!r:.80}")
        if step is not None and log:
            raise self._wrong((*path, "step"), "a range has log or step, not both")
        if step is not None and (high - low) / step > _MOST_STEPS:
            raise self._wrong((*path, "step"), f"is too small for the range, got {step!r}")
        if integer:
            return Range(int(low), int(high), log, None if step is None else int(step), True)
        return Range(float(low), float(high), log, None if step is None else float(step))

    def _range_test(self, path: Path, raw: dict[str, Any]) -> RangeTest:
        options = raw["range_test"]
        at = (*path, "range_test")
        if path[0] != "optimizer" or path[-1] != "learning_rate":
            raise self._wrong(at, "only a learning_rate has a range test")
        if len(raw) > 1 or not isinstance(options, dict | None):
            raise self._wrong(path, f"must be {{range_test: {{}}}}; it takes {one_of(_RANGE_TEST)}")
        given = options or {}
        for key, value in given.items():
            if key not in _RANGE_TEST:
                raise self._wrong((*at, key), f"unknown key; known are {all_of(_RANGE_TEST)}")
            try:
                _RANGE_TEST[key].check("value", value)
            except ValueError as error:
                raise self._wrong((*at, key), str(error).partition(": ")[2]) from None
        known = {key: given.get(key, argument.default) for key, argument in _RANGE_TEST.items()}
        if known["start"] >= known["end"]:
            raise self._wrong((*at, "start"), "must be below end")
        return RangeTest(**known | {key: float(known[key]) for key in ("start", "end")})


def _scalar(argument: Argument) -> Argument:
    return Argument(
        kind=argument.kind.removesuffix("s"),
        doc=argument.doc,
        low=argument.low,
        high=argument.high,
        above=argument.above,
        below=argument.below,
    )


def _is_plain(raw: Any, nested: bool = False) -> bool:
    if isinstance(raw, list) and not nested:
        return bool(raw) and all(_is_plain(element, nested=True) for element in raw)
    return isinstance(raw, bool | str) or is_number(raw)


def _looks_numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _corners(branch: Branch) -> Iterator[dict[str, Any]]:
    """Extreme points of a branch: what a rule across arguments must hold for."""
    for combination in itertools.product(*(_extremes(v) for v in branch.values())):
        yield dict(zip(branch, combination, strict=True))


def _extremes(value: Value) -> list[Any]:
    match value:
        case Constant(constant):
            return [constant]
        case Choice(values):
            return list(values)
        case Range(low, high):
            return [low] if low == high else [low, high]
        case RangeTest(start, end):
            return [start, end]
        case Measure(unit, count):
            return [{unit: extreme} for extreme in _extremes(count)]
        case Vector(elements):
            lows = [_extremes(e)[0] for e in elements]
            highs = [_extremes(e)[-1] for e in elements]
            mixed = [(highs if i % 2 else lows)[i] for i in range(len(elements))]
            other = [(lows if i % 2 else highs)[i] for i in range(len(elements))]
            return [lows] if lows == highs else [lows, highs, mixed, other]
