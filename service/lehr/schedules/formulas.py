"""The formulas: a builder takes the training and its arguments, gives update -> learning rate."""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from lehr.schedules.arguments import Length, length_in_updates

Formula: TypeAlias = Callable[[int], float]
"""From the update counted from the end of warm-up (0, 1, ...) to the learning rate."""


@dataclass(frozen=True)
class Training:
    """What a formula knows of the training it runs in."""

    learning_rate: float
    updates: int  # those that remain after warm-up
    updates_per_epoch: int
    direction: str = "minimize"
    warmup: int = 0  # updates
    batch_size: int | None = None  # samples in an update, at first; None: not known
    samples: int | None = None  # in an epoch; None: not known

    def position(self, length: Length) -> int:
        """Updates from the end of warm-up; may be 0."""
        return length_in_updates(length, self.updates, self.updates_per_epoch)

    def duration(self, length: Length) -> int:
        """Updates, at least 1: a short training may round a length to nothing."""
        return max(1, self.position(length))


Builder: TypeAlias = Callable[..., Formula]
"""`builder(training, **arguments)` with every argument given."""


def constant(training: Training) -> Formula:
    return lambda update: training.learning_rate


def piecewise_constant(
    training: Training, boundaries: Sequence[Length], factors: Sequence[float]
) -> Formula:
    positions = [training.position(boundary) for boundary in boundaries]
    if positions != sorted(positions):
        raise ValueError(f"boundaries: must rise, got {positions} updates")
    rates = [training.learning_rate * factor for factor in factors]
    return lambda update: rates[bisect_left(positions, update)]


def exponential(
    training: Training, decay_steps: Length, decay_rate: float, staircase: bool
) -> Formula:
    progress = _decay_progress(training.duration(decay_steps), staircase)
    return lambda update: training.learning_rate * math.pow(decay_rate, progress(update))


def inverse_time(
    training: Training, decay_steps: Length, decay_rate: float, staircase: bool
) -> Formula:
    progress = _decay_progress(training.duration(decay_steps), staircase)
    return lambda update: training.learning_rate / (1.0 + decay_rate * progress(update))


def _decay_progress(duration: int, staircase: bool) -> Callable[[int], float]:
    if staircase:
        return lambda update: update // duration
    return lambda update: update / duration


def polynomial(
    training: Training, decay_steps: Length, end_learning_rate: float, power: float, cycle: bool
) -> Formula:
    duration = training.duration(decay_steps)
    fall = training.learning_rate - end_learning_rate

    def rate(update: int) -> float:
        end = duration * max(1, -(-update // duration)) if cycle else duration
        return fall * math.pow(1.0 - min(update, end) / end, power) + end_learning_rate

    return rate


def linear(training: Training, decay_steps: Length, end_learning_rate: float) -> Formula:
    return polynomial(training, decay_steps, end_learning_rate, power=1.0, cycle=False)


def cosine(training: Training, decay_steps: Length, alpha: float) -> Formula:
    duration = training.duration(decay_steps)

    def rate(update: int) -> float:
        return training.learning_rate * _fall("cosine", update / duration, alpha)

    return rate


def cosine_restarts(
    training: Training, first_decay: Length, t_mul: float, m_mul: float, alpha: float
) -> Formula:
    first = training.duration(first_decay)

    def rate(update: int) -> float:
        cycle, progress = _cycle(update / first, t_mul)
        left = m_mul**cycle * _fall("cosine", progress, 0.0)
        return training.learning_rate * ((1.0 - alpha) * left + alpha)

    return rate


def _cycle(time: float, growth: float) -> tuple[int, float]:
    """The cycle, counted from 0, that `time` (in first cycles) lies in, and the fraction done."""
    if growth == 1.0:
        return int(time), time % 1.0
    scale = math.log(growth)

    def start(cycle: int) -> float:
        return math.expm1(cycle * scale) / (growth - 1.0)

    # Rounded, then corrected: at a restart the logarithm may be an ulp too small for a floor.
    cycle = round(math.log1p(time * (growth - 1.0)) / scale)
    if time < start(cycle) * (1.0 - 1e-12):
        cycle -= 1
    return cycle, max(0.0, time - start(cycle)) / growth**cycle


def hold_then_exponential(training: Training, hold: Length, decay: float) -> Formula:
    held = math.ceil(training.position(hold) / training.updates_per_epoch)

    def rate(update: int) -> float:
        decays = max(0, update // training.updates_per_epoch - held + 1)
        return training.learning_rate * math.exp(-decay * decays)

    return rate


def per_epoch_decay(training: Training, decay: float) -> Formula:
    kept = 1.0 - decay
    return lambda update: training.learning_rate * kept ** (update // training.updates_per_epoch)


def one_cycle(
    training: Training, peak: Length, div_factor: float, final_div_factor: float, anneal: str
) -> Formula:
    top = training.position(peak)
    descent = max(1, training.updates - top)
    first = 1.0 / div_factor
    last = first / final_div_factor

    def rate(update: int) -> float:
        if update < top:
            return training.learning_rate * _fall(anneal, 1.0 - update / top, first)
        return training.learning_rate * _fall(anneal, (update - top) / descent, last)

    return rate


def warmup_stable_decay(
    training: Training, warmup: Length, decay: Length, shape: str, alpha: float
) -> Formula:
    rise = training.position(warmup)
    start = max(rise, training.updates - training.duration(decay))
    descent = max(1, training.updates - start)

    def rate(update: int) -> float:
        if update < rise:
            return training.learning_rate * update / rise
        return training.learning_rate * _fall(shape, (update - start) / descent, alpha)

    return rate


def _fall(shape: str, progress: float, end: float) -> float:
    """From 1 (progress <= 0) down to `end` (progress >= 1)."""
    done = min(1.0, max(0.0, progress))
    if shape == "cosine":
        left = 0.5 * (1.0 + math.cos(math.pi * done))
    else:
        left = 1.0 - (math.sqrt(done) if shape == "one_minus_sqrt" else done)
    return (1.0 - end) * left + end


class Plateau:
    """The learning rate falls by `factor` when the judged metric has stopped improving.

    A formula with a memory: the rate is the same at every update until `observe` lowers it.
    """

    def __init__(
        self,
        training: Training,
        factor: float,
        patience: int,
        min_delta: float,
        cooldown: int,
        min_learning_rate: float,
    ) -> None:
        self._factor = factor
        self._patience = patience
        self._min_delta = min_delta
        self._cooldown = cooldown
        self._floor = float(min_learning_rate)
        self._sign = 1.0 if training.direction == "minimize" else -1.0
        self._rate = training.learning_rate
        self._best: float | None = None
        self._wait = 0
        self._cooling = 0

    def __call__(self, update: int) -> float:
        return self._rate

    def observe(self, value: float | None) -> None:
        if self._cooling > 0:
            self._cooling -= 1
        if value is not None and self._improves(value):
            self._best = value
            self._wait = 0
        elif self._cooling == 0:
            self._wait += 1
            if self._wait >= self._patience:
                self._reduce()

    def _improves(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        if self._best is None:
            return True
        return self._sign * value + self._min_delta < self._sign * self._best

    def _reduce(self) -> None:
        if self._rate > self._floor:
            self._rate = max(self._rate * self._factor, self._floor)
            self._cooling = self._cooldown
            self._wait = 0

    def state(self) -> dict[str, Any]:
        return {
            "learning_rate": self._rate,
            "best": self._best,
            "wait": self._wait,
            "cooldown": self._cooling,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._rate = state["learning_rate"]
        self._best = state["best"]
        self._wait = state["wait"]
        self._cooling = state["cooldown"]
