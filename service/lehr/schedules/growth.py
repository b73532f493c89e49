"""The schedule that grows the batch where another would lower the learning rate."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from lehr.schedules.arguments import Length
from lehr.schedules.formulas import Training

LARGEST_SHARE: Final = 10  # a batch grows to a tenth of the samples (Smith et al. 2018, section 2)


class BatchGrowth:
    """`batch_growth`: learning rate and batch size over the epochs of a training.

    After k boundaries the rate over the batch size is what it would be had the rate been divided by
    growth ** k: the batch grows as far as it may, and what is missing is taken off the rate. Where
    batch size and samples are not known, the rate is the one of a batch that may always grow.
    """

    def __init__(
        self,
        training: Training,
        boundaries: Sequence[Length],
        growth: float,
        max_batch_size: int | None,
    ) -> None:
        positions = [training.warmup + training.position(boundary) for boundary in boundaries]
        if positions != sorted(positions):
            raise ValueError(f"boundaries: must rise, got {positions} updates")
        self._training = training
        self._growth = growth
        self._starts = [0, *(-(-p // training.updates_per_epoch) for p in positions)]
        self._sizes = [self._size(step, max_batch_size) for step in range(len(self._starts))]
        self._firsts = self._first_updates()

    def __call__(self, update: int) -> float:
        """The learning rate, `update` counted from the end of warm-up."""
        piece = bisect_right(self._firsts, update + self._training.warmup) - 1
        return self._training.learning_rate * self._share(piece)

    def batch_size(self, epoch: int) -> int | None:
        """Samples in an update of the epoch; None where the training's are not known."""
        return self._sizes[bisect_right(self._starts, epoch) - 1]

    def first_update(self, epoch: int) -> int:
        """Updates before the epoch."""
        piece = bisect_right(self._starts, epoch) - 1
        return self._firsts[piece] + (epoch - self._starts[piece]) * self._updates(piece)

    def _size(self, step: int, largest: int | None) -> int | None:
        training = self._training
        if training.batch_size is None or training.samples is None:
            return None
        largest = min(largest or training.samples // LARGEST_SHARE, training.samples)
        wanted = min(training.batch_size * self._growth**step, float(largest))
        return max(training.batch_size, round(wanted))

    def _share(self, piece: int) -> float:
        """How much of the learning rate is left where the batch could not grow in its place."""
        size, first = self._sizes[piece], self._training.batch_size
        return 1.0 if size is None or first is None else size / (first * self._growth**piece)

    def _updates(self, piece: int) -> int:
        """Updates in an epoch."""
        size = self._sizes[piece]
        if size is None or self._training.samples is None:
            return self._training.updates_per_epoch
        return self._training.samples // size

    def _first_updates(self) -> list[int]:
        firsts = [0]
        for piece in range(1, len(self._starts)):
            epochs = self._starts[piece] - self._starts[piece - 1]
            firsts.append(firsts[-1] + epochs * self._updates(piece - 1))
        return firsts
