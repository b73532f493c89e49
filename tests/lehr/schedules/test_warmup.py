"""Where warm-up and the decay after it begin and end."""

import pytest

from lehr.schedules import build

from .arguments import updates


def test_default_cosine_ends_at_the_end_of_training_with_and_without_warmup() -> None:
    for warmup in (0.0, 0.1, {"epochs": 0.5}):
        curve = build(
            {"name": "cosine"}, learning_rate=1, epochs=7, updates_per_epoch=11, warmup=warmup
        )
        assert curve(76) > 0
        assert curve(77) == curve(1000) == 0


def test_decay_that_overlaps_warmup_starts_after_it() -> None:
    schedule = {"name": "warmup_stable_decay", "warmup": 0.6, "decay": 0.8}
    curve = build(schedule, learning_rate=1, epochs=1, updates_per_epoch=10)
    assert curve.rates(5, 6) == pytest.approx([5 / 6, 1, 0.75, 0.5, 0.25, 0])


def test_training_that_ends_within_warmup() -> None:
    for name in ("cosine", "one_cycle", "warmup_stable_decay"):
        curve = build(
            {"name": name}, learning_rate=1, epochs=1, updates_per_epoch=4, warmup=updates(8)
        )
        assert curve.rates(0, 4) == [0, 0.125, 0.25, 0.375]
        assert all(0 <= rate <= 1 for rate in curve.rates(4, 10))
