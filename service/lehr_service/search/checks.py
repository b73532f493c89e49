"""What is wrong with a study or a point before Optuna stumbles over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from lehr.wire.base import Path, all_of
from lehr.wire.errors import MOST_FIELDS
from lehr.wire.space import Range, SearchSpace, admits, is_conditional, searched
from lehr.wire.studies import StudyDefinition, path_of
from lehr_service.search.errors import SearchError
from lehr_service.search.pruners import build_pruner
from lehr_service.search.samplers import FINITE, build_sampler
from lehr_service.search.space import count, count_points, is_on_grid

LARGEST_SEARCH = 100_000  # values or points that a sampler may hold in memory at a time

Problem = tuple[Path, str]


def check_definition(definition: StudyDefinition) -> list[Problem]:
    """What Optuna would refuse, with its path in the definition; empty where all is well."""
    problems = [*_too_long(definition), *_too_many(definition), *_with_margin(definition)]
    if not problems:  # a sampler must not be built over a space that is too large
        problems += _refused("sampler", lambda: build_sampler(definition, seed=0, number=0))
    return problems + _refused("pruner", lambda: build_pruner(definition))


def _refused(field: str, build: Callable[[], object]) -> list[Problem]:
    try:
        build()
    except SearchError as error:
        return [((field,), str(error))]
    return []


def _too_long(definition: StudyDefinition) -> Iterator[Problem]:
    """Ranges of whole numbers or steps that Optuna's GP sampler would write out in memory."""
    if definition.sampler["name"] != "gp":
        return
    for name, value in searched(definition.space).items():
        discrete = isinstance(value, Range) and (value.integer or value.step is not None)
        if discrete and count(value) > LARGEST_SEARCH:
            path = ("search_space", *path_of(definition.space, name))
            yield path, f"has {count(value)} values; gp takes up to {LARGEST_SEARCH} in a range"


def _too_many(definition: StudyDefinition) -> Iterator[Problem]:
    """A grid or tree of more points than its sampler can list."""
    name = definition.sampler["name"]
    if name in FINITE and (points := count_points(definition.space)) > LARGEST_SEARCH:
        message = (
            f"the search space has {points} points, more than the {LARGEST_SEARCH} that {name} "
            "goes through; list fewer values, or take random"
        )
        yield ("sampler", "name"), message


def _with_margin(definition: StudyDefinition) -> Iterator[Problem]:
    """Optuna's CMA-ES with margin keeps points as long as the space was when they were asked."""
    if definition.sampler.get("with_margin") and is_conditional(definition.space):
        message = "cannot search branches with parameters of their own; leave it out"
        yield ("sampler", "with_margin"), message


def check_enqueued(definition: StudyDefinition, params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the parameters of a trial to enqueue, each with its path."""
    found = islice(_enqueued(definition, params), MOST_FIELDS)
    return [(("params", name), message) for name, message in found]


def _enqueued(definition: StudyDefinition, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    space = definition.space
    known = searched(space)
    for name, given in params.items():
        if name not in known:
            yield name, f"unknown parameter; known are {all_of(known) or 'none'}"
        elif message := _value_problem(known[name], given) or _branch_problem(space, name, params):
            yield name, message
    if definition.sampler["name"] == "grid":
        for name, value in known.items():
            if name not in params and count(value) > 1:
                yield name, "required: a grid takes points with all parameters only"


def _value_problem(value: Any, given: Any) -> str | None:
    message = admits(value, given)
    if message is None and isinstance(value, Range) and not is_on_grid(value, given):
        return f"must be {value.low:g} plus a multiple of {value.step:g}, got {given:g}"
    return message


def _branch_problem(space: SearchSpace, name: str, params: Mapping[str, Any]) -> str | None:
    prefix, _, argument = name.partition(".")
    for key, branches in (("optimizer", space.optimizer), ("schedule", space.schedule)):
        if not argument or prefix not in branches:
            continue
        chosen = params.get(key, prefix if len(branches) == 1 else None)
        if chosen is None:
            return f"belongs to the {key} {prefix}; give {key}: {prefix} too"
        if chosen != prefix:
            return f"belongs to the {key} {prefix}, but {key} is {chosen!r:.80}"
    return None
