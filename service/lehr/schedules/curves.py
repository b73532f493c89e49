"""A schedule in a training: the curve of learning rates that the updates are made with."""

from collections.abc import Mapping
from typing import Any

from lehr.schedules.arguments import Length, is_number, length_in_updates
from lehr.schedules.catalogue import SCHEDULES, ScheduleType
from lehr.schedules.formulas import Formula, Plateau, Training
from lehr.schedules.growth import BatchGrowth


class Curve:
    """The learning rate (float64, per update, not negative) at any update >= 0, warm-up included.

    Pure but for `reduce_on_plateau`, whose rate after warm-up is the current one at every update
    and changes in `observe` and `restore` only.
    """

    def __init__(self, formula: Formula, training: Training) -> None:
        self._formula = formula
        self._training = training
        self._plateau = formula if isinstance(formula, Plateau) else None
        self._growth = formula if isinstance(formula, BatchGrowth) else None
        self._observed = 0

    def __call__(self, update: int) -> float:
        """The learning rate of this update; updates count from 0. ValueError if negative."""
        if update < 0:
            raise ValueError(f"update: must be at least 0, got {update}")
        warmup = self._training.warmup
        if update < warmup:
            return self._training.learning_rate * update / warmup
        return self._formula(update - warmup)

    def rates(self, first: int, count: int) -> list[float]:
        """The learning rates of `count` updates from `first` on."""
        return [self(update) for update in range(first, first + count)]

    def batch_size(self, epoch: int) -> int | None:
        """Samples in an update of this epoch; None where `build` was not told the first one."""
        return self._growth.batch_size(epoch) if self._growth else self._training.batch_size

    def first_update(self, epoch: int) -> int:
        """Updates before this epoch."""
        if self._growth:
            return self._growth.first_update(epoch)
        return epoch * self._training.updates_per_epoch

    def observe(self, value: float | None) -> None:
        """Take the judged metric of the next epoch (None: it has none); call after each epoch.

        Only `reduce_on_plateau` uses it, and not the epochs that end within warm-up.
        """
        if self._plateau is None:
            return
        self._observed += 1
        if self.first_update(self._observed) > self._training.warmup:
            self._plateau.observe(value)

    def state(self) -> dict[str, Any]:
        """What `observe` has changed so far, JSON-ready; empty for a pure schedule."""
        if self._plateau is None:
            return {}
        return {"epochs": self._observed, **self._plateau.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state()` of the same schedule. ValueError if its keys differ."""
        if state.keys() != self.state().keys():
            raise ValueError(f"state: must have the keys {list(self.state())}, got {list(state)}")
        if self._plateau is not None:
            self._observed = state["epochs"]
            self._plateau.restore(state)


def build(
    schedule: Mapping[str, Any],
    *,
    learning_rate: float,
    epochs: int,
    updates_per_epoch: int,
    warmup: Length = 0.0,
    direction: str = "minimize",
    batch_size: int | None = None,
    samples: int | None = None,
) -> Curve:
    """The curve of a resolved schedule, `{"name": ..., argument: value, ...}`.

    Missing arguments take their defaults. `direction` is that of the judged metric, "minimize" or
    "maximize". `batch_size` and `samples` (in an epoch, both counts) are for `batch_growth`, whose
    curve is the one of a batch that may always grow without them. Raises ValueError, its message
    starting with the name of the argument at fault.
    """
    if not is_number(learning_rate) or learning_rate <= 0:
        raise ValueError(f"learning_rate: must be finite and greater than 0, got {learning_rate!r}")
    if direction not in ("minimize", "maximize"):
        raise ValueError(f"direction: must be minimize or maximize, got {direction!r}")
    _check_count("epochs", epochs)
    _check_count("updates_per_epoch", updates_per_epoch)
    type_ = _schedule_type(schedule)
    arguments = type_.complete({name: schedule[name] for name in schedule if name != "name"})
    total = epochs * updates_per_epoch
    rise = _warmup_updates(warmup, total, updates_per_epoch)
    training = Training(
        float(learning_rate),
        max(0, total - rise),
        updates_per_epoch,
        direction,
        warmup=rise,
        batch_size=batch_size,
        samples=samples,
    )
    return Curve(type_.curve(training, **arguments), training)


def _schedule_type(schedule: Mapping[str, Any]) -> ScheduleType:
    name = schedule.get("name")
    if not isinstance(name, str) or name not in SCHEDULES:
        raise ValueError(f"name: must be one of {', '.join(SCHEDULES)}, got {name!r:.80}")
    return SCHEDULES[name]


def _check_count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}: must be a whole number of at least 1, got {value!r:.80}")


def _warmup_updates(warmup: Length, total: int, updates_per_epoch: int) -> int:
    try:
        return length_in_updates(warmup, total, updates_per_epoch)
    except ValueError as error:
        raise ValueError(f"warmup: {error}") from None
