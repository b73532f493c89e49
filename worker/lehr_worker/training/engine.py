"""Trains one trial after another, each through a program that is compiled once and reused.

An epoch has `samples // batch_size` updates: the training samples are shuffled anew each epoch, and
the last few, too few for a batch, sit this one out. The order depends on seed and epoch alone.
"""

import gc
import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

import numpy as np

from lehr import schedules
from lehr_worker.task import Task
from lehr_worker.training import checkpoints, live, optimizers
from lehr_worker.training.errors import Diverged, OutOfMemory
from lehr_worker.training.program import DeviceData, Program

Checkpoint: TypeAlias = Callable[[int, Callable[[], bytes]], None]
"""Called after each epoch's report with the step and a function that makes the state's bytes."""


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


@dataclass(frozen=True)
class EpochReport:
    """One step of a trial."""

    step: int  # epochs before this one
    metrics: dict[str, float]  # of training, and of validation with the prefix val_
    learning_rate: float  # of the epoch's last update
    seconds: float  # wall time of the epoch, its evaluation included
    updates: int  # in this epoch


@dataclass(frozen=True)
class TrialResult:
    """How a training ended that met no error."""

    steps: int  # epochs trained, those before a resume included
    stopped: bool  # whether on_epoch ended it before its last epoch


class Engine:
    """Trains trials; keeps the programs of the last few kinds of trial compiled.

    `programs` is how many; each holds a model's weights and slots on the device. `xla` None chooses
    XLA where it was measured to be faster. Not for use from several threads.
    """

    def __init__(
        self, tasks: Mapping[str, Task], *, programs: int = 16, xla: bool | None = None
    ) -> None:
        self._tasks = tasks
        self._capacity = programs
        self._xla = xla
        self._programs: OrderedDict[Any, Program] = OrderedDict()
        self._data: WeakValueDictionary[Any, DeviceData] = WeakValueDictionary()

    def train(
        self,
        config: TrialConfig,
        on_epoch: Callable[[EpochReport], bool],
        *,
        resume: bytes | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> TrialResult:
        """Train a trial epoch by epoch, from the start or from the bytes of a checkpoint.

        `on_epoch` gets each epoch's report and says whether to go on. `checkpoint` is called after
        it, whatever it said; the bytes it can ask for are of that moment, so ask before returning.

        Raises ValueError for a configuration that cannot be (the message starts with the field),
        BadCheckpoint, Diverged (its epoch is not given to `on_epoch`), OutOfMemory.
        """
        try:
            training = self._start(config, resume)
            for step in range(training.next_step, config.epochs):
                goes_on = on_epoch(training.run(step))
                if checkpoint is not None:
                    checkpoint(step, training.state)
                if not goes_on:
                    return TrialResult(steps=step + 1, stopped=step + 1 < config.epochs)
            return TrialResult(steps=config.epochs, stopped=False)
        except OutOfMemory:
            self._programs.clear()
            gc.collect()
            raise

    def _start(self, config: TrialConfig, resume: bytes | None) -> "_Training":
        _check(config)
        task = self._task(config.task)
        with _within("parameters"):
            parameters = task.complete(config.parameters)
        with _within("optimizer"):
            optimizer = optimizers.complete(config.optimizer)
        program = self._program(task, parameters, optimizer)
        _check_metric(config, program.metrics)
        program.reset(parameters, optimizer, config.seed)
        curve = _curve(config, optimizer["learning_rate"], program.updates_per_epoch)
        training = _Training(config, program, curve)
        if resume is not None:
            training.restore(resume)
        return training

    def _task(self, name: str) -> Task:
        if name not in self._tasks:
            raise ValueError(f"task: no {name} here; this worker has {', '.join(self._tasks)}")
        return self._tasks[name]

    def _program(
        self, task: Task, parameters: Mapping[str, Any], optimizer: Mapping[str, Any]
    ) -> Program:
        key = (task.name, live.shape(parameters, task.live), optimizers.shape(optimizer))
        if key not in self._programs:
            self._make_room()
            data = self._device_data(task, parameters)
            self._programs[key] = Program(task, parameters, optimizer, data, xla=self._xla)
        self._programs.move_to_end(key)
        return self._programs[key]

    def _make_room(self) -> None:
        if len(self._programs) >= self._capacity:
            self._programs.popitem(last=False)
            gc.collect()  # a program and its graphs refer to each other

    def _device_data(self, task: Task, parameters: Mapping[str, Any]) -> DeviceData:
        key = (task.name, *sorted(task.data_parameters(parameters).items()))
        data = self._data.get(key)
        if data is None:
            data = self._data[key] = DeviceData(task.load_data(parameters))
        if data.samples < parameters["batch_size"]:
            raise ValueError(
                f"parameters.batch_size: must be at most {data.samples}, the number of training "
                f"samples, got {parameters['batch_size']}"
            )
        return data


class _Training:
    """One trial in a program: which epoch is next, and where its schedule stands."""

    def __init__(self, config: TrialConfig, program: Program, curve: schedules.Curve) -> None:
        self.next_step = 0
        self._config = config
        self._program = program
        self._curve = curve

    def run(self, step: int) -> EpochReport:
        """Train and evaluate one epoch. Raises Diverged."""
        start = time.perf_counter()
        updates = self._program.updates_per_epoch
        rates = self._curve.rates(step * updates, updates)
        metrics = self._program.run_epoch(self._order(step), np.array(rates, np.float32))
        validation = self._program.evaluate()
        metrics |= {f"val_{name}": value for name, value in validation.items()}
        if not all(math.isfinite(value) for value in metrics.values()):
            raise Diverged(step, metrics)
        self._curve.observe(metrics[self._config.metric])
        self.next_step = step + 1
        return EpochReport(step, metrics, rates[-1], time.perf_counter() - start, updates)

    def state(self) -> bytes:
        """Everything that `restore` needs to go on as if nothing had happened."""
        note = {
            "config": _identity(self._config),
            "next_step": self.next_step,
            "schedule": self._curve.state(),
        }
        return checkpoints.pack(self._program.state(), note)

    def restore(self, state: bytes) -> None:
        arrays, note = checkpoints.unpack(state)
        if note.get("config") != _identity(self._config):
            raise checkpoints.BadCheckpoint("the checkpoint is one of another trial")
        self._program.restore(arrays)
        self._curve.restore(note["schedule"])
        self.next_step = note["next_step"]

    def _order(self, step: int) -> np.ndarray:
        shape = self._program.updates_per_epoch, self._program.batch_size
        shuffled = np.random.default_rng((self._config.seed, step)).permutation(
            self._program.samples
        )
        return shuffled[: shape[0] * shape[1]].reshape(shape).astype(np.int32)


def _check(config: TrialConfig) -> None:
    if config.epochs < 1:
        raise ValueError(f"epochs: must be at least 1, got {config.epochs}")
    if not 0 <= config.seed < 2**32:
        raise ValueError(f"seed: must be from 0 to 2**32 - 1, got {config.seed}")


def _check_metric(config: TrialConfig, metrics: Sequence[str]) -> None:
    known = [*metrics, *(f"val_{name}" for name in metrics)]
    if config.metric not in known:
        raise ValueError(
            f"metric: task {config.task} reports {', '.join(known)}, not {config.metric}"
        )


def _curve(config: TrialConfig, learning_rate: float, updates_per_epoch: int) -> schedules.Curve:
    with _within("schedule"):
        return schedules.build(
            config.schedule,
            learning_rate=learning_rate,
            epochs=config.epochs,
            updates_per_epoch=updates_per_epoch,
            warmup=config.warmup,
            direction=config.direction,
        )


@contextmanager
def _within(place: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{place}.{error}") from None


def _identity(config: TrialConfig) -> Any:
    """The configuration as JSON gives it back; tuples become lists."""
    return json.loads(json.dumps(asdict(config)))
