"""What a definition file may hold, and what is said about one that cannot be read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lehr.definitions import DefinitionUnreadable, load_definition, read_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("-2.5e+3", -2500.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.inf", -math.inf),
        ("7", 7),
        ("-7", -7),
        ("010", 10),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("off", "off"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2h", "2h"),
        ("2026-01-02", "2026-01-02"),
        ("'1'", "1"),
        ("e3", "e3"),
        ("sgd", "sgd"),
        ("[1, 2.5, relu]", [1, 2.5, "relu"]),
        ("{epochs: 2}", {"epochs": 2}),
    ],
)
def test_words_are_read_by_yaml_1_2(text: str, value: Any) -> None:
    read = read_value(text)
    assert read == value
    assert type(read) is type(value)


def test_not_a_number_is_read_as_that() -> None:
    assert math.isnan(read_value(".nan"))


_TEXTS = st.text(st.characters(codec="utf-8"))
_KEYS = st.text(st.characters(codec="utf-8"), max_size=80)  # YAML's have 1,024, escapes included
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES, st.sampled_from([None, 1, "\t"]))
def test_all_json_is_read_as_json(value: Any, indent: Any) -> None:
    assert read_value(json.dumps(value, indent=indent)) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "file.yaml:3: the key 'a' is given twice"),
        ("a:\n  b: 1\n  b: 1\n", "file.yaml:3: the key 'b' is given twice"),
        ('{"a": 1,\n "a": 2}', "file.yaml:2: the key 'a' is given twice"),
        ("a: 1\nb: !!python/name:os.system\n", "file.yaml:2: the tag .* is not allowed here"),
        ("a: !!binary aGk=\n", "file.yaml:1: the tag .* is not allowed here"),
        ("a: 1\n2: b\n", "file.yaml:2: a key must be text, got 2"),
        ("? [a]\n: b\n", "file.yaml:1: a key must be text"),
        ("a: [1,\nb: 2\n", "file.yaml:3: "),
        ("a: 1\n\tb: 2\n", "file.yaml:2: "),
        ("a: !!int [1]\n", "file.yaml:1: a single value is expected here"),
        ("!!map [a]\n", "file.yaml:1: a mapping is expected here"),
        ("!!seq {a: b}\n", "file.yaml:1: a list is expected here"),
        ("a: &x [*x]\n", "file.yaml:1: "),
        ("a: 1\n---\nb: 1\n", "file.yaml:2: "),
        (f"a: {'9' * 5000}\n", "file.yaml:1: cannot read"),
        ("[" * 5000, "nested too deeply"),
        ("a: \x07", "file.yaml: "),
        ('a: "\\ud800"', "file.yaml:1: cannot read"),
        ("", "file.yaml: is empty; a mapping"),
        ("- a\n", r"file.yaml: holds \['a'\]; a mapping"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(text)
    with pytest.raises(DefinitionUnreadable, match=message):
        load_definition(str(file))


def test_a_json_file_is_judged_as_json(tmp_path: Path) -> None:
    file = tmp_path / "study.json"
    file.write_text('{"a": 1,\n "b": 2,\n}')
    with pytest.raises(
        DefinitionUnreadable, match=r"study\.json:(2|3): .*(property name|trailing comma)"
    ):
        load_definition(str(file))


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: a\n")
    assert load_definition(str(file)) == {"name": "a"}


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DefinitionUnreadable, match=r"none\.yaml: No such file"):
        load_definition(str(tmp_path / "none.yaml"))
    with pytest.raises(DefinitionUnreadable, match="Is a directory"):
        load_definition(str(tmp_path))
    (tmp_path / "latin").write_bytes(b"name: \xe9")
    with pytest.raises(DefinitionUnreadable, match="is not UTF-8 text"):
        load_definition(str(tmp_path / "latin"))
