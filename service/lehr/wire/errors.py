"""The one form in which the service says no."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from lehr.wire.base import Path, Wire

MOST_FIELDS = 100  # that one answer names: a body may have a hundred thousand wrong ones

_NO_MAPPING = ("dict_type", "model_type", "model_attributes_type")
_SHOULD = re.compile(r"^(?:Input|String|List|Dictionary|Data) should ")


class FieldError(Wire):
    """One wrong field: where it is, and what would be right."""

    path: str
    message: str


class ErrorBody(Wire):
    code: str
    message: str
    fields: list[FieldError] = Field(default_factory=list)


class ErrorAnswer(Wire):
    """Body of every answer with a status of 400 or above."""

    error: ErrorBody


def found_wrong(errors: Iterable[Mapping[str, Any]]) -> list[tuple[Path, str]]:
    """Path and message of what pydantic found wrong, each once, in words that say what to do."""
    return list(dict.fromkeys((_path(error["loc"]), _message(error)) for error in errors))


def _path(location: Path) -> Path:
    return location[1:] if location[:1] in (("body",), ("query",), ("path",)) else location


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown field; leave it out or correct its name"
    if error["type"] == "missing":
        return "required"
    if error["type"] == "string_pattern_mismatch":
        return f"must match {error['ctx']['pattern']}"
    if error["type"] in _NO_MAPPING:
        return "must be a mapping"
    message: str = error["msg"].removeprefix("Value error, ")
    return _SHOULD.sub("must ", message)
