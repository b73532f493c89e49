"""Schedules against Keras's classes."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from lehr.schedules import build

from .arguments import Schedule, golden_exponential, golden_polynomial, updates


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
