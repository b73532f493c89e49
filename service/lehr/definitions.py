"""Reads study definitions: YAML 1.2's core types, or JSON, from a file or standard input."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from lehr.errors import LehrError

STDIN = "-"
_MOST_VALUES = 100_000
_TAB = "a tab begins a value or indents a line; YAML takes spaces only"


class DefinitionUnreadable(LehrError):
    """The file is not there, or is neither YAML nor JSON; the message names file and line."""


def load_definition(file: str) -> dict[str, Any]:
    """The mapping that a YAML or JSON file holds; ``-`` reads standard input.

    Raises DefinitionUnreadable.
    """
    return read_definition(_read(file), "standard input" if file == STDIN else file)


def read_definition(text: str, source: str) -> dict[str, Any]:
    """The mapping that a YAML or JSON text holds; messages name its ``source``.

    Raises DefinitionUnreadable.
    """
    read = _parse(text, source)
    if not isinstance(read, dict):
        what = "is empty" if read is None else f"holds {read!r:.40}"
        raise DefinitionUnreadable(f"{source}: {what}; a mapping with name, task, ... is expected")
    return read


def read_value(text: str) -> Any:
    """One value as YAML reads it: ``1e-3`` is a number, ``true`` a truth value, ``[1, 2]`` a list.

    Raises DefinitionUnreadable.
    """
    return _parse(text, repr(text))


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == STDIN else Path(file).read_text("utf-8-sig")
    except OSError as error:
        raise DefinitionUnreadable(f"{file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DefinitionUnreadable(f"{file}: is not UTF-8 text") from error


def _parse(text: str, source: str) -> Any:
    try:
        return yaml.load(_without_tabs(text, source), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}" if mark else source
        said = _TAB if "'\\t'" in (error.problem or "") else error.problem or error.context
        raise DefinitionUnreadable(f"{place}: {said}") from error
    except yaml.YAMLError as error:
        raise DefinitionUnreadable(f"{source}: {error}") from error
    except RecursionError as error:
        raise DefinitionUnreadable(f"{source}: is nested too deeply") from error


def _without_tabs(text: str, source: str) -> str:
    """JSON may be indented by tabs, YAML may not; no tab is part of a value in JSON."""
    try:
        json.loads(text)
    except ValueError as error:
        if source.endswith(".json") and isinstance(error, json.JSONDecodeError):
            raise DefinitionUnreadable(f"{source}:{error.lineno}: {error.msg}") from error
        return text
    except RecursionError:
        return text
    return text.replace("\t", " ")


class _Loader(yaml.SafeLoader):
    """YAML without tags that make objects and without keys that are given twice.

    PyYAML reads by YAML 1.1, where ``1e-3`` is text, ``010`` is eight and ``no`` is false.
    """

    def construct_document(self, node: yaml.Node) -> Any:
        if _size(node, {}) > _MOST_VALUES:
            raise _wrong(node, f"aliases make more than {_MOST_VALUES:,} values of this")
        return super().construct_document(node)

    def mapping(self, node: yaml.Node) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise _wrong(node, "a mapping is expected here")
        read: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _wrong(key_node, f"a key must be text, got {key!r:.80}")
            if key in read:
                raise _wrong(key_node, f"the key {key!r:.80} is given twice")
            read[key] = self.construct_object(value_node, deep=True)
        return read

    def sequence(self, node: yaml.Node) -> list[Any]:
        if not isinstance(node, yaml.SequenceNode):
            raise _wrong(node, "a list is expected here")
        return [self.construct_object(item, deep=True) for item in node.value]

    def refuse(self, node: yaml.Node) -> None:
        raise _wrong(node, f"the tag {node.tag!r:.80} is not allowed here")


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for; what has several aliases counts for each."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = 1  # of itself, should it be in itself
    children = [part for child in _children(node) for part in child]
    known[id(node)] = 1 + sum(_size(child, known) for child in children)
    return known[id(node)]


def _children(node: yaml.Node) -> list[tuple[yaml.Node, ...]]:
    if isinstance(node, yaml.MappingNode):
        return list(node.value)
    return [(child,) for child in node.value] if isinstance(node, yaml.SequenceNode) else []


def _wrong(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _scalar(convert: Any) -> Any:
    def construct(loader: _Loader, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise _wrong(node, "a single value is expected here")
        try:
            return convert(node.value)
        except ValueError as error:
            raise _wrong(node, f"cannot read {node.value!r:.40}: {error}") from error

    return construct


def _text(text: str) -> str:
    """JSON writes characters beyond U+FFFF as two escapes, which YAML leaves apart."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _number(text: str) -> float:
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


# What a word without quotes is, by YAML 1.2: the tag, its pattern, the characters it starts with.
_WORDS = (
    ("null", r"~|null|", ["~", "n", ""], lambda text: None),
    ("bool", r"true|True|false|False", list("tTfF"), lambda text: text.lower() == "true"),
    ("int", r"[-+]?[0-9]+", list("-+0123456789"), int),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan",
        list("-+.0123456789"),
        _number,
    ),
)
_TAG = "tag:yaml.org,2002:"

_Loader.yaml_implicit_resolvers = {}
_Loader.yaml_constructors = {}
for _name, _pattern, _starts, _convert in _WORDS:
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), _starts)
    _Loader.add_constructor(_TAG + _name, _scalar(_convert))
_Loader.add_constructor(_TAG + "str", _scalar(_text))
_Loader.add_constructor(_TAG + "map", _Loader.mapping)
_Loader.add_constructor(_TAG + "seq", _Loader.sequence)
_Loader.add_constructor(None, _Loader.refuse)
