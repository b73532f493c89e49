"""Grid and brute force end exactly when every point was handed out."""

from __future__ import annotations

import random
from typing import Any

import pytest

from lehr.wire.trials import TrialState
from lehr_service.search import Mirror, SearchError

from .stories import CONDITIONAL, GRID, TREE, MirrorSide, define

POINTS = {"grid": 2 * 3 * 3, "brute_force": (2 + 2 * 2) * 3}
SPACES = {"grid": GRID, "brute_force": TREE}
# The first is also what the second means: a number near a step is the step.
DUPLICATES = {
    "grid": [
        {"optimizer": "sgd", "sgd.learning_rate": 0.01, "x": 2, "y": 0.8},
        {"optimizer": "sgd", "sgd.learning_rate": 0.01, "x": 2, "y": 2 * 0.4},
    ],
    "brute_force": [
        {"optimizer": "sgd", "sgd.learning_rate": 0.01, "x": 0.4},
        {"optimizer": "sgd", "sgd.learning_rate": 0.01, "x": 0.1 + 0.3},
        {"optimizer": "adam"},
    ],
}


def hand_out(side: MirrorSide, chance: random.Random) -> list[tuple[Any, ...]]:
    """Ask until exhausted, with trials that end in between; the points in order."""
    points: list[tuple[Any, ...]] = []
    running: list[int] = []
    while not side.catch_up(side.new()).is_exhausted():
        number, params = side.ask()
        points.append(tuple(params.items()))
        running.append(number)
        if chance.random() < 0.6:
            ended = running.pop(chance.randrange(len(running)))
            side.tell(ended, TrialState.COMPLETE, [chance.random()])
    return points


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("seed", range(5))
def test_every_point_once(name: str, seed: int) -> None:
    points = hand_out(MirrorSide(define(SPACES[name], sampler=name)), random.Random(seed))
    assert len(points) == POINTS[name] == len(set(points))


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("seed", range(5))
def test_every_point_with_enqueued_duplicates(name: str, seed: int) -> None:
    side = MirrorSide(define(SPACES[name], sampler=name))
    for params in DUPLICATES[name]:
        side.enqueue(params)
    points = hand_out(side, random.Random(seed))
    assert points[0] == points[1]
    assert len(set(points)) == POINTS[name]
    assert len(set(points[:-1])) == POINTS[name] - 1


@pytest.mark.parametrize("name", POINTS)
def test_an_exhausted_mirror_starts_enqueued_trials_only(name: str) -> None:
    side = MirrorSide(define(SPACES[name], sampler=name))
    hand_out(side, random.Random(0))
    mirror = side.catch_up(side.new())
    with pytest.raises(SearchError, match="handed out"):
        mirror.ask()
    params = DUPLICATES[name][0]
    assert mirror.ask(mirror.enqueue(params)).params == params


@pytest.mark.parametrize("name", POINTS)
def test_a_trial_cancelled_before_it_was_asked_for_has_no_point(name: str) -> None:
    side = MirrorSide(define(SPACES[name], sampler=name))
    side.enqueue(DUPLICATES[name][0])
    side.tell(0, TrialState.FAIL, None)
    points = hand_out(side, random.Random(0))
    assert len(points) == POINTS[name] == len(set(points))


def test_other_samplers_are_never_exhausted() -> None:
    mirror = Mirror(define({"optimizer": {"sgd": {"learning_rate": 0.1}}}), "s", 0)
    assert mirror.ask().params == {"optimizer": "sgd"}
    assert not mirror.is_exhausted()
    assert not Mirror(define(CONDITIONAL), "s", 0).is_exhausted()
