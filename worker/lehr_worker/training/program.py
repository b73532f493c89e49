"""A program: one model, optimizer and data, compiled once and run for any number of trials.

This module is the TensorFlow back end. The engine uses `samples`, `batch_size`,
`updates_per_epoch`, `metrics`, `reset`, `run_epoch`, `evaluate`, `state` and `restore` of it, and
no more; learning rates and order are inputs.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import numpy as np
import tensorflow as tf

from lehr_worker.task import Data, Task
from lehr_worker.training import live, optimizers
from lehr_worker.training.checkpoints import BadCheckpoint
from lehr_worker.training.errors import OutOfMemory

EVALUATION_BATCH: Final = 1000
STARTS_KEPT: Final = 40


class DeviceData:
    """A task's data on the device. Raises ValueError where a part of it is empty."""

    def __init__(self, data: Data) -> None:
        with _out_of_memory():
            self.train = _tensors((data.x_train, data.y_train))
            self.validation = _tensors((data.x_validation, data.y_validation))
        self.samples = _samples("train", self.train)
        self.validation_samples = _samples("validation", self.validation)


class Program:
    """Trains and evaluates by graphs that are built once.

    `traces` counts how often the epoch's graph was built: once in a program's life. `xla` says
    whether XLA compiled it.
    """

    _starts: ClassVar[int] = 0  # of all programs: what Keras and TensorFlow keep is the process's

    def __init__(
        self,
        task: Task,
        parameters: Mapping[str, Any],
        optimizer: Mapping[str, Any],
        data: DeviceData,
        *,
        xla: bool | None = None,
    ) -> None:
        self._task = task
        self._data = data
        self.samples = data.samples
        self.batch_size = parameters["batch_size"]
        self.updates_per_epoch = data.samples // self.batch_size
        self.traces = 0
        self._start: tuple[Any, list[np.ndarray], list[np.ndarray]] | None = None
        self._may_fall_back = xla is None
        with _out_of_memory():
            self._live_parameters = live.numbers(parameters, task.live)
            self.model = self._build_model({**parameters, **self._live_parameters})
            self._build_optimizer(parameters, optimizer)
            self._compile(_suits_xla(self.model) if xla is None else xla)

    def reset(self, parameters: Mapping[str, Any], optimizer: Mapping[str, Any], seed: int) -> None:
        """Make every variable what a new model and optimizer of this seed would start with."""
        key = (seed, *(optimizer.get(name) for name in optimizers.STARTING_SLOTS))
        with _out_of_memory():
            if self._start is None or self._start[0] != key:
                self._start = (key, *self._starting_values(parameters, optimizer, seed))
            _assign(self.model.variables, self._start[1])
            _assign(self._slots, self._start[2])
        self._optimizer.learning_rate = optimizer["learning_rate"]
        live.set_all(self._live_parameters, parameters)
        live.set_all(self._live_arguments, optimizer)

    def run_epoch(self, order: np.ndarray, rates: np.ndarray) -> dict[str, float]:
        """Make one update for each row of `order`; the metrics of training.

        `order` [updates_per_epoch, batch_size] (int32) holds indices of samples, `rates`
        [updates_per_epoch] (float32) the learning rate of each update.
        """
        with _out_of_memory():
            try:
                return _floats(self._epoch(order, rates))
            except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
                # XLA refuses some operations, and does so before anything has run.
                if not self._may_fall_back:
                    raise
                self._compile(xla=False)
                return _floats(self._epoch(order, rates))

    def evaluate(self) -> dict[str, float]:
        """The metrics of the validation data, at the weights that the optimizer is judged by."""
        with _out_of_memory():
            judged = optimizers.evaluation_weights(self._optimizer)
            if judged is None:
                return _floats(self._evaluation())
            current = [v.numpy() for v in self.model.trainable_variables]
            _assign(self.model.trainable_variables, judged)
            metrics = _floats(self._evaluation())
            _assign(self.model.trainable_variables, current)
            return metrics

    def state(self) -> dict[str, np.ndarray]:
        """Everything that training changes: weights, seed states, slots, counters."""
        return {name: variable.numpy() for name, variable in self._variables()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a `state()` of an equal program. Raises BadCheckpoint if it is not one."""
        variables = dict(self._variables())
        shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
        if {name: array.shape for name, array in state.items()} != shapes:
            raise BadCheckpoint("the checkpoint is one of another model or optimizer")
        for name, variable in variables.items():
            variable.assign(state[name])

    def _variables(self) -> Iterator[tuple[str, Any]]:
        for index, variable in enumerate(self.model.variables):
            yield f"model_{index}", variable
        for index, variable in enumerate(self._slots):
            yield f"optimizer_{index}", variable

    def _build_model(self, parameters: Mapping[str, Any]) -> Any:
        model = self._task.build_model(parameters)
        if not model.built:
            model(_take(self._data.train, [0])[0])
        return model

    def _starting_values(
        self, parameters: Mapping[str, Any], optimizer: Mapping[str, Any], seed: int
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The variables of a new model and of a new optimizer on it."""
        # Keras draws its seeds from Python. Setting TensorFlow's seed makes it forget its compiled
        # functions as well (0.2 s a trial); without that, though, it keeps something of every
        # variable ever made (0.5 MB a trial), so now and then it is made to forget.
        Program._starts += 1
        if Program._starts % STARTS_KEPT == 0:
            tf.random.set_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        model = self._build_model(parameters)
        fresh = optimizers.create(optimizer)
        fresh.build(model.trainable_variables)
        slots = optimizers.variables(fresh)
        return [v.numpy() for v in model.variables], [v.numpy() for v in slots]

    def _build_optimizer(self, parameters: Mapping[str, Any], optimizer: Mapping[str, Any]) -> None:
        self._optimizer = optimizers.create(optimizer)
        self.model.compile(
            optimizer=self._optimizer,
            loss=self._task.build_loss(parameters),
            metrics=self._task.build_metrics(parameters),
        )
        self._optimizer.build(self.model.trainable_variables)
        self._slots = optimizers.variables(self._optimizer)
        self._live_arguments = live.numbers(optimizer, optimizers.LIVE)
        for name, number in self._live_arguments.items():
            setattr(self._optimizer, name, number)

    def _compile(self, xla: bool) -> None:
        self.xla = xla
        # Metrics make their variables when first used, which must not be inside a loop.
        self.metrics = tuple(self.model.test_step(_take(self._data.train, [0])))
        order = tf.TensorSpec([self.updates_per_epoch, self.batch_size], tf.int32)
        rates = tf.TensorSpec([self.updates_per_epoch], tf.float32)
        self._epoch = _compiled(self._trace_epoch, xla, [order, rates])
        self._evaluation = _compiled(self._trace_evaluation, xla, [])

    def _trace_epoch(self, order: tf.Tensor, rates: tf.Tensor) -> dict[str, tf.Tensor]:
        self.traces += 1
        self.model.reset_metrics()

        def update(index: tf.Tensor) -> None:
            self._optimizer.learning_rate = tf.gather(rates, index)
            self.model.train_step(_take(self._data.train, tf.gather(order, index)))

        _repeat(self.updates_per_epoch, update)
        return dict(self.model.get_metrics_result())

    def _trace_evaluation(self) -> dict[str, tf.Tensor]:
        self.model.reset_metrics()
        batches, rest = divmod(self._data.validation_samples, EVALUATION_BATCH)

        def evaluate(start: tf.Tensor, size: int) -> None:
            self.model.test_step(_take(self._data.validation, start + tf.range(size)))

        _repeat(batches, lambda index: evaluate(index * EVALUATION_BATCH, EVALUATION_BATCH))
        if rest:
            evaluate(tf.constant(batches * EVALUATION_BATCH), rest)
        return dict(self.model.get_metrics_result())


def _compiled(function: Callable[..., Any], xla: bool, signature: list[tf.TensorSpec]) -> Any:
    return tf.function(function, input_signature=signature, autograph=False, jit_compile=xla)


def _repeat(count: int, body: Callable[[tf.Tensor], None]) -> None:
    def once(index: tf.Tensor) -> tuple[tf.Tensor]:
        body(index)
        return (index + 1,)

    tf.while_loop(lambda index: index < count, once, (tf.constant(0),), parallel_iterations=1)


def _tensors(nest: Any) -> Any:
    return tf.nest.map_structure(tf.convert_to_tensor, nest)


def _take(nest: Any, indices: Any) -> Any:
    return tf.nest.map_structure(lambda tensor: tf.gather(tensor, indices), nest)


def _samples(part: str, nest: Any) -> int:
    counts = {int(tensor.shape[0]) for tensor in tf.nest.flatten(nest)}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(f"the {part} arrays must hold equally many samples, got {sorted(counts)}")
    return counts.pop()


def _assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _floats(metrics: Mapping[str, tf.Tensor]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}


def _suits_xla(model: Any) -> bool:
    """Whether XLA makes the model faster.

    Measured on a CPU, against the same graph without it: dense models 2-3 times faster,
    convolutions 4 times slower, dropout 5-20 times slower.
    """
    if tf.config.list_logical_devices("GPU"):
        return True
    is_random = any(variable.name == "seed_generator_state" for variable in model.variables)
    return not is_random and not any("Conv" in type(layer).__name__ for layer in _layers(model))


def _layers(layer: Any) -> Iterator[Any]:
    yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _layers(inner)


@contextmanager
def _out_of_memory() -> Iterator[None]:
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise OutOfMemory(str(error).splitlines()[0]) from error
