"""Cursors: opaque to clients, keyset inside."""

from __future__ import annotations

import base64
import json
from typing import Any

from lehr.schedules.arguments import is_number
from lehr.wire.base import Path
from lehr_service.errors import Invalid


def encode(*key: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode(cursor: str, length: int) -> list[Any]:
    """The key in a cursor: ``length`` parts, floats or null, the last an id. Raises Invalid."""
    path: Path = ("after",)
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        key = None
    if not isinstance(key, list) or len(key) != length or not _is_key(*key):
        raise Invalid("not valid: after", [(path, "give the `next` of the page before")])
    *values, last = key
    # An integer that was tampered with may be one that no database takes.
    return [*(None if value is None else float(value) for value in values), last]


def _is_key(*key: Any) -> bool:
    *values, last = key
    is_id = type(last) is int and 0 <= last < 2**31
    return is_id and all(value is None or is_number(value) for value in values)
