"""What all wire models share: durations, moments, measured values, text, problems."""

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lehr.wire.base import (
    Duration,
    Measured,
    Moment,
    Name,
    Number,
    Problems,
    Text,
    Wire,
    one_of,
    parse_duration,
)

NO_DURATIONS = [
    *("", "2", "2x", "h", "2 h", "-2h", "2h ", "1e3s", "3651d", "9" * 400 + "s"),
    *(0, -1, math.nan, math.inf, 10**400, -(10**400), True, None, [], {}),
]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (90, 90.0),
        (0.5, 0.5),
        ("90s", 90.0),
        ("2h", 7200.0),
        ("1h30m", 5400.0),
        ("1.5m", 90.0),
        ("250ms", 0.25),
        ("3650d", 3650 * 86400.0),
    ],
)
def test_durations_are_read(written, seconds):
    assert parse_duration(written) == seconds


@pytest.mark.parametrize("written", NO_DURATIONS)
def test_no_durations(written):
    with pytest.raises(ValidationError, match=r"seconds as a number|above 0 and at most 10 years"):
        TypeAdapter(Duration).validate_python(written)


@given(st.integers(1, 10**6), st.sampled_from(["ms", "s", "m"]))
def test_a_duration_is_a_count_of_its_unit(count, unit):
    assert parse_duration(f"{count}{unit}") == count * {"ms": 0.001, "s": 1.0, "m": 60.0}[unit]


def test_measured_values_that_are_no_numbers_are_null():
    measured = TypeAdapter(Measured)
    for value in (math.nan, math.inf, -math.inf, None):
        assert measured.validate_python(value) is None
    assert measured.validate_python(1) == 1.0


@pytest.mark.parametrize("kind", [Number, Measured])
@pytest.mark.parametrize("value", ["0.5", "NaN", True, 10**400, [], {}])
def test_what_is_no_number_is_refused(kind, value):
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


def test_moments_are_utc_and_end_in_z():
    moment = TypeAdapter(Moment)
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    east = noon.astimezone(timezone(timedelta(hours=9)))
    for same in (noon, east, noon.replace(tzinfo=None), "2026-01-01T12:00:00Z"):
        assert moment.validate_python(same) == noon
    assert moment.dump_json(moment.validate_python(east)) == b'"2026-01-01T12:00:00Z"'


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "x\udfff"])
def test_text_that_cannot_be_stored_is_refused(text):
    with pytest.raises(ValidationError):
        TypeAdapter(Text).validate_python(text)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00")))
def test_all_other_text_is_taken_as_it_is(text):
    assert TypeAdapter(Text).validate_python(text) == text


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", "ä", "a" * 101, "a\n", "\x00"])
def test_names_of_studies(name):
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(name)
    assert TypeAdapter(Name).validate_python("a-b_c.9") == "a-b_c.9"


def test_models_are_frozen_and_refuse_unknown_fields():
    class Point(Wire):
        x: int

    with pytest.raises(ValidationError, match="frozen"):
        Point(x=1).x = 2
    with pytest.raises(ValidationError, match="Extra inputs"):
        Point.model_validate({"x": 1, "y": 2})


def test_problems_are_raised_together_with_their_paths():
    problems = Problems()
    problems.raise_if_any()
    problems.add(("a", 0), "is {wrong}")
    problems.add((), "is wrong too")
    with pytest.raises(ValidationError) as caught:
        problems.raise_if_any()
    found = [(error["loc"], error["msg"]) for error in caught.value.errors()]
    assert found == [(("a", 0), "is {wrong}"), ((), "is wrong too")]


def test_lists_of_names_in_messages():
    assert [one_of("a"), one_of("ab"), one_of("abc")] == ["a", "a or b", "a, b or c"]
