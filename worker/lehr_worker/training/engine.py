"""Trains one trial after another, each through a program that is compiled once and reused.

An epoch has `samples // batch_size` batches: the training samples are shuffled anew each epoch, and
the last few, too few for a batch, sit this one out. The order depends on seed and epoch alone. A
batch is an update, unless the optimizer accumulates gradients.
"""

import gc
import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from lehr import schedules
from lehr_worker.task import Task
from lehr_worker.training import checkpoints, live, optimizers
from lehr_worker.training.backend import make_program
from lehr_worker.training.data import DeviceData, StreamData, prepared
from lehr_worker.training.errors import Diverged, OutOfMemory
from lehr_worker.training.plan import Plan, within
from lehr_worker.training.program import Program

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
    ema: float | None = None  # decay an update of a moving average of the weights; None: no average


@dataclass(frozen=True)
class EpochReport:
    """One step of a trial."""

    step: int  # epochs before this one
    metrics: dict[str, float]  # of training; of validation with the prefix val_, ema_val_ at the
    # moving average of the weights
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

    `programs` is how many, and `memory` how many bytes of weights, slots and data they may hold
    together; the one in use is always kept. `xla` None leaves it to the task. Not for use from
    several threads.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        *,
        programs: int = 16,
        memory: int = 2 * 2**30,
        xla: bool | None = None,
    ) -> None:
        self._tasks = tasks
        self._capacity = programs
        self._memory = memory
        self._xla = xla
        self._programs: OrderedDict[Any, Program] = OrderedDict()
        self._data: WeakValueDictionary[Any, DeviceData | StreamData] = WeakValueDictionary()

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
            return self._train(config, on_epoch, resume, checkpoint)
        except OutOfMemory:
            self._programs.clear()
            gc.collect()
            raise

    def _train(
        self,
        config: TrialConfig,
        on_epoch: Callable[[EpochReport], bool],
        resume: bytes | None,
        checkpoint: Checkpoint | None,
    ) -> TrialResult:
        training, report = self._begin(config, resume)
        for step in range(report.step if report else config.epochs, config.epochs):
            goes_on = on_epoch(report or training.run(step))
            report = None
            if checkpoint is not None:
                checkpoint(step, training.state)
            if not goes_on:
                return TrialResult(steps=step + 1, stopped=step + 1 < config.epochs)
        return TrialResult(steps=config.epochs, stopped=False)

    def _begin(
        self, config: TrialConfig, resume: bytes | None
    ) -> tuple["_Training", EpochReport | None]:
        """The training and the report of its first epoch, None if there is no epoch left.

        Where the device is full, the programs of other trials make room before this one is blamed;
        after an epoch it has all the memory it needs.
        """
        others = len(self._programs)
        try:
            return self._first_epoch(config, resume)
        except OutOfMemory:
            if not others:
                raise
        self._programs.clear()
        gc.collect()
        return self._first_epoch(config, resume)

    def _first_epoch(
        self, config: TrialConfig, resume: bytes | None
    ) -> tuple["_Training", EpochReport | None]:
        training = self._start(config, resume)
        left = training.next_step < config.epochs
        return training, training.run(training.next_step) if left else None

    def _start(self, config: TrialConfig, resume: bytes | None) -> "_Training":
        _check(config)
        task = self._task(config.task)
        with within("parameters"):
            parameters = task.complete(config.parameters)
        with within("optimizer"):
            optimizer = optimizers.complete(config.optimizer)
        data = self._task_data(task, parameters)
        plan = Plan(config, optimizer, data, parameters["batch_size"])
        program = self._program(task, parameters, optimizer, data, averages=config.ema is not None)
        _check_metric(config, program.metrics)
        program.reset(parameters, optimizer, config.seed)
        training = _Training(config, program, plan)
        if resume is not None:
            training.restore(resume)
        return training

    def _task(self, name: str) -> Task:
        if name not in self._tasks:
            raise ValueError(f"task: no {name} here; this worker has {', '.join(self._tasks)}")
        return self._tasks[name]

    def _program(
        self,
        task: Task,
        parameters: Mapping[str, Any],
        optimizer: Mapping[str, Any],
        data: DeviceData | StreamData,
        *,
        averages: bool,
    ) -> Program:
        key = (
            task.name,
            live.shape(parameters, task.live),
            optimizers.shape(optimizer),
            averages,
        )
        if key not in self._programs:
            self._make_room(self._capacity - 1)
            xla = task.xla if self._xla is None else self._xla
            self._programs[key] = make_program(
                task, parameters, optimizer, data, xla=xla, averages=averages
            )
            self._make_room(self._capacity)
        self._programs.move_to_end(key)
        return self._programs[key]

    def _make_room(self, capacity: int) -> None:
        """Drop the programs used longest ago until the others keep to both bounds."""
        dropped = False
        while len(self._programs) > capacity or (
            len(self._programs) > 1 and self._nbytes() > self._memory
        ):
            self._programs.popitem(last=False)
            dropped = True
        if dropped:
            gc.collect()  # a program and its graphs refer to each other

    def _nbytes(self) -> int:
        programs = sum(program.nbytes for program in self._programs.values())
        return programs + sum(data.nbytes for data in list(self._data.values()))

    def _task_data(self, task: Task, parameters: Mapping[str, Any]) -> DeviceData | StreamData:
        key = (task.name, *sorted(task.data_parameters(parameters).items()))
        data = self._data.get(key)
        if data is None:
            data = self._data[key] = prepared(task.load_data(parameters))
        return data


class _Training:
    """One trial in a program: which epoch is next, and where its schedule stands."""

    def __init__(self, config: TrialConfig, program: Program, plan: Plan) -> None:
        self.next_step = 0
        self._config = config
        self._program = program
        self._plan = plan

    def run(self, step: int) -> EpochReport:
        """Train and evaluate one epoch. Raises Diverged."""
        start = time.perf_counter()
        epoch = self._plan.epoch(step)
        metrics = self._program.run_epoch(epoch.feed, epoch.rates, epoch.keeps)
        metrics |= _prefixed("val_", self._program.evaluate())
        if self._program.averages:
            metrics |= _prefixed("ema_val_", self._program.evaluate_averages())
        if not all(math.isfinite(value) for value in metrics.values()):
            raise Diverged(step, metrics)
        self._plan.curve.observe(metrics[self._config.metric])
        self.next_step = step + 1
        seconds = time.perf_counter() - start
        return EpochReport(step, metrics, epoch.learning_rate, seconds, epoch.updates)

    def state(self) -> bytes:
        """Everything that `restore` needs to go on as if nothing had happened."""
        note = {
            "config": _identity(self._config),
            "next_step": self.next_step,
            "schedule": self._plan.curve.state(),
        }
        return checkpoints.pack(self._program.state(), note)

    def restore(self, state: bytes) -> None:
        arrays, note = checkpoints.unpack(state)
        if note.get("config") != _identity(self._config):
            raise checkpoints.BadCheckpoint("the checkpoint is one of another trial")
        self._program.restore(arrays)
        self._plan.curve.restore(note["schedule"])
        self.next_step = note["next_step"]


def _prefixed(prefix: str, metrics: Mapping[str, float]) -> dict[str, float]:
    return {f"{prefix}{name}": value for name, value in metrics.items()}


def _check(config: TrialConfig) -> None:
    if config.epochs < 1:
        raise ValueError(f"epochs: must be at least 1, got {config.epochs}")
    if config.ema is not None and not 0 < config.ema < 1:
        raise ValueError(f"ema: must be above 0 and below 1, got {config.ema}")
    if not 0 <= config.seed < 2**32:
        raise ValueError(f"seed: must be from 0 to 2**32 - 1, got {config.seed}")


def _check_metric(config: TrialConfig, metrics: Sequence[str]) -> None:
    parts = ["", "val_"] if config.ema is None else ["", "val_", "ema_val_"]
    known = [f"{part}{name}" for part in parts for name in metrics]
    if config.metric not in known:
        raise ValueError(
            f"metric: task {config.task} reports {', '.join(known)}, not {config.metric}"
        )


def _identity(config: TrialConfig) -> Any:
    """The configuration as JSON gives it back; tuples become lists."""
    return json.loads(json.dumps(asdict(config)))
