"""What a schedule takes: one `Argument` a name, and lengths in fractions, epochs or updates."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

Length: TypeAlias = float | Mapping[str, float]
"""A fraction of training in [0, 1], or `{"epochs": x}`, or `{"updates": n}`."""

LONGEST: Final = {"epochs": 1e9, "updates": 1e15}


class _Required(Enum):
    REQUIRED = "required"

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required.REQUIRED
"""The default of an argument that has none."""


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One argument of a schedule: its kind, default and bounds.

    Bounds of a vector hold for each element; bounds of a length hold for its number, whichever its
    unit (`above=0` refuses 0, `{"epochs": 0}` and `{"updates": 0}`).
    """

    kind: str  # number | integer | boolean | length | numbers | lengths | choice
    doc: str
    default: Any = REQUIRED
    low: float | None = None  # inclusive
    high: float | None = None  # inclusive
    above: float | None = None  # exclusive
    below: float | None = None  # exclusive
    choices: tuple[str, ...] = ()

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError, its message starting with `name`, unless `value` is admitted."""
        for place, element in self._elements(name, value):
            problem = _PROBLEMS[self.kind.removesuffix("s")](element, self)
            if problem:
                raise ValueError(f"{place}: {problem}, got {element!r:.80}")

    def _elements(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        if self.kind not in ("numbers", "lengths"):
            yield name, value
            return
        if not isinstance(value, list | tuple) or not value:
            raise ValueError(f"{name}: must be a list of at least one element, got {value!r:.80}")
        for index, element in enumerate(value):
            yield f"{name}[{index}]", element


def resolve_length(length: Length, *, epochs: int, updates_per_epoch: int) -> int:
    """A length in updates, rounded to the nearest (halves to even).

    Raises ValueError for anything but a fraction in [0, 1], `{"epochs": x}` or `{"updates": n}`.
    """
    return length_in_updates(length, epochs * updates_per_epoch, updates_per_epoch)


def length_in_updates(length: Length, training: int, updates_per_epoch: int) -> int:
    """A length in updates where fractions are fractions of `training` updates."""
    problem = _length_form(length)
    if problem:
        raise ValueError(f"{problem}, got {length!r:.80}")
    if not isinstance(length, Mapping):
        return round(length * training)
    if "epochs" in length:
        return round(length["epochs"] * updates_per_epoch)
    return int(length["updates"])


def is_number(value: Any) -> bool:
    """Whether `value` is a real number (not a boolean) that a finite float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and is_number(value)


def _length_form(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        if is_number(value) and 0 <= value <= 1:
            return None
        return 'must be a fraction of training from 0 to 1, {"epochs": x} or {"updates": n}'
    if len(value) != 1 or next(iter(value)) not in LONGEST:
        return 'must have exactly one key, "epochs" or "updates"'
    unit, count = next(iter(value.items()))
    if unit == "updates" and not _is_integer(count):
        return "must have a whole number of updates"
    if not is_number(count) or not 0 <= count <= LONGEST[unit]:
        return f"must have from 0 to {LONGEST[unit]:g} {unit}"
    return None


def _bounds(value: float, argument: Argument) -> str | None:
    if argument.low is not None and value < argument.low:
        return f"must be at least {argument.low:g}"
    if argument.high is not None and value > argument.high:
        return f"must be at most {argument.high:g}"
    if argument.above is not None and value <= argument.above:
        return f"must be greater than {argument.above:g}"
    if argument.below is not None and value >= argument.below:
        return f"must be less than {argument.below:g}"
    return None


def _number(value: Any, argument: Argument) -> str | None:
    return _bounds(value, argument) if is_number(value) else "must be a finite number"


def _integer(value: Any, argument: Argument) -> str | None:
    return _bounds(value, argument) if _is_integer(value) else "must be a whole number"


def _boolean(value: Any, argument: Argument) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _length(value: Any, argument: Argument) -> str | None:
    problem = _length_form(value)
    if problem:
        return problem
    number = next(iter(value.values())) if isinstance(value, Mapping) else value
    return _bounds(number, argument)


def _choice(value: Any, argument: Argument) -> str | None:
    if isinstance(value, str) and value in argument.choices:
        return None
    return f"must be one of {', '.join(argument.choices)}"


_PROBLEMS: Final[Mapping[str, Callable[[Any, Argument], str | None]]] = {
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "length": _length,
    "choice": _choice,
}
