"""Programs on Keras's TensorFlow back end: an epoch is one call of one graph."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final

import keras
import numpy as np
import tensorflow as tf

from lehr_worker.training.data import StreamData
from lehr_worker.training.errors import one_number
from lehr_worker.training.program import Program

EVALUATION_BATCH: Final = 1000
STARTS_KEPT: Final = 40
_REFUSALS: Final = (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError)
"""What XLA raises at operations that it does not know, before anything has run."""
GLOBAL_SEED: Final = 0  # tf.data mixes it into the seeds of a stream, which must repeat elsewhere


class TensorFlowProgram(Program):
    """See `Program`. `xla` says whether XLA compiles it; None chooses where it is faster."""

    _starts: ClassVar[int] = 0  # of all programs: what Keras and TensorFlow keep is the process's

    def __init__(self, *args: Any, xla: bool | None = None, **options: Any) -> None:
        if TensorFlowProgram._starts == 0:
            tf.random.set_seed(GLOBAL_SEED)
        self._may_fall_back = xla is None
        self._asked = xla
        super().__init__(*args, **options)

    def _compile(self) -> None:
        # Metrics make their variables when first used, which must not be inside a loop.
        tested = self.model.test_step(self._data.example())
        self.metrics = tuple(tested)
        self._tested = self._untracked(tested)
        self._trained = self._untracked(self._returned_by_train_step())
        self._use_xla(self._suits_xla() if self._asked is None else self._asked)

    def _use_xla(self, xla: bool) -> None:
        self.xla = xla
        self._epochs: dict[Any, Any] = {}
        by_step = xla and self._data.is_stream  # XLA cannot compile the reading of a stream
        self._step = _compiled(self._trace_step, True) if by_step else self._trace_step
        # On a CPU XLA takes .2 s to compile an evaluation and saves milliseconds of each: too few
        # where an epoch has one, not where averages are evaluated as well.
        evaluated = xla and not self._data.is_stream and (_on_gpu() or self.averages)
        self._evaluation = _compiled(self._trace_evaluation, evaluated)
        self._exchange = _compiled(self._trace_exchange, False)
        self._losses = _compiled(self._trace_sweep, False)

    def _run_epoch(
        self, feed: Any, rates: np.ndarray, keeps: np.ndarray | None
    ) -> dict[str, float]:
        if keeps is None:
            keeps = np.zeros(0, np.float32)
        feed = iter(feed) if self._data.is_stream else feed
        try:
            return _floats(self._epoch(feed, len(rates))(feed, rates, keeps))
        except tf.errors.OutOfRangeError:
            if not self._data.is_stream:
                raise
            raise ValueError(
                f"the stream ended before its epoch's {len(rates)} batches; "
                "set the task's Stream(updates_per_epoch=...) to what it has"
            ) from None
        except _REFUSALS:
            if not (self._may_fall_back and self.xla):
                raise
            self._use_xla(False)
            return _floats(self._epoch(feed, len(rates))(feed, rates, keeps))

    def _evaluate(self) -> dict[str, float]:
        try:
            return _floats(self._evaluation())
        except _REFUSALS:
            if not (self._may_fall_back and self.xla):
                raise
            # Its epochs go on as they are: the first trial's results must be those of any other.
            self._evaluation = _compiled(self._trace_evaluation, False)
            return _floats(self._evaluation())

    def _evaluate_averages(self) -> dict[str, float]:
        self._exchange()
        try:
            return self._evaluate()
        finally:
            self._exchange()

    def _sweep(self, order: np.ndarray, rates: np.ndarray) -> np.ndarray:
        losses: np.ndarray = self._losses(tf.constant(order), tf.constant(rates)).numpy()
        return losses

    def _forget(self) -> None:
        # Setting TensorFlow's seed makes it forget its compiled functions as well (0.2 s a trial);
        # without that, though, it keeps something of every variable ever made (0.5 MB a trial), so
        # now and then it is made to forget.
        TensorFlowProgram._starts += 1
        if TensorFlowProgram._starts % STARTS_KEPT == 0:
            tf.random.set_seed(GLOBAL_SEED)

    def _epoch(self, feed: Any, batches: int) -> Any:
        """The compiled epoch for feeds of this kind."""
        key = batches if self._data.is_stream else feed.shape
        if key not in self._epochs:
            whole = self.xla and not self._data.is_stream
            self._epochs[key] = _compiled(self._trace_epoch, whole)
        return self._epochs[key]

    def _trace_epoch(self, feed: Any, rates: tf.Tensor, keeps: tf.Tensor) -> dict[str, tf.Tensor]:
        self.traces += 1
        self.model.reset_metrics()

        def update(index: tf.Tensor) -> None:
            self._step(self._batch(feed, index), tf.gather(rates, index))
            if self.averages:
                self._average(tf.gather(keeps, index))

        _repeat(rates.shape[0], update)
        return self._results(self._trained)

    def _batch(self, feed: Any, index: tf.Tensor) -> Any:
        if isinstance(self._data, StreamData):
            return feed.get_next()
        return _take(self._data.train, tf.gather(feed, index))

    def _trace_step(self, batch: Any, rate: tf.Tensor) -> None:
        self._optimizer.learning_rate = rate
        _keep(self._trained, self.model.train_step(batch))

    def _test_step(self, batch: Any) -> None:
        _keep(self._tested, self.model.test_step(batch))

    def _average(self, keep: tf.Tensor) -> None:
        for average, variable in zip(self._averages, self._averaged, strict=True):
            change = tf.cast(1.0 - keep, average.dtype) * (variable.value - average.value)
            average.assign(average.value + change)

    def _trace_evaluation(self) -> dict[str, tf.Tensor]:
        self.model.reset_metrics()
        if isinstance(self._data, StreamData):
            _over(self._data.validation, self._test_step)
            return self._results(self._tested)
        batches, rest = divmod(self._data.validation_samples, EVALUATION_BATCH)

        def evaluate(start: tf.Tensor, size: int) -> None:
            self._test_step(_take(self._data.validation, start + tf.range(size)))

        _repeat(batches, lambda index: evaluate(index * EVALUATION_BATCH, EVALUATION_BATCH))
        if rest:
            evaluate(tf.constant(batches * EVALUATION_BATCH), rest)
        return self._results(self._tested)

    def _trace_exchange(self) -> None:
        """Put the averages in the weights' place, and these in theirs."""
        for variable, average in zip(self._averaged, self._averages, strict=True):
            current = tf.identity(variable.value)
            variable.assign(average.value)
            average.assign(current)

    def _trace_sweep(self, order: tf.Tensor, rates: tf.Tensor) -> tf.Tensor:
        if isinstance(self._data, StreamData):
            raise TypeError("a sweep needs arrays")
        samples = self._data.train

        def update(index: tf.Tensor, losses: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            self._optimizer.learning_rate = tf.gather(rates, index)
            self.model.reset_metrics()
            loss = self._loss(self.model.train_step(_take(samples, tf.gather(order, index))))
            return index + 1, losses.write(index, tf.cast(loss, tf.float32))

        _, losses = tf.while_loop(
            lambda index, _: index < rates.shape[0],
            update,
            (tf.constant(0), tf.TensorArray(tf.float32, size=rates.shape[0])),
            parallel_iterations=1,
        )
        return losses.stack()

    def _returned_by_train_step(self) -> Mapping[str, Any]:
        if type(self.model).train_step is keras.Model.train_step:
            return dict(self.model.get_metrics_result())
        traced = _compiled(self.model.train_step, False).get_concrete_function(self._data.example())
        return dict(traced.structured_outputs)

    def _untracked(self, returned: Mapping[str, Any]) -> dict[str, tf.Variable]:
        """Where to keep what a step of the task's own returns and no metric has under that name.

        The last step's counts then, as in Keras's `fit`.
        """
        if set(returned) == set(self.model.get_metrics_result()):
            return {}
        return {name: _variable_for(value) for name, value in returned.items()}

    def _results(self, untracked: Mapping[str, tf.Variable]) -> dict[str, tf.Tensor]:
        if untracked:
            return {name: variable.read_value() for name, variable in untracked.items()}
        return dict(self.model.get_metrics_result())

    def _suits_xla(self) -> bool:
        """Whether XLA makes the model faster.

        Measured on a CPU, against the same graph without it: dense models 2-3 times faster,
        convolutions 4 times slower, dropout 5-20 times slower.
        """
        if _on_gpu():
            return True
        is_random = any(
            variable.name == "seed_generator_state" for variable in self.model.variables
        )
        has_convolution = any("Conv" in type(layer).__name__ for layer in _layers(self.model))
        return not (is_random or has_convolution or self._data.is_stream)


def _on_gpu() -> bool:
    return bool(tf.config.list_logical_devices("GPU"))


def _compiled(function: Callable[..., Any], xla: bool) -> Any:
    return tf.function(function, autograph=False, jit_compile=xla)


def _repeat(count: int, body: Callable[[tf.Tensor], None]) -> None:
    def once(index: tf.Tensor) -> tuple[tf.Tensor]:
        body(index)
        return (index + 1,)

    tf.while_loop(lambda index: index < count, once, (tf.constant(0),), parallel_iterations=1)


def _over(dataset: tf.data.Dataset, body: Callable[[Any], Any]) -> None:
    """Run the body on each element of the dataset."""
    iterator = iter(dataset.prefetch(tf.data.AUTOTUNE))

    def once(_: tf.Tensor) -> tuple[tf.Tensor]:
        element = iterator.get_next_as_optional()

        def present() -> tf.Tensor:
            body(element.get_value())
            return tf.constant(True)

        return (tf.cond(element.has_value(), present, lambda: tf.constant(False)),)

    tf.while_loop(lambda more: more, once, (tf.constant(True),), parallel_iterations=1)


def _variable_for(value: Any) -> tf.Variable:
    tensor = tf.convert_to_tensor(value)
    return tf.Variable(tf.zeros(tensor.shape, tensor.dtype), trainable=False)


def _keep(variables: Mapping[str, tf.Variable], values: Mapping[str, Any]) -> None:
    for name, variable in variables.items():
        variable.assign(values[name])


def _take(nest: Any, indices: Any) -> Any:
    return tf.nest.map_structure(lambda tensor: tf.gather(tensor, indices), nest)


def _floats(metrics: Mapping[str, tf.Tensor]) -> dict[str, float]:
    return {name: one_number(name, value) for name, value in metrics.items()}


def _layers(layer: Any) -> Iterator[Any]:
    yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _layers(inner)
