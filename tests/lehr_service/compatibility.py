"""What of a newer server's OpenAPI document breaks clients and workers of an older one.

    python tests/lehr_service/compatibility.py     writes the document of this version, at a release

An older client sends what it knew and leaves out of answers what it does not know. So a request
may be taken more widely, never more narrowly; an answer may have more fields, none fewer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RELEASED = Path(__file__).with_name("openapi-0.1.json")
Schema = dict[str, Any]

_AT_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_AT_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems")


def breaks(old: Schema, new: Schema) -> list[str]:
    """One sentence for each change that an older client or worker does not survive."""
    return sorted(set(_Comparison(old, new).run()))


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new
        self._open: set[tuple[str, str, bool]] = set()  # pairs under comparison: schemas recur

    def run(self) -> Iterator[str]:
        for path, calls in self._old["paths"].items():
            for method, call in calls.items():
                name = f"{method.upper()} {path}"
                newer = self._new["paths"].get(path, {}).get(method)
                if newer is None:
                    yield f"{name}: removed"
                else:
                    yield from self._call(name, call, newer)

    def _call(self, name: str, old: Schema, new: Schema) -> Iterator[str]:
        yield from self._parameters(name, old, new)
        before, after = _content(old.get("requestBody")), _content(new.get("requestBody"))
        if after is not None and before is not None:
            yield from self._schemas(f"{name} request", before, after, sent=True)
        elif after is not None and new["requestBody"].get("required"):
            yield f"{name} request: a body is needed now"
        for status, answer in old["responses"].items():
            if not status.startswith("2"):
                continue
            newer = new["responses"].get(status)
            if newer is None:
                yield f"{name}: status {status} removed"
                continue
            before, after = _content(answer), _content(newer)
            if before is not None:
                yield from self._schemas(f"{name} {status}", before, after or {}, sent=False)

    def _parameters(self, name: str, old: Schema, new: Schema) -> Iterator[str]:
        def named(call: Schema) -> dict[str, Schema]:
            return {p["name"]: p for p in call.get("parameters", [])}

        before, after = named(old), named(new)
        for parameter, schema in before.items():
            if parameter not in after:
                yield f"{name}: parameter {parameter} removed"
            else:
                where = f"{name} parameter {parameter}"
                yield from self._schemas(
                    where, schema["schema"], after[parameter]["schema"], sent=True
                )
        for parameter in after.keys() - before.keys():
            if after[parameter].get("required"):
                yield f"{name}: parameter {parameter} is needed now"

    def _schemas(self, where: str, old: Schema, new: Schema, sent: bool) -> Iterator[str]:
        pair = (old.get("$ref", ""), new.get("$ref", ""), sent)
        if all(pair[:2]):
            if pair in self._open:
                return
            self._open.add(pair)
        yield from self._resolved(where, _resolve(self._old, old), _resolve(self._new, new), sent)
        self._open.discard(pair)

    def _resolved(self, where: str, old: Schema, new: Schema, sent: bool) -> Iterator[str]:
        if "anyOf" in old or "anyOf" in new:
            yield from self._variants(where, old, new, sent)
            return
        if not _same_type(old, new, sent):
            yield f"{where}: {_type(old)} has become {_type(new)}"
            return
        yield from _values(where, old, new, sent)
        if sent:
            yield from _bounds(where, old, new)
        yield from self._fields(where, old, new, sent)
        for part in ("items", "additionalProperties"):
            before, after = old.get(part), new.get(part)
            if isinstance(before, dict) and isinstance(after, dict):
                yield from self._schemas(f"{where}[]", before, after, sent)

    def _variants(self, where: str, old: Schema, new: Schema, sent: bool) -> Iterator[str]:
        """Whatever is sent must fit into one of those that are understood."""
        before, after = old.get("anyOf", [old]), new.get("anyOf", [new])
        given, understood = (before, after) if sent else (after, before)
        for one in given:
            pairs = ((one, other) if sent else (other, one) for other in understood)
            found = [list(self._schemas(where, *pair, sent)) for pair in pairs]
            if all(found):
                nearest = min(found, key=len)
                kinds = {_type(_resolve(self._new if not sent else self._old, one))}
                yield from nearest if len(understood) == 1 else [f"{where}: {kinds} fits no more"]

    def _fields(self, where: str, old: Schema, new: Schema, sent: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name in after:
                yield from self._schemas(f"{where}.{name}", schema, after[name], sent)
            else:
                yield f"{where}.{name}: removed"
        required = set(new.get("required", [])) - set(old.get("required", []))
        if sent:
            yield from (f"{where}.{name}: is needed now" for name in required)


def _values(where: str, old: Schema, new: Schema, sent: bool) -> Iterator[str]:
    before, after = _enum(old), _enum(new)
    if sent and after is not None:
        gone = set(before or []) - set(after) if before is not None else {"anything else"}
        yield from (f"{where}: {value} is not taken any more" for value in gone)
    if not sent and before is not None:
        more = set(after) - set(before) if after is not None else {"anything"}
        yield from (f"{where}: {value} is unknown to older ones" for value in more)


def _bounds(where: str, old: Schema, new: Schema) -> Iterator[str]:
    for word in _AT_MOST:
        if word in new and new[word] < old.get(word, float("inf")):
            yield f"{where}: {word} is {new[word]} now"
    for word in _AT_LEAST:
        if word in new and new[word] > old.get(word, float("-inf")):
            yield f"{where}: {word} is {new[word]} now"


def _enum(schema: Schema) -> list[Any] | None:
    found = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if found is None else [str(value) for value in found]


def _type(schema: Schema) -> str:
    return str(schema.get("type", "anything"))


def _same_type(old: Schema, new: Schema, sent: bool) -> bool:
    wider, narrower = (_type(new), _type(old)) if sent else (_type(old), _type(new))
    numbers = (wider, narrower) == ("number", "integer")
    return wider in (narrower, "anything") or numbers


def _content(part: Schema | None) -> Schema | None:
    found = (part or {}).get("content", {}).get("application/json", {}).get("schema")
    return found if isinstance(found, dict) else None


def _resolve(document: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def current() -> Schema:
    """This version's document, without what no program reads."""
    from lehr_service.app import create_app
    from lehr_service.settings import Settings

    document: Schema = _bare(create_app(Settings()).openapi())
    return document


def _bare(value: Any, of_names: bool = False) -> Any:
    if isinstance(value, list):
        return [_bare(each) for each in value]
    if not isinstance(value, dict):
        return value
    words = ("description", "summary", "title", "examples", "example", "tags", "operationId")
    return {
        name: _bare(each, of_names=name in ("properties", "schemas"))
        for name, each in value.items()
        if of_names or name not in words
    }


if __name__ == "__main__":
    RELEASED.write_text(json.dumps(current(), indent=1) + "\n")
    sys.stdout.write(f"{RELEASED}\n")
