"""How a trial's training can fail for a reason that lies in its configuration."""

from collections.abc import Mapping


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
