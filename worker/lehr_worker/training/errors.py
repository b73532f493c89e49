"""How a trial's training can fail for a reason that lies in its configuration."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class TrainingError(Exception):
    """A trial cannot be trained to its end."""


class Diverged(TrainingError):
    """A metric of this epoch is not a finite number."""

    def __init__(self, step: int, metrics: Mapping[str, float]) -> None:
        self.step = step
        self.metrics = dict(metrics)
        super().__init__(f"diverged in step {step}: {self.metrics}")


class OutOfMemory(TrainingError):
    """The device has too little memory for this configuration."""


@contextmanager
def raises_out_of_memory() -> Iterator[None]:
    """Turn the back end's own error for a full device, TensorFlow's or JAX's, into OutOfMemory."""
    try:
        yield
    except Exception as error:
        text = str(error)
        full = "RESOURCE_EXHAUSTED" in text or type(error).__name__ == "ResourceExhaustedError"
        if full and os.strerror(errno.ENOSPC) not in text:  # a disk, for tf.data's cache
            raise OutOfMemory(text.splitlines()[0]) from error
        raise


def one_number(metric: str, value: Any) -> float:
    """The value of a metric. Raises TypeError where a task's own metric is none."""
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"metric {metric}: must be one number, got {value!r}") from error
