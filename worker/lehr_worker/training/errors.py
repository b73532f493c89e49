"""How a trial's training can fail for a reason that lies in its configuration."""

import errno
import os
import re
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


_FULL = re.compile(
    # XLA's and JAX's status, CUDA's, cuBLAS's and cuDNN's, and how TensorFlow puts it where the
    # error's class is a general one (InternalError, NotFoundError): cuDNN without a workspace, a
    # kernel that could not be loaded, a copy to the device that failed.
    r"RESOURCE_EXHAUSTED|OUT_OF_MEMORY|ALLOC(?:ATION)?_FAILED|cudaErrorMemoryAllocation"
    r"|\b(?:out of memory|OOM when allocating|Dst tensor is not initialized)\b"
    r"|failed to allocate .*(?:memory|bytes|scratch)",
    re.IGNORECASE,
)


@contextmanager
def raises_out_of_memory() -> Iterator[None]:
    """Turn the back end's own error for a full device, TensorFlow's or JAX's, into OutOfMemory.

    Also where it is behind another error, as Keras fails over some of TensorFlow's (3.15: a
    TypeError while it infers shapes). Not what is about a disk.
    """
    try:
        yield
    except (OutOfMemory, MemoryError):  # of the machine, not of the device
        raise
    except Exception as error:
        told = _told_of_a_full_device(error)
        if told is None:
            raise
        raise OutOfMemory(told) from error


def _told_of_a_full_device(error: BaseException) -> str | None:
    """What an error, or one behind it, says of a device without room; None if none does."""
    text = str(error)
    named = type(error).__name__ == "ResourceExhaustedError"
    if os.strerror(errno.ENOSPC) not in text:  # a disk, for tf.data's cache
        said = next((line for line in text.splitlines() if _FULL.search(line)), None)
        if said is not None or named:  # Keras puts the layer's name before what was said
            return said or text.partition("\n")[0]
    behind = error.__cause__ or error.__context__
    return None if behind is None else _told_of_a_full_device(behind)


def one_number(metric: str, value: Any) -> float:
    """The value of a metric. Raises TypeError where a task's own metric is none."""
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"metric {metric}: must be one number, got {value!r}") from error
