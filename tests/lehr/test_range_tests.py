"""Smoothing, divergence, rules and bounds of range tests, against second formulas."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lehr.range_tests import (
    DIVERGENCE,
    RULES,
    WIDENING,
    NoSuggestion,
    bounds,
    cut,
    growing_rates,
    spreads,
    steepest,
    suggestions,
    tenth_of_minimum,
    valley,
)

LOSSES = st.lists(st.floats(1.0, 2.0), min_size=20, max_size=60)


def rates(count, start=1e-6, end=1.0):
    return growing_rates(start, end, count)


def bowl(count=200, lowest=0.1, noise=0.0, seed=0):
    """Losses that fall from 2.3 to 0.5 at the rate `lowest`, and rise from there."""
    x = np.log10(rates(count)) - math.log10(lowest)
    drawn = np.random.default_rng(seed).normal(0.0, noise, count)
    return list(2.3 - 1.8 * np.exp(-(x**2)) + drawn)


def test_rates_grow_by_a_constant_factor():
    grown = rates(25, 1e-5, 1e-1)
    assert (grown[0], grown[-1]) == (1e-5, pytest.approx(1e-1))
    np.testing.assert_allclose(grown, np.geomspace(1e-5, 1e-1, 25))


@pytest.mark.parametrize(
    ("start", "end", "updates", "said"),
    [
        (0.0, 1.0, 100, "start: "),
        (math.nan, 1.0, 100, "start: "),
        (0.1, 0.1, 100, "end: "),
        (0.1, math.inf, 100, "end: "),
        (0.1, 1.0, 19, "updates: "),
    ],
)
def test_a_range_that_cannot_be_is_refused(start, end, updates, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        growing_rates(start, end, updates)


@given(LOSSES)
def test_the_smoothed_loss_is_the_weighted_mean_of_all_so_far(losses):
    """Bias correction makes the weights 0.98^age, divided by their sum."""
    curve = cut(rates(len(losses)), losses)
    for count in range(1, len(losses) + 1):
        weights = 0.98 ** np.arange(count)[::-1]
        expected = np.average(losses[:count], weights=weights)
        assert curve.smoothed[count - 1] == pytest.approx(expected, rel=1e-9)
    assert curve.losses == tuple(losses)
    assert curve.diverged_at is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_follows_a_loss_that_is_no_number_is_cut(bad):
    grown = rates(40)
    curve = cut(grown, [1.0] * 30 + [bad] + [0.1] * 9)
    assert curve.rates == tuple(grown[:30])
    assert len(curve.losses) == len(curve.smoothed) == 30
    assert (curve.diverged_at, curve.updates) == (grown[30], 40)


def test_a_test_ends_above_four_times_its_best_and_not_at_it():
    # After 20 losses of 1, a loss x makes (S + 0.02 x) / (S + 0.02) with S = 1 - 0.98^20, times
    # 0.98: it is 4 at this x.
    past, now = (1 - 0.98**20) * 0.98, 0.02
    limit = (DIVERGENCE * (past + now) - past) / now
    assert cut(rates(21), [1.0] * 20 + [limit * (1 - 1e-9)]).diverged_at is None
    assert cut(rates(21), [1.0] * 20 + [limit * (1 + 1e-9)]).diverged_at == pytest.approx(1.0)


def test_a_loss_below_zero_has_no_limit():
    assert cut(rates(40), [-1.0] * 20 + [0.5] * 20).diverged_at is None


def longest_falling(losses):
    """Length and end of the longest strictly falling subsequence, by trying all pairs."""
    lengths = [1] * len(losses)
    for i in range(len(losses)):
        for j in range(i):
            if losses[i] < losses[j]:
                lengths[i] = max(lengths[i], lengths[j] + 1)
    return max(lengths), lengths.index(max(lengths))


@given(st.lists(st.integers(0, 12), min_size=20, max_size=60))
def test_valley_is_the_middle_of_the_longest_one(losses):
    grown = rates(len(losses))
    length, end = longest_falling(losses)
    assert valley(grown, losses) == grown[end - length + 1 + length // 2]


def test_valley_of_a_loss_that_only_falls_is_the_middle():
    grown = rates(21)
    assert valley(grown, list(range(21, 0, -1))) == grown[10]


@given(st.lists(st.integers(0, 1000), min_size=20, max_size=60))
def test_steepest_is_the_steepest_slope_over_log_rate_before_the_minimum(losses):
    grown = np.array(rates(len(losses)))
    before = slice(0, max(int(np.argmin(losses)), 1) + 1)
    slopes = np.diff(losses[before]) / np.diff(np.log(grown[before]))
    assert slopes[list(grown).index(steepest(list(grown), losses))] == pytest.approx(slopes.min())


def test_steepest_counts_by_the_logarithm_of_the_rate():
    assert steepest([1e-3, 1e-2, 2e-2, 4e-2], [4.0, 2.0, 1.0, 1.5]) == 1e-2


def test_a_fall_beyond_the_minimum_is_not_the_steepest():
    grown = rates(20)
    falling = [3.0, 2.0, *(1.9 - 0.1 * i for i in range(8))]
    assert steepest(grown, [*falling, *[9.0] * 5, *[2.0] * 5]) == grown[0]


def test_rules_find_a_bowl_where_it_is():
    """The smoothed loss lags about 50 updates, 1.5 decades, behind the bowl's own figures."""
    grown = rates(2000)
    losses = bowl(2000)
    # exp(-x^2) is steepest at x = -1 / sqrt(2); the lag is 49 of 333 updates in a decade.
    assert math.log10(steepest(grown, losses)) == pytest.approx(-1 - math.sqrt(0.5), abs=0.01)
    assert math.log10(tenth_of_minimum(grown, losses)) == pytest.approx(-2, abs=0.01)
    found = suggestions(cut(grown, losses))
    assert math.log10(found["minimum / 10"]) == pytest.approx(-2 + 49 / 333, abs=0.05)
    assert math.log10(found["steepest"]) == pytest.approx(-1.707 + 49 / 333, abs=0.05)
    assert found["valley"] < found["steepest"]


def test_the_first_tenth_is_not_looked_at():
    """Its averages are of a few batches: one lucky batch would be the minimum."""
    losses = bowl(200)
    lucky = cut(rates(200), [0.01, *losses[1:]])
    assert lucky.diverged_at is None
    assert min(lucky.smoothed) == lucky.smoothed[0]
    expected = suggestions(cut(rates(200), losses))["minimum / 10"]
    assert suggestions(lucky)["minimum / 10"] == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ([1.0 + 0.01 * i for i in range(40)], "raise the end"),
        ([0.7] * 40, "raise the end"),
        ([1.0] * 2 + [math.nan] * 38, "diverged at 2.*lower the start"),
        ([1.0 + 0.01 * i for i in range(30)] + [math.nan] * 10, "diverged at .*lower the start"),
    ],
)
def test_a_loss_that_never_falls_suggests_nothing(losses, said):
    with pytest.raises(NoSuggestion, match=said):
        suggestions(cut(rates(40), losses))


def test_the_spread_is_over_seeds():
    curves = [cut(rates(200), bowl(lowest=lowest)) for lowest in (0.01, 0.03, 0.1)]
    each = [suggestions(curve) for curve in curves]
    for rule, spread in spreads(curves).items():
        suggested = [one[rule] for one in each]
        assert (spread.low, spread.high) == (min(suggested), max(suggested))
        assert spread.mean == pytest.approx(np.prod(suggested) ** (1 / 3))
        assert spread.low < spread.mean < spread.high


def test_seeds_that_suggest_nothing_do_not_count():
    falls, rises = (cut(rates(200), losses) for losses in (bowl(), bowl()[100::-1] + [9.0] * 99))
    with pytest.raises(NoSuggestion):
        suggestions(rises)
    assert spreads([rises, falls, rises]) == spreads([falls])
    with pytest.raises(NoSuggestion, match="did not fall"):
        spreads([rises, rises])


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=4), st.floats(1e-3, 1.0))
def test_bounds_hold_every_suggestion_that_was_tested(seeds, lowest):
    curves = [cut(rates(200), bowl(lowest=lowest, noise=0.05, seed=seed)) for seed in seeds]
    search = bounds(spreads(curves), 1e-6, 1.0)
    suggested = [rate for curve in curves for rate in suggestions(curve).values()]
    assert 1e-6 <= search.low < search.high <= 1.0
    assert search.low == pytest.approx(max(min(suggested) / WIDENING, 1e-6))
    assert search.high == pytest.approx(min(max(suggested) * WIDENING, 1.0))


def test_every_rule_has_its_say():
    assert list(suggestions(cut(rates(200), bowl()))) == list(RULES)
