"""Runs learning-rate range tests: one call of one compiled program for each seed.

See `lehr.range_tests` for what a range test is and what is made of its losses.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lehr import range_tests
from lehr.errors import LehrError
from lehr_worker.task import Task
from lehr_worker.tasks import registry
from lehr_worker.tasks.datasets import DataUnavailable
from lehr_worker.training import optimizers
from lehr_worker.training.data import DeviceData
from lehr_worker.training.errors import OutOfMemory
from lehr_worker.training.programs import Programs


@dataclass(frozen=True)
class RangeTestConfig:
    """What is tested: resolved values only."""

    task: str
    optimizer: Mapping[str, Any]  # name and arguments, without the learning rate
    parameters: Mapping[str, Any] = field(default_factory=dict)
    start: float = 1e-6  # the first learning rate
    end: float = 1.0  # the last one
    updates: int = 200
    seeds: Sequence[int] = (0, 1, 2, 3)  # of initial weights, order of samples and dropout


def measure(config: RangeTestConfig, modules: Iterable[str] = ()) -> list[range_tests.Curve]:
    """The curve of each seed, for a task of the built-in or the named modules.

    Raises LehrError, which says what is wrong and how to put it right.
    """
    try:
        return run(config, registry.load(modules))
    except (registry.TaskError, DataUnavailable, OutOfMemory, ValueError) as error:
        raise LehrError(str(error)) from error


def run(config: RangeTestConfig, tasks: Mapping[str, Task]) -> list[range_tests.Curve]:
    """The curve of each seed. Raises as ``losses``."""
    rates = range_tests.growing_rates(config.start, config.end, config.updates)
    measured = losses(config, Programs(tasks))
    return [range_tests.cut(rates, found) for found in measured.values()]


def losses(
    config: RangeTestConfig,
    programs: Programs,
    goes_on: Callable[[], bool] = lambda: True,
) -> dict[int, list[float]]:
    """The losses of each seed, one an update; what follows a divergence may be no number.

    ``goes_on`` is asked before each seed; after it says no, the seeds so far are returned.

    Raises ValueError for a configuration that cannot be (the message starts with the field),
    OutOfMemory, and what loading the task's data raises.
    """
    if not config.seeds:
        raise ValueError("seeds: at least one is needed")
    return programs.with_room(lambda: _losses(config, programs, goes_on))


def _losses(
    config: RangeTestConfig, programs: Programs, goes_on: Callable[[], bool]
) -> dict[int, list[float]]:
    rates = range_tests.growing_rates(config.start, config.end, config.updates)
    task = programs.task(config.task)
    parameters = task.complete(config.parameters)
    optimizer = optimizers.complete({**config.optimizer, "learning_rate": config.start})
    data = programs.data(task, parameters)
    if not isinstance(data, DeviceData):
        raise ValueError(f"task: {config.task} streams its data; a range test needs arrays")
    batch_size = parameters["batch_size"]
    data.batches(batch_size)
    program = programs.program(task, parameters, optimizer, data)
    measured = {}
    for seed in config.seeds:
        if not goes_on():
            break
        program.reset(parameters, optimizer, seed)
        order = batches(seed, data.samples, batch_size, config.updates)
        swept = program.sweep(order, np.array(rates, np.float32))
        measured[seed] = [float(loss) for loss in swept]
    return measured


def batches(seed: int, samples: int, batch_size: int, updates: int) -> np.ndarray:
    """Indices of samples [updates, batch_size] (int32), in the order of a training of this seed.

    Drawn without replacement within an epoch; what is too little for a batch is left out.
    """
    each = samples // batch_size
    epochs = [
        np.random.default_rng((seed, epoch)).permutation(samples)[: each * batch_size]
        for epoch in range(-(-updates // each))
    ]
    order = np.concatenate(epochs).reshape(-1, batch_size)[:updates]
    return order.astype(np.int32)
