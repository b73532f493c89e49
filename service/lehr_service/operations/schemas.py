"""JSON schemas of tasks' parameters, as workers send them.

Nobody can say beforehand how long a schema takes: patterns backtrack, references double with every
step. So patterns are left out, and a check that takes too many steps is given up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from jsonschema import Draft202012Validator, SchemaError
from jsonschema.validators import extend
from referencing import Registry

from lehr.wire.base import Path
from lehr.wire.space import Choice, Constant, Measure, Range, RangeTest, Value, Vector
from lehr_service.errors import Invalid

log = logging.getLogger(__name__)

_MOST_VALUES = 10_000  # in all schemas of a worker; a task of 100 parameters has about 500
_MOST_STEPS = 100_000  # of one check, keywords that are applied: a second or two
_LEFT_OUT: Mapping[str, type | tuple[type, ...]] = {  # unless it is a parameter's name
    "$schema": str,  # another one's keywords would be checked without counting
    "pattern": str,
    "patternProperties": dict,
    "unevaluatedItems": (dict, bool),
    "unevaluatedProperties": (dict, bool),
}


class _TooMuch(Exception):
    def __init__(self) -> None:
        super().__init__("to check it takes too many steps")


_left: ContextVar[list[int]] = ContextVar("left")  # steps of the check that is under way


def _counted(check: Callable[..., Any]) -> Callable[..., Any]:
    def checked(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[Any]:
        left = _left.get()
        left[0] -= 1 + (len(rule) // 100 if isinstance(rule, list | dict) else 0)
        if left[0] < 0:
            raise _TooMuch
        yield from check(validator, rule, instance, schema) or ()

    return checked


_Validator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {name: _counted(check) for name, check in Draft202012Validator.VALIDATORS.items()},
)


def check(tasks: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises Invalid unless each task has a schema that can be used."""
    if sum(map(_values, tasks.values())) > _MOST_VALUES:
        message = f"the schemas may have {_MOST_VALUES:,} values together"
        raise Invalid(message, [(("tasks",), message)])
    found = {name: _problem(schema) for name, schema in tasks.items()}
    wrong = [(("tasks", name), message) for name, message in found.items() if message]
    if wrong:
        raise Invalid("tasks must map each name to a JSON schema", wrong)


def _values(schema: Any) -> int:
    parts = schema.values() if isinstance(schema, Mapping) else schema
    return 1 + sum(map(_values, parts)) if isinstance(schema, Mapping | list) else 1


def _problem(schema: Mapping[str, Any]) -> str | None:
    _left.set([_MOST_STEPS])
    try:
        Draft202012Validator.check_schema(schema)
        names = schema.get("properties", {})
        list(_errors(schema, [dict.fromkeys(names, 0), {}]))
    except SchemaError as error:
        return f"is no JSON schema: {error.message}"
    except Exception as error:  # of a library, at what a stranger has sent
        return f"is no JSON schema that stands alone: {error}"
    return None


def refusals(
    schema: Mapping[str, Any], parameters: Mapping[str, Value]
) -> Sequence[tuple[Path, str]]:
    """What a schema has against values that the parameters may take, one problem a parameter.

    What is required is not looked at: a task has defaults for what a study leaves out. A schema
    that fails in use is the worker's, and forbids nothing.
    """
    wrong: list[tuple[Path, str]] = []
    _left.set([_MOST_STEPS])
    try:
        for name, value in parameters.items():
            message = next(_errors(schema, ({name: sample} for sample in _samples(value))), None)
            if message is not None:
                wrong.append((("search_space", "parameters", name), message))
    except Exception as error:
        log.warning("a task's schema cannot be used: %s", error)
        return []
    return wrong


def _errors(schema: Mapping[str, Any], instances: Any) -> Iterator[str]:
    """What is wrong with each. Raises whatever the library raises, and _TooMuch."""
    rules = {keyword: rule for keyword, rule in schema.items() if keyword != "required"}
    # An empty registry: nothing that a schema refers to is ever fetched.
    validator = _Validator(_bounded(rules), registry=Registry())
    for instance in instances:
        yield from (error.message for error in validator.iter_errors(instance))


def _bounded(schema: Any) -> Any:
    """Without what may take for ever to check."""
    if isinstance(schema, list):
        return [_bounded(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {n: _bounded(v) for n, v in schema.items() if not isinstance(v, _LEFT_OUT.get(n, ()))}
    if "patternProperties" in schema:
        kept.pop("additionalProperties", None)  # it would refuse what a pattern allows
    return kept


def _samples(value: Value) -> Iterator[Any]:
    """Values a parameter may take; of a range, its ends."""
    match value:
        case Constant(constant):
            yield constant
        case Choice(values):
            yield from values
        case Range(low, high):
            yield from (low, high)
        case RangeTest() | Vector() | Measure():
            return
