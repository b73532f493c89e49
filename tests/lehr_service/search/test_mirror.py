"""What a mirror does besides what Optuna does."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from lehr.wire.trials import TrialState
from lehr_service.search import Mirror, SearchError, TrialSnapshot
from lehr_service.search.samplers import trial_seed

from .stories import CONDITIONAL, GRID, SEED, define


def test_seeds_of_trials_stay_what_they_are() -> None:
    """A study that a server of an earlier version began continues as it would have."""
    assert [trial_seed(7, n) for n in range(3)] == [1664739778, 1207947808, 3697423975]


def test_a_failed_ask_changes_nothing() -> None:
    point = {"optimizer": "sgd", "sgd.learning_rate": 0.1, "x": 1, "y": 0.4}
    mirror, other = (Mirror(define(GRID, sampler="grid"), "s", SEED) for _ in range(2))
    for each in (mirror, other):
        each.ask()
        each.enqueue({"x": 1})  # what check_enqueued refuses
        each.report(0, 0, 0.5)
    with pytest.raises(SearchError, match="the sampler grid failed: All parameters must be"):
        mirror.ask(1)
    assert mirror.take_changes() == other.take_changes()
    assert [mirror.enqueue(point), other.enqueue(point)] == [2, 2]
    assert mirror.ask(2) == other.ask(2)
    assert mirror.ask() == other.ask()
    with pytest.raises(SearchError, match="trial 0 is not waiting"):
        mirror.ask(0)


def test_waiting_trials_start_in_any_order_or_not_at_all() -> None:
    mirror = Mirror(define(CONDITIONAL), "s", SEED)
    layers = {mirror.enqueue({"layers": n}): n for n in (1, 3, 5)}
    assert mirror.ask(2).params["layers"] == layers[2]
    assert mirror.ask().number == 3
    assert mirror.ask(0).params["layers"] == layers[0]
    mirror.tell(1, TrialState.FAIL, None)
    assert mirror.ask().number == 4


def test_snapshots_have_no_gap() -> None:
    late = TrialSnapshot(1, TrialState.WAITING, None, {}, None, {}, {})
    with pytest.raises(SearchError, match="trial 0 is missing before trial 1"):
        Mirror(define(CONDITIONAL), "s", SEED).load([late], {})


RATE = {"optimizer": {"sgd": {"learning_rate": {"low": 1e-4, "high": 1.0, "log": True}}}}


def failing(reason: str, good_set: str = "complete") -> tuple[list[TrialSnapshot], Mirror]:
    """Sixty trials, those above a rate of 0.01 failed, and the mirror that asked for them."""
    mirror, rows = Mirror(define(RATE, sampler={"name": "tpe", "good_set": good_set}), "s", 3), []
    for number in range(60):
        params = mirror.ask().params
        rate = params["sgd.learning_rate"]
        fails = rate > 1e-2
        state = TrialState.FAIL if fails else TrialState.COMPLETE
        values, why = (None, reason) if fails else ([-rate], None)
        mirror.tell(number, state, values, why)
        rows.append(TrialSnapshot(number, state, params, {}, values, {}, {}, why))
    return rows, mirror


def complete(rows: list[TrialSnapshot]) -> int:
    return sum(row.state is TrialState.COMPLETE for row in rows)


def test_what_diverges_is_avoided_and_what_fails_otherwise_says_nothing() -> None:
    diverged, errors = failing("diverged")[0], failing("error")[0]
    assert complete(diverged) > 2 * complete(errors)
    assert failing("out_of_memory")[1].ask() == failing("diverged")[1].ask()
    plain = failing("error", good_set="all")[0]
    assert failing("diverged", good_set="all")[0] == [
        replace(row, reason=row.reason and "diverged") for row in plain
    ]


def test_a_mirror_from_the_database_avoids_the_same() -> None:
    rows, mirror = failing("diverged")
    other = Mirror(define(RATE), "s", 3)
    other.load(rows, {})
    assert other.ask() == mirror.ask()


def completed(mirror: Mirror, *values: float) -> None:
    """One complete trial for each value, which it reported at steps 0, 1 and 2."""
    for value in values:
        number = mirror.ask().number
        for step in range(3):
            mirror.report(number, step, value)
        mirror.tell(number, TrialState.COMPLETE, [value])


def judged(mirror: Mirror, *values: float | None) -> tuple[str, str]:
    """The verdict on the last of a new trial's reports."""
    number = mirror.ask().number
    for step, value in enumerate(values):
        mirror.report(number, step, value)
    decision = mirror.judge(number)
    return decision.word, decision.reason


@pytest.mark.parametrize(
    ("pruner", "values", "reason"),
    [
        (
            {"name": "median"},
            [0.9, 0.8],
            "the median pruner: 0.8, the best up to step 1, is above the median 0.3 of 5 trials "
            "there",
        ),
        (
            {"name": "percentile", "percentile": 25},
            [0.4],
            "the percentile pruner: 0.4, the best up to step 0, is above 0.2, "
            "where the best 25 % of 5 trials there end",
        ),
        (
            {"name": "threshold", "lower": 0.1},
            [0.2, 0.05],
            "the threshold pruner: 0.05 at step 1 is below 0.1",
        ),
        (
            {"name": "threshold", "upper": 0.9},
            [None],
            "the threshold pruner: the value at step 0 is not a number",
        ),
        (
            {"name": "patient", "patience": 1, "wrapped_pruner": {"name": "median"}},
            [0.4, 0.5, 0.6],
            "the patient pruner: no gain of more than 0 in the last 2 steps up to step 2; "
            "the median pruner: 0.4, the best up to step 2, is above the median 0.3 of 5 trials "
            "there",
        ),
        (
            {"name": "hyperband", "reduction_factor": 9},
            [0.8, 0.9],
            "the hyperband pruner: 0.9 at step 1 is not among the best 1 in 9 of the trials that "
            "came to this rung",
        ),
    ],
)
def test_a_prune_says_why(pruner: dict[str, Any], values: list[float | None], reason: str) -> None:
    mirror = Mirror(define(CONDITIONAL, sampler="random", pruner=pruner), "s", SEED)
    for value in (0.1, 0.2, 0.3, 0.4, 0.5):
        completed(mirror, value)
        if pruner["name"] == "hyperband":
            judged(mirror, value, value)
    assert judged(mirror, *values) == ("prune", reason)


def test_going_on_has_a_reason_too() -> None:
    mirror = Mirror(define(CONDITIONAL, pruner="median"), "s", SEED)
    assert judged(mirror, 0.1) == ("continue", "the median pruner lets it go on at step 0")
    by_default = Mirror(define(CONDITIONAL), "s", SEED)
    assert judged(by_default, 0.1) == ("continue", "the forecast lets it go on at step 0")
    free = Mirror(define(CONDITIONAL, pruner="none"), "s", SEED)
    assert judged(free, 0.1) == ("continue", "no pruner judges this study")


@pytest.mark.parametrize(
    ("select", "word"), [("last", "prune"), ("best", "continue"), ("mean_of_last_3", "prune")]
)
def test_the_forecast_judges_what_a_trial_would_be_worth_if_it_ended(
    select: str, word: str
) -> None:
    """It led once, which counts where the best value does."""
    objective = {"metric": "loss", "direction": "minimize", "select": select}
    mirror = Mirror(define(CONDITIONAL, objective=objective), "s", SEED)
    completed(mirror, *[0.5] * 3)
    assert judged(mirror, 0.4, 0.9, 0.9)[0] == word


def test_a_trial_that_starts_again_is_judged_where_it_is() -> None:
    mirror = Mirror(define(CONDITIONAL, pruner={"name": "threshold", "upper": 1.0}), "s", SEED)
    number = mirror.ask().number
    mirror.report(number, 0, 0.5)
    mirror.report(number, 1, 2.0)  # the worker is lost; another begins anew
    mirror.report(number, 0, 0.6)
    assert mirror.judge(number).word == "continue"
    mirror.report(number, 1, 0.7)
    assert mirror.judge(number).word == "continue"
    mirror.report(number, 2, 3.0)
    assert mirror.judge(number).word == "prune"


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_narrowed_mirror_searches_as_if_the_bounds_had_been_given(sampler: str) -> None:
    given = {"adam": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}}
    tested = {"adam": {"learning_rate": {"range_test": {}}}}
    plain, narrowed = (
        Mirror(define({"optimizer": space}, sampler=sampler), "s", SEED)
        for space in (given, tested)
    )
    narrowed.narrow({"adam.learning_rate": (1e-4, 1e-2)})
    told = narrowed.take_changes().study
    assert told is not None
    hydrated = Mirror(define({"optimizer": tested}, sampler=sampler), "s", SEED)
    hydrated.load([], told)
    for index in range(14):
        asked = [mirror.ask() for mirror in (plain, narrowed, hydrated)]
        assert asked[0] == asked[1] == asked[2]
        for mirror in (plain, narrowed, hydrated):
            mirror.tell(index, TrialState.COMPLETE, [math.sin(index)])


def test_a_given_rate_beside_the_bounds_is_seen_at_the_nearest() -> None:
    """By the mirror that narrows, by one that catches up, and by one that is made later."""
    definition = define({"optimizer": {"adam": {"learning_rate": {"range_test": {}}}}})
    first, second, third = (Mirror(definition, "s", SEED) for _ in range(3))
    given = {"adam.learning_rate": 0.5}
    row = TrialSnapshot(0, TrialState.WAITING, None, given, None, {}, {})
    first.enqueue(given)
    second.load([row], {})
    first.narrow({"adam.learning_rate": (1e-4, 1e-2)})
    told = first.take_changes().study or {}
    second.load([], told)
    third.load([row], told)
    assert [mirror.ask(0).params["adam.learning_rate"] for mirror in (first, second, third)] == [
        1e-2
    ] * 3
