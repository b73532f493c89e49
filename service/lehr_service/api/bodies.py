"""The body of a request: read within a limit, and refused where it would be misread."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from starlette.types import Receive

from lehr_service.errors import Malformed, TooLarge

_DEEPEST = 32  # levels of objects and lists; a study definition has about 7


async def read_body(receive: Receive, limit: int, announced: str | None) -> bytes:
    """A body of at most ``limit`` bytes. Raises TooLarge, Malformed where the connection ends."""
    if announced is not None and announced.isdecimal() and int(announced) > limit:
        raise TooLarge(limit)
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed("the connection ended within the body")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise TooLarge(limit)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def checked_json(body: bytes) -> Any:
    """The value of a body; refuses JSON that would be misread or that no database can hold.

    Not UTF-8, a key given twice, deep nesting, NUL characters, lone surrogates. In strict UTF-8
    the last two can be written only as escapes, so a body without them needs no look at its text.
    """
    value = _parse(body)
    if body.count(b"[") + body.count(b"{") > _DEEPEST and _is_deeper(value, _DEEPEST):
        raise Malformed(f"the body is nested deeper than {_DEEPEST} levels")
    lowered = body.lower()
    if b"\\u0000" not in lowered and b"\\ud" not in lowered:
        return value
    if any("\x00" in t or any("\ud800" <= c <= "\udfff" for c in t) for t in _texts(value)):
        raise Malformed("text must not have NUL characters or lone surrogates")
    return value


def _parse(body: bytes) -> Any:
    try:
        return _READER.decode(body.decode())
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Malformed(f"the body is not valid JSON at {place}: {error.msg}") from None
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise Malformed("the body has a number of too many digits") from None
    except RecursionError:
        raise Malformed(f"the body is nested deeper than {_DEEPEST} levels") from None


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twin = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise Malformed(f"the key {twin!a:.80} is given twice in one object; give it once")
    return found


_READER = json.JSONDecoder(object_pairs_hook=_without_twins)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _is_deeper(value: Any, levels: int) -> bool:
    row = [value]
    for _ in range(levels):
        row = [child for parent in row for child in _children(parent)]
    return any(isinstance(element, dict | list) for element in row)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
    for child in _children(value):
        yield from _texts(child)
