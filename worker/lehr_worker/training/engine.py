"""Trains one trial after another, each through a program that is compiled once and reused.

An epoch has `samples // batch_size` batches: the training samples are shuffled anew each epoch, and
the last few, too few for a batch, sit this one out. The order depends on seed and epoch alone. A
batch is an update, unless the optimizer accumulates gradients.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from lehr_worker.task import Task
from lehr_worker.training import checkpoints, optimizers
from lehr_worker.training.config import TrialConfig
from lehr_worker.training.errors import Diverged, OutOfMemory
from lehr_worker.training.plan import Plan, within
from lehr_worker.training.program import Program
from lehr_worker.training.programs import Programs

Checkpoint: TypeAlias = Callable[[int, Callable[[], bytes]], None]
"""Called after each epoch's report with the step and a function that makes the state's bytes."""


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

    `programs`, `memory` and `xla` are those of `Programs`. Not for use from several threads.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        *,
        programs: int = 16,
        memory: int = 2 * 2**30,
        xla: bool | None = None,
    ) -> None:
        self.programs = Programs(tasks, most=programs, memory=memory, xla=xla)

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
            self.programs.clear()
            raise

    def _train(
        self,
        config: TrialConfig,
        on_epoch: Callable[[EpochReport], bool],
        resume: bytes | None,
        checkpoint: Checkpoint | None,
    ) -> TrialResult:
        training, report = self.programs.with_room(lambda: self._first_epoch(config, resume))
        for step in range(report.step if report else config.epochs, config.epochs):
            goes_on = on_epoch(report or training.run(step))
            report = None
            if checkpoint is not None:
                checkpoint(step, training.state)
            if not goes_on:
                return TrialResult(steps=step + 1, stopped=step + 1 < config.epochs)
        return TrialResult(steps=config.epochs, stopped=False)

    def _first_epoch(
        self, config: TrialConfig, resume: bytes | None
    ) -> tuple["_Training", EpochReport | None]:
        """The training and its first report, None if no epoch is left.

        Whether the device has room for a trial shows here: after an epoch it has all the memory
        that it needs.
        """
        training = self._start(config, resume)
        left = training.next_step < config.epochs
        return training, training.run(training.next_step) if left else None

    def _start(self, config: TrialConfig, resume: bytes | None) -> "_Training":
        _check(config)
        task = self.programs.task(config.task)
        with within("parameters"):
            parameters = task.complete(config.parameters)
        with within("optimizer"):
            optimizer = optimizers.complete(config.optimizer)
        data = self.programs.data(task, parameters)
        plan = Plan(config, optimizer, data, parameters["batch_size"])
        averages = config.ema is not None
        program = self.programs.program(task, parameters, optimizer, data, averages=averages)
        _check_metric(config, program.metrics)
        program.reset(parameters, optimizer, config.seed)
        training = _Training(config, program, plan)
        if resume is not None:
            training.restore(resume)
        return training


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
