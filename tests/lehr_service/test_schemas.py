"""Schemas that workers send: held against parameters, and not for longer than a check may take."""

import pytest

from lehr.wire.space import Choice
from lehr_service.errors import Invalid
from lehr_service.operations import schemas


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(schemas, "_MOST_STEPS", 2000)


def parameters(**values):
    return {name: Choice(tuple(given)) for name, given in values.items()}


def doubling(levels):
    """Each definition asks twice for the one before."""
    definitions = {"d0": {"type": "integer"}}
    for level in range(1, levels + 1):
        twice = [{"$ref": f"#/$defs/d{level - 1}"}] * 2
        definitions[f"d{level}"] = {"allOf": twice}
    return {"$defs": definitions, "properties": {"x": {"$ref": f"#/$defs/d{levels}"}}}


def test_a_schema_refuses_what_it_does_not_take():
    schema = {"properties": {"x": {"type": "integer"}}, "additionalProperties": False}
    found = schemas.refusals(schema, parameters(x=[1, "a"], y=[1]))
    assert [path[-1] for path, _ in found] == ["x", "y"]
    assert schemas.refusals(schema, parameters(x=[1, 2])) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"x": {"pattern": "^(a+)+$"}}},
        {"patternProperties": {"^(a+)+$": {}, "x": False}, "additionalProperties": False},
        {"$ref": "#/$defs/d", "$defs": {"d": {"propertyNames": {"pattern": "^(a+)+$"}}}},
        {"unevaluatedProperties": False},
    ],
)
def test_patterns_may_backtrack_for_years_and_are_not_looked_at(schema):
    schemas.check({"task": schema})
    assert schemas.refusals(schema, parameters(x=["aaa!"])) == []


def test_parameters_may_be_named_like_keywords():
    schema = {"properties": {"pattern": {"type": "integer"}}}
    assert schemas.refusals(schema, parameters(pattern=["a"]))


def test_references_that_double_are_given_up(hurried):
    schemas.check({"task": doubling(5)})
    assert schemas.refusals(doubling(5), parameters(x=["a"]))
    with pytest.raises(Invalid) as refused:
        schemas.check({"task": doubling(20)})
    ((path, message),) = refused.value.fields
    assert path == ("tasks", "task")
    assert "too many steps" in message
    assert schemas.refusals(doubling(20), parameters(x=[1])) == []


def test_another_drafts_keywords_are_counted_too(hurried):
    draft = {"$schema": "http://json-schema.org/draft-07/schema#"}
    schema = doubling(20)
    for name, definition in schema["$defs"].items():
        schema["$defs"][name] = definition | draft
    with pytest.raises(Invalid):
        schemas.check({"task": schema})


def test_all_schemas_of_a_worker_have_a_limit():
    tasks = {f"task{number}": {"allOf": [True] * 2500} for number in range(4)}
    with pytest.raises(Invalid) as refused:
        schemas.check(tasks)
    assert refused.value.fields[0][0] == ("tasks",)
