"""A program: one model, optimizer and data, compiled once and run for any number of trials.

Back ends differ in how they compile an epoch and in nothing else: `tensorflow_program` and
`jax_program` complete the class below. Learning rates and the order of samples are inputs.
"""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from lehr_worker.task import Task, expected
from lehr_worker.training import live, optimizers
from lehr_worker.training.checkpoints import BadCheckpoint
from lehr_worker.training.data import DeviceData, StreamData
from lehr_worker.training.errors import raises_out_of_memory


class Program(ABC):
    """Trains and evaluates by graphs that are built once.

    `traces` counts how often an epoch's graph was built: once for each batch size in a program's
    life. `averages` says whether a moving average of the weights is kept.
    """

    def __init__(
        self,
        task: Task,
        parameters: Mapping[str, Any],
        optimizer: Mapping[str, Any],
        data: DeviceData | StreamData,
        *,
        averages: bool = False,
    ) -> None:
        self._task = task
        self._data = data
        self.averages = averages
        self.metrics: tuple[str, ...] = ()
        self.traces = 0
        self._start: tuple[Any, list[np.ndarray], list[np.ndarray]] | None = None
        with raises_out_of_memory():
            self._live_parameters = live.numbers(parameters, task.live)
            self.model = self._build_model({**parameters, **self._live_parameters})
            self._build_optimizer(parameters, optimizer)
            self._averaged = [v for v in self.model.variables if _is_float(v)] if averages else []
            self._averages = [_copy(variable) for variable in self._averaged]
            self._compile()
            self._others = [v for o in _others(self.model) for v in optimizers.variables(o)]
            self._others_at_first = [_numpy(variable) for variable in self._others]

    @property
    def nbytes(self) -> int:
        """Bytes of weights, slots and averages, with the copy that a trial starts from."""
        held = sum(_size(variable) for _, variable in self._variables())
        return 2 * held

    def reset(self, parameters: Mapping[str, Any], optimizer: Mapping[str, Any], seed: int) -> None:
        """Make every variable what a new model and optimizer of this seed would start with."""
        key = (seed, *(optimizer.get(name) for name in optimizers.STARTING_SLOTS))
        with raises_out_of_memory():
            if self._start is None or self._start[0] != key:
                self._start = (key, *self._starting_values(parameters, optimizer, seed))
            _assign(self.model.variables, self._start[1])
            _assign(self._slots, self._start[2])
            _assign(self._averages, self._averaged)
            _assign(self._others, self._others_at_first)
        self._optimizer.learning_rate = optimizer["learning_rate"]
        live.set_all(self._live_parameters, parameters)
        live.set_all(self._live_arguments, optimizer)

    def run_epoch(
        self, feed: Any, rates: np.ndarray, keeps: np.ndarray | None = None
    ) -> dict[str, float]:
        """Train on each batch of `feed`, which `data.feed` made; the metrics of training.

        `rates` [batches] (float32) is the learning rate of each batch, `keeps` [batches] (float32)
        the share of the moving average that outlives it (where the program has one).
        """
        with raises_out_of_memory():
            return self._run_epoch(feed, rates, keeps)

    def evaluate(self) -> dict[str, float]:
        """The metrics of the validation data, at the weights that the optimizer is judged by."""
        with raises_out_of_memory():
            judged = optimizers.evaluation_weights(self._optimizer)
            if judged is None:
                return self._evaluate()
            weights = self.model.trainable_variables
            current = [_numpy(variable) for variable in weights]
            _assign(weights, judged)
            metrics = self._evaluate()
            _assign(weights, current)
            return metrics

    def evaluate_averages(self) -> dict[str, float]:
        """The metrics of the validation data at the moving average of the weights.

        The statistics of batch normalisation are averaged like the weights: running training data
        through the averaged network again would cost a good part of an epoch.
        """
        with raises_out_of_memory():
            return self._evaluate_averages()

    def sweep(self, order: np.ndarray, rates: np.ndarray) -> np.ndarray:
        """One update at each rate; the loss [updates] of each batch before its update.

        `order` [updates, batch_size] (int32) holds indices of samples. The loss is what the model's
        `train_step` reports with its metrics reset before each batch, so it holds regularisation,
        and Keras's running mean over the batches so far does not blur it.
        """
        with raises_out_of_memory():
            return self._sweep(order, rates)

    def state(self) -> dict[str, np.ndarray]:
        """Everything that training changes: weights, seed states, slots, counters, averages."""
        with raises_out_of_memory():
            return {name: _numpy(variable) for name, variable in self._variables()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a `state()` of an equal program. Raises BadCheckpoint if it is not one."""
        variables = dict(self._variables())
        shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
        if {name: array.shape for name, array in state.items()} != shapes:
            raise BadCheckpoint("the checkpoint is one of another model or optimizer")
        with raises_out_of_memory():
            for name, variable in variables.items():
                variable.assign(state[name])

    @abstractmethod
    def _compile(self) -> None:
        """Get ready to run, and set `metrics` to the names of the task's."""

    @abstractmethod
    def _run_epoch(
        self, feed: Any, rates: np.ndarray, keeps: np.ndarray | None
    ) -> dict[str, float]:
        """See `run_epoch`."""

    @abstractmethod
    def _evaluate(self) -> dict[str, float]:
        """The metrics of the validation data at the current weights."""

    @abstractmethod
    def _evaluate_averages(self) -> dict[str, float]:
        """The metrics of the validation data at the averages."""

    @staticmethod
    def _loss(returned: Mapping[str, Any]) -> Any:
        """The loss among what a `train_step` returned. Raises ValueError if there is none."""
        if "loss" not in returned:
            names = ", ".join(returned)
            raise ValueError(f"task: a range test needs a train_step with a loss, not {names} only")
        return returned["loss"]

    @abstractmethod
    def _sweep(self, order: np.ndarray, rates: np.ndarray) -> np.ndarray:
        """See `sweep`."""

    def _forget(self) -> None:
        """Let the back end forget what it keeps of models that are gone; it may keep nothing."""
        return

    def _variables(self) -> Iterator[tuple[str, Any]]:
        groups = {
            "model": self.model.variables,
            "optimizer": self._slots,
            "mean": self._averages,
            "other": self._others,
        }
        for group, variables in groups.items():
            for index, variable in enumerate(variables):
                yield f"{group}_{index}", variable

    def _build_model(self, parameters: Mapping[str, Any]) -> Any:
        model = self._task.build_model(parameters)
        with self._task.part("model"):
            expected(model, keras.Model)
        if not model.built:
            model(self._data.example()[0])
        return model

    def _starting_values(
        self, parameters: Mapping[str, Any], optimizer: Mapping[str, Any], seed: int
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The variables of a new model and of a new optimizer on it."""
        self._forget()
        random.seed(seed)  # Keras draws its seeds from Python
        np.random.seed(seed)
        model = self._build_model(parameters)
        fresh = optimizers.create(optimizer, scaled=optimizers.is_scaled(self.model.optimizer))
        fresh.build(model.trainable_variables)
        slots = optimizers.variables(fresh)
        return [_numpy(v) for v in model.variables], [_numpy(v) for v in slots]

    def _build_optimizer(self, parameters: Mapping[str, Any], optimizer: Mapping[str, Any]) -> None:
        self._optimizer = optimizers.create(optimizer)
        self.model.compile(
            optimizer=self._optimizer,
            loss=self._task.build_loss(parameters),
            metrics=self._task.build_metrics(parameters),
        )
        self.model.optimizer.build(self.model.trainable_variables)
        self._slots = optimizers.variables(self.model.optimizer)
        self._live_arguments = live.numbers(optimizer, optimizers.LIVE)
        for name, number in self._live_arguments.items():
            setattr(self._optimizer, name, number)


def _others(model: Any) -> list[keras.Optimizer]:
    """What a `train_step` of the task's own uses beside the optimizer that is searched."""
    held = [value for value in vars(model).values() if isinstance(value, keras.Optimizer)]
    return [optimizer for optimizer in held if optimizer is not model.optimizer]


def _assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _numpy(variable: Any) -> np.ndarray:
    value = variable.value
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value)


def _copy(variable: Any) -> Any:
    return keras.Variable(_numpy(variable), dtype=variable.dtype, trainable=False)


def _is_float(variable: Any) -> bool:
    return bool(keras.backend.is_float_dtype(variable.dtype))


def _size(variable: Any) -> int:
    itemsize: int = np.dtype(variable.dtype).itemsize
    return math.prod(int(length) for length in variable.shape) * itemsize
