"""The one form in which the service says no."""

from __future__ import annotations

from pydantic import Field

from lehr.wire.base import Wire


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
