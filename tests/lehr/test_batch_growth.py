"""The schedule that grows the batch instead of lowering the rate."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lehr.schedules import Curve, build


def grown(
    *, samples: int | None = 50_000, batch_size: int | None = 128, epochs: int = 10, **given: Any
) -> Curve:
    training = {key: given.pop(key) for key in ("warmup",) if key in given}
    return build(
        {"name": "batch_growth", **given},
        learning_rate=0.1,
        epochs=epochs,
        updates_per_epoch=(samples or 50_000) // (batch_size or 128),
        batch_size=batch_size,
        samples=samples,
        **training,
    )


def test_the_published_experiment() -> None:
    """Smith et al. 2018, section 5.1: 200 epochs, batch 128, x 5 after epochs 60, 120 and 160 to
    640, 3,200 and 16,000, at a constant rate."""
    curve = grown(epochs=200, max_batch_size=16_000)
    assert [curve.batch_size(e) for e in (0, 59, 60, 119, 120, 159, 160, 199)] == [
        *(128, 128, 640, 640, 3200, 3200, 16_000, 16_000)
    ]
    updates = 60 * (50_000 // 128) + 60 * (50_000 // 640) + 40 * (50_000 // 3200) + 40 * 3
    assert curve.first_update(200) == updates
    assert {curve(u) for u in range(updates)} == {0.1}


def test_the_rate_falls_once_the_batch_may_grow_no_more() -> None:
    """Section 5.1 again, with a batch of at most 640: the rate is divided from the second on."""
    curve = grown(epochs=200, max_batch_size=640)
    assert {curve.batch_size(e) for e in range(60, 200)} == {640}
    rates = [curve(curve.first_update(e)) for e in (59, 60, 119, 120, 159, 160)]
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.02, 0.02, 0.004])
    assert curve(curve.first_update(120) - 1) == 0.1


def test_by_default_it_grows_to_a_tenth_of_the_samples() -> None:
    assert grown().batch_size(9) == 5_000
    assert grown(samples=300, batch_size=100).batch_size(9) == 100
    assert grown(max_batch_size=10**9).batch_size(9) == 128 * 125


def test_it_grows_where_an_epoch_starts() -> None:
    curve = grown(boundaries=[0.25, {"epochs": 5}], growth=2.0)
    assert [curve.batch_size(e) for e in range(7)] == [128] * 3 + [256] * 2 + [512] * 2


def test_boundaries_count_from_the_end_of_warmup_which_is_ramped() -> None:
    curve = grown(boundaries=[{"epochs": 2}], warmup={"epochs": 1})
    assert [curve.batch_size(e) for e in range(4)] == [128, 128, 128, 640]
    assert curve(39) == pytest.approx(0.1 * 39 / 390)
    assert curve(390) == 0.1


def test_without_a_batch_size_it_is_the_curve_of_one_that_may_always_grow() -> None:
    curve = grown(samples=None, batch_size=None)
    assert curve.batch_size(9) is None
    assert curve.first_update(10) == 3900
    assert {curve(u) for u in range(5000)} == {0.1}


def test_other_schedules_keep_the_batch_and_the_updates() -> None:
    curve = build(
        {"name": "cosine"},
        learning_rate=0.1,
        epochs=5,
        updates_per_epoch=10,
        batch_size=32,
        samples=320,
    )
    assert (curve.batch_size(4), curve.first_update(4)) == (32, 40)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"growth": 1.0}, "growth: must be greater than 1"),
        ({"boundaries": []}, "boundaries: must be a list of at least one element"),
        ({"boundaries": [0.5, 0.2]}, "boundaries: must rise"),
        ({"boundaries": [{"epochs": 9}, 0.1]}, "boundaries: must rise, got"),
        ({"max_batch_size": 0}, "max_batch_size: must be at least 1"),
    ],
)
def test_wrong_arguments_name_the_argument(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        grown(**wrong)


@given(
    positions=st.sets(st.floats(0, 1), min_size=1, max_size=4).map(sorted),
    growth=st.floats(1, 10, exclude_min=True),
    samples=st.integers(1, 2000),
    batch_size=st.integers(1, 300),
    epochs=st.integers(1, 12),
    largest=st.none() | st.integers(1, 3000),
)
def test_rate_over_batch_never_rises_and_updates_add_up(
    positions: list[float],
    growth: float,
    samples: int,
    batch_size: int,
    epochs: int,
    largest: int | None,
) -> None:
    batch_size = min(batch_size, samples)
    curve = grown(
        samples=samples,
        batch_size=batch_size,
        epochs=epochs,
        boundaries=positions,
        growth=growth,
        max_batch_size=largest,
    )
    sizes = [curve.batch_size(epoch) or 0 for epoch in range(epochs)]
    assert all(
        batch_size <= left <= right <= samples for left, right in pairwise([*sizes, samples])
    )
    firsts = [curve.first_update(epoch) for epoch in range(epochs + 1)]
    assert firsts == [sum(samples // size for size in sizes[:e]) for e in range(epochs + 1)]
    scales = [curve(first) / size for first, size in zip(firsts, sizes, strict=False)]
    for left, right in pairwise(scales):
        assert right <= left * (1 + 1e-12)
        assert right == pytest.approx(left) or right <= left / growth * (1 + 1e-9)
