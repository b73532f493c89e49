"""What Optuna would stumble over is named before it does."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from lehr_service.search import Mirror, SearchError, check_definition, check_enqueued
from lehr_service.search.quiet import quiet

from .stories import CONDITIONAL, GRID, TREE, define

MISSING = "required: a grid takes points with all parameters only"


@pytest.mark.parametrize(
    ("params", "name", "message"),
    [
        ({"lr": 0.1}, "lr", "unknown parameter; known are optimizer, "),
        ({"optimizer": "adamw"}, "optimizer", "must be one of 'sgd', 'adam', got 'adamw'"),
        ({"warmup": 0.2}, "warmup", "must be from 0 to 0.1, got 0.2"),
        ({"dropout": 0.3}, "dropout", "must be 0 plus a multiple of 0.2, got 0.3"),
        ({"layers": 2}, "layers", "must be 1 plus a multiple of 2, got 2"),
        ({"layers": 3.0}, "layers", "must be a whole number, got 3.0"),
        ({"widths": [16]}, "widths", "must be one of [8], [8, 16], [32], got [16]"),
        (
            {"sgd.learning_rate": 0.1},
            "sgd.learning_rate",
            "belongs to the optimizer sgd; give optimizer: sgd too",
        ),
        (
            {"schedule": "constant", "exponential.decay_rate": 0.6},
            "exponential.decay_rate",
            "belongs to the schedule exponential, but schedule is 'constant'",
        ),
    ],
)
def test_wrong_enqueued(params: dict[str, Any], name: str, message: str) -> None:
    [(path, text)] = check_enqueued(define(CONDITIONAL), params)
    assert path == ("params", name)
    assert text.startswith(message)


def test_a_grid_takes_whole_points_only() -> None:
    definition = define(GRID, sampler="grid")
    problems = check_enqueued(definition, {"x": 1, "sgd.learning_rate": 0.1})
    assert problems == [(("params", "y"), MISSING)]
    assert check_enqueued(definition, {"x": 1, "sgd.learning_rate": 0.1, "y": 0.4}) == []


def test_a_step_past_the_last_one_that_fits_is_refused() -> None:
    problems = check_enqueued(define(TREE), {"x": 0.7})
    assert problems == []
    uneven = {**TREE, "parameters": {"x": {"low": 0.0, "high": 1.0, "step": 0.3}}}
    assert check_enqueued(define(uneven), {"x": 0.9}) == []
    assert check_enqueued(define(uneven), {"x": 1.0})


@pytest.mark.parametrize(
    "params", [{}, {"widths": [8, 16]}, {"optimizer": "adam", "adam.learning_rate": 1}]
)
def test_enqueued_parameters_are_taken(params: dict[str, Any]) -> None:
    definition = define(CONDITIONAL)
    assert check_enqueued(definition, params) == []
    mirror = Mirror(definition, "s", 0)
    asked = mirror.ask(mirror.enqueue(params))
    assert params.items() <= asked.params.items()
    assert "dropout" in asked.params


def test_lists_and_texts_in_one_choice_stay_apart() -> None:
    space = {
        "optimizer": {"sgd": {"learning_rate": 0.1}},
        "schedule": {"exponential": {"decay_steps": [0.5, {"epochs": 2}], "decay_rate": 0.5}},
        "parameters": {"w": ["[8]", [8]]},
    }
    mirror = Mirror(define(space), "s", 0)
    for given in ({"w": "[8]"}, {"w": [8]}, {"exponential.decay_steps": {"epochs": 2}}):
        assert given.items() <= mirror.ask(mirror.enqueue(given)).params.items()


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        (
            {"sampler": {"name": "nsga2", "population_size": 2, "crossover": "undx"}},
            ("sampler",),
            "population size",
        ),
        (
            {"sampler": {"name": "cmaes", "use_separable_cma": True, "lr_adapt": True}},
            ("sampler",),
            "use_separable_cma",
        ),
        (
            {"sampler": {"name": "tpe", "multivariate": False, "group": True}},
            ("sampler",),
            "multivariate",
        ),
    ],
)
def test_options_that_do_not_go_together(
    fields: dict[str, Any], path: tuple[str, ...], message: str
) -> None:
    definition = define(CONDITIONAL, **fields)
    [(found, text)] = check_definition(definition)
    assert found == path
    assert message in text
    with pytest.raises(SearchError, match=message):
        Mirror(definition, "s", 0).ask()


@pytest.mark.parametrize("sampler", ["grid", "brute_force"])
def test_a_search_too_large_to_list_is_refused(sampler: str) -> None:
    wide = {"low": 0, "high": 999, "int": True}
    space = {
        "optimizer": {"sgd": {"learning_rate": 0.1}},
        "parameters": {"x": wide, "y": wide, "z": wide},
    }
    [(path, text)] = check_definition(define(space, sampler=sampler))
    assert path == ("sampler", "name")
    assert "1000000000 points" in text


def test_a_margin_needs_one_branch() -> None:
    sampler = {"name": "cmaes", "with_margin": True}
    assert check_definition(define(GRID, sampler=sampler)) == []
    [(path, _)] = check_definition(define(CONDITIONAL, sampler=sampler))
    assert path == ("sampler", "with_margin")


def test_a_range_that_gp_would_write_out_is_refused() -> None:
    space = {**GRID, "parameters": {"x": {"low": 1, "high": 10**9, "int": True}}}
    assert check_definition(define(space, sampler="tpe")) == []
    [(path, text)] = check_definition(define(space, sampler="gp"))
    assert path == ("search_space", "parameters", "x")
    assert text.startswith("has 1000000000 values")


@pytest.mark.parametrize("space", [CONDITIONAL, GRID, TREE])
def test_good_definitions_pass(space: dict[str, Any]) -> None:
    assert check_definition(define(space)) == []


def test_a_gpu_that_pytorch_cannot_use_is_nothing_to_warn_of():
    with quiet():
        warnings.warn("CUDA initialization: Unexpected error", UserWarning, stacklevel=1)
    with pytest.warns(UserWarning, match="else"), quiet():
        warnings.warn("something else", UserWarning, stacklevel=1)
