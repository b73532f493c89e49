"""What a trial does in each epoch: its batches, their learning rates, its moving average."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from lehr import schedules
from lehr_worker.training.config import TrialConfig
from lehr_worker.training.data import DeviceData, StreamData


@dataclass(frozen=True)
class Epoch:
    """The inputs of a program for one epoch."""

    feed: Any  # which batches, as the data makes it
    rates: np.ndarray  # [batches] float32, learning rate of each batch
    keeps: np.ndarray | None  # [batches] float32, share of the moving average that outlives it
    learning_rate: float  # of the last update
    updates: int


class Plan:
    """Lays a trial's schedule over its data.

    An update is a batch, or as many as the optimizer accumulates gradients of; the batches that are
    too few for an update sit the epoch out. Raises ValueError where the parts do not fit.
    """

    def __init__(
        self,
        config: TrialConfig,
        optimizer: dict[str, Any],
        data: DeviceData | StreamData,
        batch_size: int,
    ) -> None:
        self._config = config
        self._data = data
        self._batch_size = batch_size
        self._accumulated = optimizer["gradient_accumulation_steps"] or 1
        self._check(data.batches(batch_size))
        with within("schedule"):
            self.curve = schedules.build(
                config.schedule,
                learning_rate=optimizer["learning_rate"],
                epochs=config.epochs,
                updates_per_epoch=data.batches(batch_size) // self._accumulated,
                warmup=config.warmup,
                direction=config.direction,
                batch_size=batch_size,
                samples=data.samples,
            )

    def epoch(self, step: int) -> Epoch:
        """The inputs of this epoch, counted from 0."""
        size = self.curve.batch_size(step) or self._batch_size
        updates = self._data.batches(size) // self._accumulated
        first = self.curve.first_update(step)
        rates = self.curve.rates(first, updates)
        batches = updates * self._accumulated
        return Epoch(
            feed=self._data.feed(self._config.seed, step, batches, size),
            rates=np.repeat(np.array(rates, np.float32), self._accumulated),
            keeps=self._keeps(first, updates),
            learning_rate=rates[-1],
            updates=updates,
        )

    def _keeps(self, first: int, updates: int) -> np.ndarray | None:
        """The decay of each batch: that of a short history at first, 1 where no update ends."""
        decay = self._config.ema
        if decay is None:
            return None
        count = np.arange(first, first + updates)
        keeps = np.ones((updates, self._accumulated), np.float32)
        keeps[:, -1] = np.minimum(decay, (1 + count) / (10 + count))
        return keeps.reshape(-1)

    def _check(self, batches: int) -> None:
        grows = self._config.schedule.get("name") == "batch_growth"
        if batches < self._accumulated:
            raise ValueError(
                f"optimizer.gradient_accumulation_steps: must be at most {batches}, the batches in "
                f"an epoch, got {self._accumulated}"
            )
        if grows and self._accumulated > 1:
            raise ValueError(
                "optimizer.gradient_accumulation_steps: goes with any schedule but batch_growth"
            )
        if grows and self._data.is_stream:
            raise ValueError("schedule.name: batch_growth needs a task whose data are arrays")


@contextmanager
def within(place: str) -> Iterator[None]:
    """Say in a ValueError's message where the field at fault stands."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{place}.{error}") from None
