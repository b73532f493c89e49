"""What every wire model shares: frozen, strict about unknown fields, safe to store as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer
from pydantic import Field as Field
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

Path = tuple[str | int, ...]


class Wire(BaseModel):
    """Base of all models that cross HTTP: frozen; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def example(**value: Any) -> ConfigDict:
    """The configuration of a model whose schema shows an example."""
    return ConfigDict(json_schema_extra={"examples": [value]})


class Problems:
    """Collects what is wrong with a value, each with its path, so one answer names every field."""

    def __init__(self) -> None:
        self._found: list[tuple[Path, str]] = []

    def add(self, path: Path, message: str) -> None:
        self._found.append((path, message))

    def extend(self, found: Iterable[tuple[Path, str]]) -> None:
        self._found.extend(found)

    def raise_if_any(self) -> None:
        """Raise one pydantic ``ValidationError`` that holds all problems, paths kept."""
        if not self._found:
            return
        details = [
            InitErrorDetails(
                type=PydanticCustomError("definition", "{message}", {"message": message}),
                loc=path,
                input=None,
            )
            for path, message in self._found
        ]
        raise ValidationError.from_exception_data("definition", details)


def one_of(names: Iterable[str]) -> str:
    """Names as they read where one must be chosen: ``a, b or c``."""
    return _joined(names, " or ")


def all_of(names: Iterable[str]) -> str:
    """Names as they read where all are told: ``a, b and c``."""
    return _joined(names, " and ")


def _joined(names: Iterable[str], last: str) -> str:
    ordered = list(names)
    return last.join([", ".join(ordered[:-1]), ordered[-1]] if len(ordered) > 1 else ordered)


_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(value: Any) -> float:
    """Seconds from a number of seconds or from a string such as ``90s``, ``2h``, ``1h30m``."""
    if isinstance(value, str) and _DURATION.fullmatch(value):
        seconds = sum(float(count) * _UNIT_SECONDS[unit] for count, unit in _PART.findall(value))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value) if abs(value) < 1e300 else math.inf
    else:
        raise ValueError('give seconds as a number, or a string such as "90s", "2h", "1h30m"')
    if not (math.isfinite(seconds) and 0 < seconds <= 10 * 365 * 86400.0):
        raise ValueError("a duration must be above 0 and at most 10 years")
    return seconds


def _finite_or_none(value: Any) -> Any:
    """NaN and infinity have no JSON form; a worker that sends them means: not a number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _storable(text: str) -> str:
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must be text without NUL characters or lone surrogates")
    return text


def _addressable(name: str) -> str:
    if name in (".", ".."):  # clients take these out of an address
        raise ValueError("must have a letter, a digit, - or _ in it")
    return name


Duration = Annotated[float, BeforeValidator(parse_duration)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Measured = Annotated[Number | None, BeforeValidator(_finite_or_none)]
Moment = Annotated[
    datetime,
    AfterValidator(_utc),
    PlainSerializer(lambda m: m.isoformat().replace("+00:00", "Z"), str, when_used="json"),
]
Text = Annotated[str, AfterValidator(_storable)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9._-]{1,100}$"), AfterValidator(_addressable)]
TaskName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$")]
MetricName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_./ -]{0,99}$")]
