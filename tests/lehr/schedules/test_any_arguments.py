"""Properties of every schedule with any admitted arguments."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lehr.schedules import REQUIRED, SCHEDULES, Argument, build

from .arguments import Schedule, updates


def lengths(argument: Argument) -> st.SearchStrategy[Any]:
    open_start = argument.above is not None
    epochs = st.floats(0, 50, exclude_min=open_start).map(lambda x: {"epochs": x})
    counts = st.integers(int(open_start), 500).map(updates)
    return st.floats(0, 1, exclude_min=open_start) | epochs | counts


def numbers(argument: Argument) -> st.SearchStrategy[float]:
    low = argument.low if argument.low is not None else argument.above
    high = argument.high if argument.high is not None else argument.below
    return st.floats(
        low,
        high,
        exclude_min=argument.above is not None,
        exclude_max=argument.below is not None,
        allow_nan=False,
        allow_infinity=False,
    )


def values(argument: Argument) -> st.SearchStrategy[Any]:
    return {
        "length": lambda: lengths(argument),
        "number": lambda: numbers(argument),
        "integer": lambda: st.integers(int(argument.low or 0), 10**6),
        "boolean": st.booleans,
        "choice": lambda: st.sampled_from(argument.choices),
    }[argument.kind]()


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    name = draw(st.sampled_from(sorted(SCHEDULES)))
    if name == "piecewise_constant":
        positions = sorted(draw(st.sets(st.floats(0, 1), min_size=1, max_size=5)))
        size = len(positions) + 1
        factors = draw(st.lists(st.floats(0, 1000), min_size=size, max_size=size))
        return {"name": name, "boundaries": positions, "factors": factors}
    if name == "batch_growth":
        return {"name": name, "boundaries": sorted(draw(st.sets(st.floats(0, 1), min_size=1)))}
    arguments = {
        key: draw(values(argument))
        for key, argument in SCHEDULES[name].arguments.items()
        if argument.default is REQUIRED or draw(st.booleans())
    }
    return {"name": name, **arguments}


@given(
    schedule=schedules(),
    learning_rate=st.floats(0, 1e3, exclude_min=True),
    epochs=st.integers(1, 40),
    per_epoch=st.integers(1, 1000),
    warmup=st.floats(0, 1) | st.integers(0, 100).map(updates),
    first=st.integers(0, 10**6),
)
@settings(deadline=None, max_examples=500)
def test_rates_are_bounded_and_consistent(
    schedule: Schedule,
    learning_rate: float,
    epochs: int,
    per_epoch: int,
    warmup: Any,
    first: int,
) -> None:
    curve = build(
        schedule,
        learning_rate=learning_rate,
        epochs=epochs,
        updates_per_epoch=per_epoch,
        warmup=warmup,
    )
    peak = learning_rate * max(1, *schedule.get("factors", [0]))
    peak = max(peak, schedule.get("end_learning_rate", 0))
    for start in (0, first, epochs * per_epoch - 2):
        start = max(0, start)
        rates = curve.rates(start, 5)
        assert rates == [curve(start + offset) for offset in range(5)]
        assert all(type(rate) is float for rate in rates)
        assert all(0 <= rate <= peak * (1 + 1e-12) for rate in rates)
