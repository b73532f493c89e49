"""Learning-rate range tests: what the losses of a test suggest, and which rates to search.

A range test trains once while the learning rate grows from update to update, and looks at which
rates the loss falls fastest and at which it diverges (Smith 2017, "Cyclical Learning Rates for
Training Neural Networks", arXiv:1506.01186, section 3.3; there the rate grows linearly, here
exponentially, as in fast.ai's learning-rate finder). One test is noisy, so several seeds are
tested, and bounds come from what all of them suggest.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from lehr.errors import LehrError

SMOOTHING: Final = 0.98
"""Weight of the past in the smoothed loss."""

DIVERGENCE: Final = 4.0
"""A test ends where the smoothed loss is above so many times its best."""

LEFT_OUT: Final = 0.1
"""Share of the updates that nothing is read from: the first averages are of few batches."""

WIDENING: Final = math.sqrt(10.0)
"""Bounds reach so many times beyond the lowest and the highest suggestion: half a decade."""

FLAT: Final = 1e-9
"""A loss that falls by no more than this share of itself does not fall: that is rounding."""

LEAST_UPDATES: Final = 20


class NoSuggestion(LehrError):
    """The loss did not fall in the range that was tested; the message says what to change."""


@dataclass(frozen=True)
class Curve:
    """A range test with one seed, up to where it diverged."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]  # of the batch of each rate, before its update
    smoothed: tuple[float, ...]
    diverged_at: float | None  # the rate of the first loss that was cut off, None if none was
    updates: int  # that were made, those cut off included


@dataclass(frozen=True)
class Spread:
    """What one rule suggests for several seeds."""

    mean: float  # geometric
    low: float
    high: float


@dataclass(frozen=True)
class Bounds:
    """The learning rates to search, on a log scale."""

    low: float
    high: float


def growing_rates(start: float, end: float, updates: int) -> list[float]:
    """``start (end / start)^(i / (updates - 1))`` for update i: each a constant times the last.

    Raises ValueError, its message starting with the argument at fault.
    """
    if not 0.0 < start < math.inf:
        raise ValueError(f"start: must be above 0, got {start}")
    if not start < end < math.inf:
        raise ValueError(f"end: must be above start ({start}), got {end}")
    if updates < LEAST_UPDATES:
        raise ValueError(f"updates: must be at least {LEAST_UPDATES}, got {updates}")
    return [start * (end / start) ** (i / (updates - 1)) for i in range(updates)]


def cut(rates: Sequence[float], losses: Sequence[float]) -> Curve:
    """Smooth the losses of a test, and cut it off at divergence.

    With t from 1, ``a_t = 0.98 a_(t-1) + 0.02 loss_t``, ``a_0 = 0``, and the smoothed loss is
    ``a_t / (1 - 0.98^t)``. A test has diverged where this is not finite, or above 4 times its
    lowest value so far, the first tenth of the updates not counted: one lucky batch is no best. A
    loss that goes below 0 has no such limit. Source: fast.ai's learning-rate finder (Howard; Gugger
    2018, "How Do You Find A Good Learning Rate").
    """
    smoothed: list[float] = []
    average, best = 0.0, math.inf
    for count, loss in enumerate(losses, start=1):
        average = SMOOTHING * average + (1.0 - SMOOTHING) * loss
        value = average / (1.0 - SMOOTHING**count)
        if not math.isfinite(value) or value > DIVERGENCE * best > 0.0:
            break
        smoothed.append(value)
        if count > len(rates) * LEFT_OUT:
            best = min(best, value)
    kept = len(smoothed)
    diverged_at = rates[kept] if kept < len(losses) else None
    return Curve(
        tuple(rates[:kept]), tuple(losses[:kept]), tuple(smoothed), diverged_at, len(rates)
    )


def valley(rates: Sequence[float], smoothed: Sequence[float]) -> float:
    """The rate in the middle of the longest valley.

    The valley ends where the longest strictly falling subsequence of the smoothed losses ends (the
    first of equally long ones), and is as many updates long as this has elements. Source: fastai 2,
    ``SuggestionMethod.Valley``, proposed by N. Vepakomma (2021).
    """
    lowest: list[float] = []  # lowest[k]: least -loss that ends a falling subsequence of k + 1
    longest, end = 0, 0
    for index, loss in enumerate(smoothed):
        length = bisect_left(lowest, -loss)
        lowest[length : length + 1] = [-loss]
        if length + 1 > longest:
            longest, end = length + 1, index
    return rates[end - longest + 1 + longest // 2]


def steepest(rates: Sequence[float], smoothed: Sequence[float]) -> float:
    """The rate at which the smoothed loss falls fastest over the logarithm of the rate.

    Source: fastai 2, ``SuggestionMethod.Steep``; Gugger 2018. Here only the way down to the lowest
    loss counts: beyond it, where training breaks down, the loss jumps up and falls back steeply.
    """
    lowest = max(smoothed.index(min(smoothed)), 1)
    slopes = [
        (smoothed[i + 1] - smoothed[i]) / math.log(rates[i + 1] / rates[i]) for i in range(lowest)
    ]
    return rates[slopes.index(min(slopes))]


def tenth_of_minimum(rates: Sequence[float], smoothed: Sequence[float]) -> float:
    """A tenth of the rate at which the smoothed loss is lowest: there it is about to diverge.

    Source: Gugger 2018; fastai 2, ``SuggestionMethod.Minimum``.
    """
    return rates[smoothed.index(min(smoothed))] / 10.0


RULES: Final[Mapping[str, Callable[[Sequence[float], Sequence[float]], float]]] = MappingProxyType(
    {"valley": valley, "steepest": steepest, "minimum / 10": tenth_of_minimum}
)


def suggestions(curve: Curve) -> dict[str, float]:
    """The rate that each rule suggests for one curve. Raises NoSuggestion."""
    first = int(curve.updates * LEFT_OUT)
    rates, smoothed = curve.rates[first:], curve.smoothed[first:]
    if not smoothed or smoothed[0] - min(smoothed) <= FLAT * abs(smoothed[0]):
        if curve.diverged_at is None:
            raise NoSuggestion(f"the loss did not fall up to {curve.rates[-1]:.2g}; raise the end")
        raise NoSuggestion(
            f"the loss did not fall before it diverged at {curve.diverged_at:.2g}; lower the start"
        )
    return {name: rule(rates, smoothed) for name, rule in RULES.items()}


def spreads(curves: Sequence[Curve]) -> dict[str, Spread]:
    """What each rule suggests over the curves of several seeds; those that suggest nothing do not
    count. Raises NoSuggestion where none does."""
    suggested, nothing = [], NoSuggestion("there is no curve")
    for curve in curves:
        try:
            suggested.append(suggestions(curve))
        except NoSuggestion as error:
            nothing = error
    if not suggested:
        raise nothing
    return {name: _spread([rates[name] for rates in suggested]) for name in RULES}


def bounds(spread: Mapping[str, Spread], start: float, end: float) -> Bounds:
    """The rates to search after a test from ``start`` to ``end``.

    From the lowest to the highest rate that any rule suggests for any seed, widened by half a
    decade on both sides, and never beyond the rates that were tested. The rules disagree by about
    a decade and the seeds by about half of one, so a single suggestion is no bound. The widening
    is lehr's own choice: a schedule's best initial rate lies above the best constant one, and few
    seeds show less than the whole spread.
    """
    low = min(s.low for s in spread.values()) / WIDENING
    high = max(s.high for s in spread.values()) * WIDENING
    return Bounds(max(low, start), min(high, end))


def _spread(rates: Sequence[float]) -> Spread:
    mean = math.exp(math.fsum(map(math.log, rates)) / len(rates))
    return Spread(mean, min(rates), max(rates))
