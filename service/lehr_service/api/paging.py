"""Cursors: opaque to clients, keyset inside."""

from __future__ import annotations

import base64
import json
from typing import Any

from lehr.wire.base import Path
from lehr_service.errors import Invalid


def encode(*key: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode(cursor: str, length: int) -> list[Any]:
    """The key in a cursor: ``length`` numbers (or null). Raises Invalid."""
    path: Path = ("after",)
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        key = None
    if not isinstance(key, list) or len(key) != length or not all(map(_is_key, key)):
        raise Invalid("not valid: after", [(path, "give the `next` of the page before")])
    return key


def _is_key(part: Any) -> bool:
    if isinstance(part, int) and not isinstance(part, bool):
        return abs(part) < 2**31
    return part is None or isinstance(part, float)
