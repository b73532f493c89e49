"""Schedules against recorded values, a second formula in numpy, Keras's classes, and properties."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lehr.schedules import REQUIRED, SCHEDULES, Argument, build, resolve_length

GOLDEN = json.loads(Path(__file__).with_name("golden_learning_rates.json").read_text())
Schedule = dict[str, Any]


def updates(count: int) -> dict[str, int]:
    return {"updates": count}


def golden_exponential(steps: int, rate: float, staircase: bool) -> Schedule:
    return {
        "name": "exponential",
        "decay_steps": updates(steps),
        "decay_rate": rate,
        "staircase": staircase,
    }


def golden_piecewise(*boundaries: int) -> Schedule:
    return {
        "name": "piecewise_constant",
        "boundaries": [updates(boundary) for boundary in boundaries],
        "factors": [1, 0.1, 0.01, 0.001],
    }


def golden_polynomial(steps: int, end: float, power: float = 1.0, cycle: bool = False) -> Schedule:
    return {
        "name": "polynomial",
        "decay_steps": updates(steps),
        "end_learning_rate": end,
        "power": power,
        "cycle": cycle,
    }


def golden_inverse_time(staircase: bool) -> Schedule:
    return {
        "name": "inverse_time",
        "decay_steps": updates(1000),
        "decay_rate": 0.5,
        "staircase": staircase,
    }


COSINE = {"name": "cosine", "decay_steps": updates(1000)}
GOLDEN_SCHEDULES: dict[str, tuple[Schedule, dict[str, Any]]] = {
    "exp(.1,1000,.9)": (golden_exponential(1000, 0.9, False), {}),
    "exp stair(.1,1000,.9)": (golden_exponential(1000, 0.9, True), {}),
    "exp(.1,10,.5)": (golden_exponential(10, 0.5, False), {}),
    "exp stair(.1,10,.5)": (golden_exponential(10, 0.5, True), {}),
    "piecewise 40k/60k/80k keras bounds": (golden_piecewise(40000, 60000, 80000), {}),
    "piecewise hook (39999,59999,79999)": (golden_piecewise(39999, 59999, 79999), {}),
    "cosine(.1,1000)": (COSINE, {}),
    "cosine(.1,1000,alpha=.01)": ({**COSINE, "alpha": 0.01}, {}),
    "cosine warm(0->.1,100;1000)": (COSINE, {"warmup": updates(100)}),
    "cosine restarts(.1,100,t2,m.9)": (
        {"name": "cosine_restarts", "first_decay": updates(100), "t_mul": 2.0, "m_mul": 0.9},
        {},
    ),
    "poly(.1,1000,.001,p2)": (golden_polynomial(1000, 0.001, power=2), {}),
    "poly linear(.1,1000,1e-4)": (golden_polynomial(1000, 1e-4), {}),
    "poly cycle(.1,100,.01,p1)": (golden_polynomial(100, 0.01, cycle=True), {}),
    "invtime(.1,1000,.5)": (golden_inverse_time(False), {}),
    "invtime stair(.1,1000,.5)": (golden_inverse_time(True), {}),
    "hold10_exp": (
        {"name": "hold_then_exponential"},
        {"learning_rate": 0.001, "updates_per_epoch": 1},
    ),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_recorded_values(case: str) -> None:
    schedule, training = GOLDEN_SCHEDULES[case]
    given = {"learning_rate": 0.1, "epochs": 50, "updates_per_epoch": 1100, **training}
    curve = build(schedule, **given)
    for update, rate in GOLDEN[case].items():
        assert curve(int(update)) == pytest.approx(rate, abs=1e-7, rel=0), update


# The second formulas: (u, lr, n, e) -> rates, with u an array of updates from the end of warm-up,
# n the updates that remain after warm-up and e the updates an epoch.
Second = Callable[[np.ndarray, float, int, int], np.ndarray]


def second_restarts(first: int, t_mul: float, m_mul: float, alpha: float) -> Second:
    def rates(u: np.ndarray, lr: float, n: int, e: int) -> np.ndarray:
        lengths = first * t_mul ** np.arange(60 if t_mul > 1 else len(u))
        starts = np.concatenate([[0.0], np.cumsum(lengths)])
        cycle = np.searchsorted(starts, u, side="right") - 1
        phase = (u - starts[cycle]) / lengths[cycle]
        left = m_mul**cycle * np.cos(np.pi / 2 * phase) ** 2
        return lr * alpha + lr * (1 - alpha) * left

    return rates


def second_one_cycle(peak: float, div: float, final: float, cosine: bool) -> Second:
    def rates(u: np.ndarray, lr: float, n: int, e: int) -> np.ndarray:
        knots = [0, round(peak * n), n]
        if not cosine:
            return np.interp(u, knots, [lr / div, lr, lr / div / final])
        phase = np.interp(u, knots, [-np.pi, 0, np.pi])
        floor = np.where(u < knots[1], lr / div, lr / div / final)
        return floor + (lr - floor) * (1 + np.cos(phase)) / 2

    return rates


def second_stable(warmup: int, decay: int, fall: Callable[[np.ndarray], np.ndarray]) -> Second:
    def rates(u: np.ndarray, lr: float, n: int, e: int) -> np.ndarray:
        rise = np.minimum(u, warmup) / warmup
        return lr * rise * fall(np.clip((u - n + decay) / decay, 0, 1))

    return rates


def second_polynomial(u: np.ndarray, lr: float, n: int, e: int) -> np.ndarray:
    top = np.where(u == 0, 30, 30 * np.ceil(u / 30))
    return 0.002 + (lr - 0.002) * ((top - u) / top) ** 1.5


def second_staircase(u: np.ndarray, lr: float, n: int, e: int) -> np.ndarray:
    return np.repeat(lr * 0.7 ** np.arange(len(u)), 2 * e)[: len(u)]


def second_per_epoch(u: np.ndarray, lr: float, n: int, e: int) -> np.ndarray:
    factors = np.full(len(u) // e + 1, 0.9)
    factors[0] = lr
    return np.repeat(np.cumprod(factors), e)[: len(u)]


def second_hold(u: np.ndarray, lr: float, n: int, e: int) -> np.ndarray:
    epoch = np.repeat(np.arange(len(u) // e + 1), e)[: len(u)]
    return np.where(epoch < 3, lr, lr * np.exp(-0.2 * (epoch - 2)))


SECOND: list[tuple[Schedule, Second]] = [
    ({"name": "constant"}, lambda u, lr, n, e: np.full(len(u), lr)),
    ({"name": "reduce_on_plateau"}, lambda u, lr, n, e: np.full(len(u), lr)),
    (
        {
            "name": "piecewise_constant",
            "boundaries": [updates(7), updates(20)],
            "factors": [0.5, 2, 0],
        },
        lambda u, lr, n, e: lr * (0.5 + 1.5 * (u > 7) - 2 * (u > 20)),
    ),
    (
        {"name": "exponential", "decay_steps": 0.5, "decay_rate": 0.3},
        lambda u, lr, n, e: np.exp(np.log(lr) + np.log(0.3) * u / round(n / 2)),
    ),
    (
        {
            "name": "exponential",
            "decay_steps": {"epochs": 2},
            "decay_rate": 0.7,
            "staircase": True,
        },
        second_staircase,
    ),
    (
        {"name": "inverse_time", "decay_steps": updates(9), "decay_rate": 0.5},
        lambda u, lr, n, e: 18 * lr / (18 + u),
    ),
    (
        {
            "name": "inverse_time",
            "decay_steps": updates(9),
            "decay_rate": 0.5,
            "staircase": True,
        },
        lambda u, lr, n, e: 2 * lr / (2 + np.floor_divide(u, 9)),
    ),
    (
        {
            "name": "polynomial",
            "decay_steps": updates(30),
            "end_learning_rate": 0.002,
            "power": 1.5,
            "cycle": True,
        },
        second_polynomial,
    ),
    (
        {"name": "polynomial", "power": 3},
        lambda u, lr, n, e: lr * (np.maximum(n - u, 0) / n) ** 3,
    ),
    (
        {"name": "linear", "end_learning_rate": 0.001},
        lambda u, lr, n, e: np.interp(u, [0, n], [lr, 0.001]),
    ),
    (
        {"name": "cosine", "alpha": 0.1},
        lambda u, lr, n, e: lr * (0.1 + 0.9 * np.cos(np.pi / 2 * np.minimum(u, n) / n) ** 2),
    ),
    (
        {"name": "cosine_restarts", "first_decay": updates(5)},
        second_restarts(5, 2.0, 1.0, 0.0),
    ),
    (
        {
            "name": "cosine_restarts",
            "first_decay": updates(2),
            "t_mul": 3,
            "m_mul": 0.8,
            "alpha": 0.1,
        },
        second_restarts(2, 3.0, 0.8, 0.1),
    ),
    (
        {"name": "cosine_restarts", "first_decay": updates(7), "t_mul": 1, "m_mul": 0.9},
        second_restarts(7, 1.0, 0.9, 0.0),
    ),
    ({"name": "hold_then_exponential", "hold": {"epochs": 2.5}, "decay": 0.2}, second_hold),
    ({"name": "per_epoch_decay", "decay": 0.1}, second_per_epoch),
    ({"name": "one_cycle"}, second_one_cycle(0.3, 25, 1e4, cosine=True)),
    (
        {
            "name": "one_cycle",
            "peak": 0.5,
            "div_factor": 4,
            "final_div_factor": 10,
            "anneal": "linear",
        },
        second_one_cycle(0.5, 4, 10, cosine=False),
    ),
    (
        {"name": "warmup_stable_decay", "warmup": updates(4), "decay": updates(11)},
        second_stable(4, 11, lambda x: 1 - x),
    ),
    (
        {
            "name": "warmup_stable_decay",
            "warmup": updates(4),
            "decay": updates(11),
            "shape": "cosine",
            "alpha": 0.2,
        },
        second_stable(4, 11, lambda x: 0.2 + 0.8 * np.cos(np.pi / 2 * x) ** 2),
    ),
    (
        {
            "name": "warmup_stable_decay",
            "warmup": updates(4),
            "decay": updates(11),
            "shape": "one_minus_sqrt",
        },
        second_stable(4, 11, lambda x: 1 - x**0.5),
    ),
    ({"name": "batch_growth"}, lambda u, lr, n, e: np.full(len(u), lr)),
]


@pytest.mark.parametrize("warmup", [0, 1, 13])
@pytest.mark.parametrize(("epochs", "per_epoch"), [(10, 10), (3, 37), (31, 4)])
@pytest.mark.parametrize(("schedule", "second"), SECOND)
def test_second_formula(
    schedule: Schedule, second: Second, epochs: int, per_epoch: int, warmup: int
) -> None:
    total = epochs * per_epoch
    curve = build(
        schedule,
        learning_rate=0.05,
        epochs=epochs,
        updates_per_epoch=per_epoch,
        warmup=updates(warmup),
    )
    rise = 0.05 * np.arange(warmup) / max(1, warmup)
    after = second(np.arange(2 * total - warmup), 0.05, total - warmup, per_epoch)
    np.testing.assert_allclose(
        curve.rates(0, 2 * total), np.concatenate([rise, after]), rtol=1e-11, atol=1e-15
    )


def test_second_formulas_cover_every_schedule() -> None:
    assert {schedule["name"] for schedule, _ in SECOND} == set(SCHEDULES)


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


# Keras


def keras_cases() -> Iterator[tuple[str, Schedule, int, Callable[[Any], Any]]]:
    """Name, schedule, warm-up in updates, and the same Keras schedule (given its module)."""
    lr = 0.1
    for warmup in (0, 20):
        target = {"warmup_target": lr, "warmup_steps": warmup} if warmup else {}
        start = 0.0 if warmup else lr
        yield (
            f"cosine, warm-up {warmup}",
            {"name": "cosine", "alpha": 0.05},
            warmup,
            lambda k, w=warmup, t=target, s=start: k.CosineDecay(s, 200 - w, alpha=0.05, **t),
        )
    for t_mul in (1.0, 1.5, 2.0, 3.0):
        yield (
            f"restarts {t_mul}",
            {
                "name": "cosine_restarts",
                "first_decay": updates(16),
                "t_mul": t_mul,
                "m_mul": 0.9,
                "alpha": 0.01,
            },
            0,
            lambda k, t=t_mul: k.CosineDecayRestarts(lr, 16, t_mul=t, m_mul=0.9, alpha=0.01),
        )
    for flag in (False, True):
        yield (
            f"polynomial, cycle {flag}",
            golden_polynomial(60, 0.001, power=2, cycle=flag),
            0,
            lambda k, c=flag: k.PolynomialDecay(lr, 60, 0.001, power=2.0, cycle=c),
        )
        yield (
            f"exponential, staircase {flag}",
            golden_exponential(30, 0.8, flag),
            0,
            lambda k, s=flag: k.ExponentialDecay(lr, 30, 0.8, staircase=s),
        )
        yield (
            f"inverse time, staircase {flag}",
            {
                "name": "inverse_time",
                "decay_steps": updates(30),
                "decay_rate": 0.8,
                "staircase": flag,
            },
            0,
            lambda k, s=flag: k.InverseTimeDecay(lr, 30, 0.8, staircase=s),
        )
    yield (
        "linear",
        {"name": "linear", "end_learning_rate": 0.01},
        0,
        lambda k: k.PolynomialDecay(lr, 200, 0.01),
    )
    yield (
        "piecewise",
        {
            "name": "piecewise_constant",
            "boundaries": [{"epochs": 1}, 0.5, 1],
            "factors": [1, 2, 0.3, 0],
        },
        0,
        lambda k: k.PiecewiseConstantDecay([20, 100, 200], [lr, lr * 2, lr * 0.3, lr * 0]),
    )


@pytest.mark.tensorflow
@pytest.mark.parametrize(("case", "schedule", "warmup", "keras_class"), list(keras_cases()))
def test_keras_class(
    case: str, schedule: Schedule, warmup: int, keras_class: Callable[[Any], Any]
) -> None:
    import keras

    curve = build(
        schedule, learning_rate=0.1, epochs=10, updates_per_epoch=20, warmup=updates(warmup)
    )
    reference = keras_class(keras.optimizers.schedules)
    rates = [float(reference(update)) for update in range(220)]
    # Keras's float32: where a cosine nearly cancels, rounding is relative to the initial rate.
    np.testing.assert_allclose(curve.rates(0, 220), rates, rtol=1e-6, atol=1e-7 * 0.1)


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("seed", range(4))
def test_keras_reduce_on_plateau(direction: str, seed: int) -> None:
    import keras

    random = np.random.default_rng(seed)
    patience, cooldown = int(random.integers(0, 4)), int(random.integers(0, 4))
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    callback = keras.callbacks.ReduceLROnPlateau(
        "judged",
        factor=0.6,
        patience=patience,
        mode=direction[:3],
        min_delta=1 / 32,
        cooldown=cooldown,
        min_lr=1e-3,
    )
    callback.set_model(model)
    callback.on_train_begin()
    curve = build(
        {
            "name": "reduce_on_plateau",
            "factor": 0.6,
            "patience": patience,
            "min_delta": 1 / 32,
            "cooldown": cooldown,
            "min_learning_rate": 1e-3,
        },
        learning_rate=0.1,
        epochs=80,
        updates_per_epoch=3,
        direction=direction,
    )
    drift = -1 if direction == "minimize" else 1
    # Multiples of 1/64 are exact in float32, so "improves by exactly min_delta" occurs.
    for epoch, noise in enumerate(random.integers(-24, 25, 80).tolist()):
        value = math.nan if epoch % 13 == 5 else (drift * epoch + noise) / 64
        callback.on_epoch_end(epoch, {"judged": value})
        curve.observe(value)
        expected = float(model.optimizer.learning_rate)
        assert curve((epoch + 1) * 3) == pytest.approx(expected, rel=1e-6)
    assert curve(0) < 0.1


# reduce_on_plateau


def plateau(warmup: Any = 0.0, **arguments: Any) -> Any:
    return build(
        {"name": "reduce_on_plateau", "patience": 2, "factor": 0.5, **arguments},
        learning_rate=1.0,
        epochs=20,
        updates_per_epoch=10,
        warmup=warmup,
    )


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_value_that_is_no_number_is_no_improvement(value: float | None) -> None:
    curve = plateau()
    curve.observe(value)
    assert curve(0) == 1
    curve.observe(value)
    assert curve(0) == 0.5
    curve.observe(3.0)
    curve.observe(value)
    assert curve(0) == 0.5
    curve.observe(2.0)
    curve.observe(1.9)
    assert curve(0) == 0.5


def test_whole_numbers_give_float_rates() -> None:
    constant = build({"name": "constant"}, learning_rate=1, epochs=1, updates_per_epoch=1)
    floored = build(
        {"name": "reduce_on_plateau", "patience": 0, "min_learning_rate": 1},
        learning_rate=2,
        epochs=1,
        updates_per_epoch=1,
    )
    floored.observe(None)
    assert [type(curve(0)) for curve in (constant, floored)] == [float, float]


def test_plateau_does_not_judge_epochs_of_warmup() -> None:
    curve = plateau(warmup={"epochs": 2})
    for _ in range(3):
        curve.observe(0.0)
    assert curve.state() == {
        "epochs": 3,
        "learning_rate": 1.0,
        "best": 0.0,
        "wait": 0,
        "cooldown": 0,
    }
    curve.observe(0.0)
    curve.observe(0.0)
    assert [curve(10), curve(20)] == [0.5, 0.5]


@given(
    before=st.lists(st.none() | st.floats(-1, 1) | st.just(math.nan), max_size=12),
    after=st.lists(st.none() | st.floats(-1, 1) | st.just(math.nan), max_size=12),
    cooldown=st.integers(0, 3),
    warmup=st.integers(0, 40),
)
@settings(deadline=None)
def test_restored_plateau_continues_identically(
    before: list[float | None], after: list[float | None], cooldown: int, warmup: int
) -> None:
    original = plateau(updates(warmup), cooldown=cooldown)
    for value in before:
        original.observe(value)
    resumed = plateau(updates(warmup), cooldown=cooldown)
    resumed.restore(json.loads(json.dumps(original.state(), allow_nan=False)))
    for value in after:
        original.observe(value)
        resumed.observe(value)
        assert resumed.state() == original.state()
        assert resumed(warmup) == original(warmup)


def test_state_of_another_schedule_is_refused() -> None:
    pure = build({"name": "cosine"}, learning_rate=1, epochs=1, updates_per_epoch=1)
    pure.observe(1.0)
    assert pure.state() == {}
    pure.restore({})
    with pytest.raises(ValueError, match=r"^state: must have the keys"):
        plateau().restore({})
    with pytest.raises(ValueError, match=r"^state: must have the keys"):
        pure.restore(plateau().state())


# Properties of every schedule with any admitted arguments


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


# Errors


EXPONENTIAL = {"name": "exponential", "decay_steps": 0.5, "decay_rate": 0.9}
PIECEWISE = {"name": "piecewise_constant", "boundaries": [0.5], "factors": [1, 0.1]}


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({}, "name: must be one of constant, "),
        ({"name": "cosin"}, "name: must be one of constant, .* got 'cosin'"),
        ({"name": ["cosine"]}, "name: must be one of"),
        ({"name": "constant", "decay": 1}, "decay: unknown argument of constant; .*no arguments"),
        ({"name": "cosine", "beta": 1}, "beta: unknown argument of cosine; .* decay_steps, alpha"),
        ({"name": "exponential", "decay_rate": 0.9}, "decay_steps: required by exponential"),
        ({**EXPONENTIAL, "decay_rate": 0}, "decay_rate: must be greater than 0, got 0"),
        ({**EXPONENTIAL, "decay_rate": 1.1}, "decay_rate: must be at most 1, got 1.1"),
        ({**EXPONENTIAL, "decay_rate": math.nan}, "decay_rate: must be a finite number"),
        ({**EXPONENTIAL, "decay_rate": 10**400}, "decay_rate: must be a finite number"),
        ({**EXPONENTIAL, "decay_rate": True}, "decay_rate: must be a finite number"),
        ({**EXPONENTIAL, "decay_rate": "0.9"}, "decay_rate: must be a finite number"),
        ({**EXPONENTIAL, "staircase": 1}, "staircase: must be true or false"),
        ({**EXPONENTIAL, "decay_steps": 0.0}, "decay_steps: must be greater than 0"),
        ({**EXPONENTIAL, "decay_steps": updates(0)}, "decay_steps: must be greater than 0"),
        ({**EXPONENTIAL, "decay_steps": 1000}, "decay_steps: must be a fraction of training"),
        ({**EXPONENTIAL, "decay_steps": None}, "decay_steps: must be a fraction of training"),
        ({**EXPONENTIAL, "decay_steps": {}}, "decay_steps: must have exactly one key"),
        ({**EXPONENTIAL, "decay_steps": {"steps": 5}}, "decay_steps: must have exactly one key"),
        ({**EXPONENTIAL, "decay_steps": updates(1.5)}, "decay_steps: must have a whole number"),
        ({**EXPONENTIAL, "decay_steps": {"epochs": -1}}, "decay_steps: must have from 0 to"),
        ({**EXPONENTIAL, "decay_steps": {"epochs": 1e300}}, "decay_steps: must have from 0 to"),
        ({**PIECEWISE, "factors": [1]}, "factors: must have one element more than boundaries"),
        ({**PIECEWISE, "factors": [1, -1]}, r"factors\[1\]: must be at least 0, got -1"),
        ({**PIECEWISE, "factors": 1}, "factors: must be a list"),
        ({**PIECEWISE, "boundaries": []}, "boundaries: must be a list of at least one"),
        ({**PIECEWISE, "boundaries": [2]}, r"boundaries\[0\]: must be a fraction of training"),
        (
            {**PIECEWISE, "boundaries": [0.5, 0.5], "factors": [1, 2, 3]},
            "boundaries: must rise, got 0.5 after 0.5",
        ),
        (
            {**PIECEWISE, "boundaries": [0.5, {"epochs": 1}], "factors": [1, 2, 3]},
            r"boundaries: must rise, got \[50, 10\] updates",
        ),
        ({"name": "one_cycle", "anneal": "cos"}, "anneal: must be one of cosine, linear"),
        ({"name": "one_cycle", "anneal": []}, "anneal: must be one of cosine, linear"),
        ({"name": "one_cycle", "div_factor": 0.5}, "div_factor: must be at least 1"),
        ({"name": "reduce_on_plateau", "factor": 1}, "factor: must be less than 1"),
        ({"name": "reduce_on_plateau", "patience": 1.5}, "patience: must be a whole number"),
    ],
)
def test_bad_schedule(schedule: Schedule, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        build(schedule, learning_rate=0.1, epochs=10, updates_per_epoch=10)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", math.inf),
        ("learning_rate", math.nan),
        ("learning_rate", True),
        ("epochs", 0),
        ("epochs", 1.5),
        ("updates_per_epoch", 0),
        ("warmup", 1.5),
        ("warmup", {"epochs": -1}),
        ("direction", "max"),
    ],
)
def test_bad_training(argument: str, value: Any) -> None:
    training = {"learning_rate": 0.1, "epochs": 10, "updates_per_epoch": 10, argument: value}
    with pytest.raises(ValueError, match=f"^{argument}: must "):
        build({"name": "constant"}, **training)


def test_negative_update_is_refused() -> None:
    curve = build({"name": "constant"}, learning_rate=0.1, epochs=1, updates_per_epoch=1)
    with pytest.raises(ValueError, match=r"^update: must be at least 0"):
        curve(-1)


def test_resolve_length() -> None:
    def resolve(length: Any) -> int:
        return resolve_length(length, epochs=4, updates_per_epoch=25)

    assert [resolve(length) for length in (0, 0.25, 1, 1.0)] == [0, 25, 100, 100]
    assert resolve({"epochs": 2.5}) == 62
    assert resolve({"updates": 7}) == 7
    with pytest.raises(ValueError, match="fraction of training"):
        resolve(1.01)


def test_default_of_every_argument_is_admitted() -> None:
    for type_ in SCHEDULES.values():
        for name, argument in type_.arguments.items():
            if argument.default not in (REQUIRED, None):
                argument.check(name, argument.default)
