"""A valid definition with something changed at a random place: taken whole or refused whole."""

import copy
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lehr.wire.studies import StudyDefinition

from .refusals import JSON, STUDIES, refusal

# A valid definition with something changed at a random place.

PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["1e-3", "tpe", "grid", "per_trial", "2h", "\ud800", "\x00", 0, 1, -1, 0.5]),
)
RANGE_KEYS = st.sampled_from(["low", "high", "log", "step", "int", "epochs", "updates"])
ANY = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(RANGE_KEYS | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value, path=()):
    """Every place in a JSON value, the whole first."""
    yield path
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(child, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


@st.composite
def mutations(draw, valid):
    """A valid definition with one to three changes: a value replaced, a key gone, a key new."""
    changed = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([p for p in places(changed) if p]))
        holder, key = at(changed, path[:-1]), path[-1]
        act = draw(st.sampled_from(["replace", "remove", "add"]))
        if act == "replace":
            holder[key] = draw(ANY)
        elif act == "remove":
            del holder[key]
        elif isinstance(holder, dict):
            holder[draw(RANGE_KEYS | st.text(max_size=4))] = draw(ANY)
        else:
            holder.insert(key, draw(ANY))
        if not changed:
            break
    return changed


def leads_somewhere(path, sent):
    """Whether a dotted path names a place in what was sent, or what is missing from one."""
    if path in ("", "[key]"):
        return True
    if isinstance(sent, dict):
        inside = [key for key in sent if f"{path}.".startswith(f"{key}.")]
        deeper = (leads_somewhere(path[len(key) + 1 :], sent[key]) for key in inside)
        return any(deeper) or "." not in path
    if isinstance(sent, list):
        index, _, rest = path.partition(".")
        return (
            index.isdigit() and int(index) < len(sent) and leads_somewhere(rest, sent[int(index)])
        )
    return sent is None or path == "name"  # of a sampler or pruner given by its name alone


VALID = {
    "name": "mutated",
    "task": "task",
    "objective": {"metric": "loss", "direction": "minimize", "select": "best"},
    "search_space": {
        "optimizer": {
            "sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": True}},
            "adam": {
                "learning_rate": {"range_test": {"updates": 20, "seeds": 1}},
                "beta_1": [0.9, 0.95],
            },
        },
        "schedule": {
            "cosine": {"alpha": {"low": 0.0, "high": 0.1, "step": 0.05}},
            "exponential": {"decay_steps": {"epochs": 2}, "decay_rate": 0.9},
            "piecewise_constant": {"boundaries": [0.5, 0.75], "factors": [1, 0.1, 0.01]},
        },
        "warmup": {"low": 0.0, "high": 0.1},
        "parameters": {"batch_size": [32, 64], "width": {"low": 1, "high": 64, "int": True}},
    },
    "training": {"epochs": 10, "seed": 7},
    "sampler": {"name": "tpe", "seed": 7, "n_startup_trials": 5},
    "pruner": {"name": "patient", "patience": 1, "wrapped_pruner": {"name": "median"}},
    "limits": {"max_trials": 5, "timeout": "2h", "target": 0.9},
    "retry": {"max_attempts": 3},
    "weight": 1.0,
    "labels": {"team": "vision"},
}


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sent=mutations(VALID))
def test_a_definition_changed_at_random_is_taken_whole_or_refused_whole(quick, simulated, sent):
    body = json.dumps(sent)
    answer = quick.post(STUDIES, content=body, headers=JSON)
    if answer.status_code == 201:
        name = answer.json()["name"]
        shown = quick.get(f"{STUDIES}/{name}").json()
        expected = StudyDefinition.model_validate(sent).model_dump(mode="json")
        assert shown["definition"] == answer.json()["definition"] == expected
        again = quick.post(STUDIES, content=json.dumps(expected), headers=JSON)
        assert again.status_code == 200
        worker = simulated(quick, tasks={expected["task"]: {}}, abilities=["range_test"])
        lease = worker.claim()
        while lease and "kind" in lease:
            flat = [{"seed": s, "losses": [1.0] * lease["updates"]} for s in lease["seeds"]]
            assert worker.send(lease, "range_test", curves=flat).status_code == 200
            lease = worker.claim()
        if lease:  # a timeout of microseconds has passed
            worker.report(lease, 0, 0.5)
        assert quick.post(f"{STUDIES}/{name}/cancel").status_code in (200, 409)
        assert quick.delete(f"{STUDIES}/{name}").status_code == 204
        return
    error = refusal(answer, 400 if "\\u0000" in body or "\\ud800" in body else 422)
    assert error.code == "malformed" or error.fields
    for field in error.fields:
        assert leads_somewhere(field.path, sent), (field, sent)
    assert quick.get(STUDIES).json()["items"] == []
