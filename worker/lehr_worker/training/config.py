"""What an engine is told to train."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lehr import schedules


@dataclass(frozen=True)
class TrialConfig:
    """What a trial trains: resolved values only, as a lease carries them."""

    task: str
    number: int  # of the trial; says which one in messages, changes nothing
    optimizer: Mapping[str, Any]  # {"name": "adam", "learning_rate": 0.001, "beta_1": 0.9}
    schedule: Mapping[str, Any]  # {"name": "cosine", "alpha": 0.0}
    epochs: int
    seed: int  # of initial weights, order of samples and dropout; 0 to 2**32 - 1
    metric: str  # the judged one, such as "val_accuracy"
    direction: str  # "minimize" or "maximize"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    warmup: schedules.Length = 0.0
    ema: float | None = None  # decay an update of a moving average of the weights; None: no average
