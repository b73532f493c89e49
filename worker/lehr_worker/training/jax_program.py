"""Programs on Keras's JAX back end: an epoch is one call of one compiled scan."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np

from lehr_worker.training.data import StreamData
from lehr_worker.training.errors import one_number
from lehr_worker.training.program import Program

EVALUATION_BATCH: Final = 1000


class _State(NamedTuple):
    """The values of the model's and the optimizer's variables, in the order that Keras has them."""

    trainable: list[jax.Array]
    other: list[jax.Array]
    optimizer: list[jax.Array]
    metrics: list[jax.Array]


class JaxProgram(Program):
    """See `Program`."""

    def _compile(self) -> None:
        listed = {id(variable) for variable in self.model.optimizer.variables}
        for variable in self._slots:
            if id(variable) not in listed:  # Keras would trace it, and lose what was assigned
                self._optimizer._variables.append(variable)
        self.model._symbolic_build(data_batch=self._data.example())
        self.model.reset_metrics()
        self._no_metrics = [variable.value for variable in self.model.metrics_variables]
        self.metrics = tuple(self.model.get_metrics_result())
        self._live = [*self._live_parameters.values(), *self._live_arguments.values()]
        self._rate = next(
            index
            for index, variable in enumerate(self.model.optimizer.variables)
            if variable is self._optimizer._learning_rate
        )
        self._epoch = jax.jit(self._trace_epoch)
        self._update = jax.jit(self._trace_update)
        self._evaluation = jax.jit(self._trace_evaluation)
        self._test = jax.jit(self._trace_test)
        self._losses = jax.jit(self._trace_sweep)

    def _run_epoch(
        self, feed: Any, rates: np.ndarray, keeps: np.ndarray | None
    ) -> dict[str, float]:
        keeps = np.zeros_like(rates) if keeps is None else keeps
        carry = self._values(), [variable.value for variable in self._averages]
        if isinstance(self._data, StreamData):
            batches = iter(feed)
            for index in range(len(rates)):
                batch = _next(batches, index, len(rates))
                carry = self._update(carry, batch, rates[index], keeps[index], self._numbers())
        else:
            carry = self._epoch(carry, self._data.train, feed, rates, keeps, self._numbers())
        state, averages = carry
        self._keep(state)
        for variable, value in zip(self._averages, averages, strict=True):
            variable.assign(value)
        return self._results(state.metrics)

    def _evaluate(self) -> dict[str, float]:
        return self._evaluate_at(self._values())

    def _evaluate_averages(self) -> dict[str, float]:
        averages = {id(v): a.value for v, a in zip(self._averaged, self._averages, strict=True)}
        return self._evaluate_at(self._values(averages))

    def _evaluate_at(self, state: _State) -> dict[str, float]:
        if not isinstance(self._data, StreamData):
            return self._results(self._evaluation(state, self._data.validation, self._numbers()))
        metrics = state.metrics
        for batch in self._data.validation:
            metrics = self._test(state._replace(metrics=metrics), _arrays(batch), self._numbers())
        return self._results(metrics)

    def _sweep(self, order: np.ndarray, rates: np.ndarray) -> np.ndarray:
        if isinstance(self._data, StreamData):
            raise TypeError("a sweep needs arrays")
        losses = self._losses(self._values(), self._data.train, order, rates, self._numbers())
        return np.asarray(losses)

    def _trace_epoch(
        self, carry: Any, data: Any, order: jax.Array, rates: jax.Array, keeps: jax.Array, live: Any
    ) -> Any:
        self.traces += 1

        def update(carry: Any, inputs: Any) -> Any:
            rows, rate, keep = inputs
            return self._step(carry, _take(data, rows), rate, keep), None

        with self._traced(live):
            return jax.lax.scan(update, carry, (order, rates, keeps))[0]

    def _trace_update(self, carry: Any, batch: Any, rate: Any, keep: Any, live: Any) -> Any:
        self.traces += 1
        with self._traced(live):
            return self._step(carry, batch, rate, keep)

    def _step(self, carry: Any, batch: Any, rate: Any, keep: Any) -> Any:
        state, averages = carry
        _, state = self._train_step(state, batch, rate)
        values = self._by_variable(state)
        averages = [
            average + (1.0 - keep).astype(average.dtype) * (values[id(variable)] - average)
            for variable, average in zip(self._averaged, averages, strict=True)
        ]
        return state, averages

    def _train_step(self, state: _State, batch: Any, rate: Any) -> tuple[dict[str, Any], _State]:
        slots = list(state.optimizer)
        slots[self._rate] = jnp.asarray(rate, slots[self._rate].dtype)
        logs, after = self.model.train_step(
            (state.trainable, state.other, slots, state.metrics), batch
        )
        return logs, _State(*(list(part) for part in after))

    def _trace_evaluation(self, state: _State, data: Any, live: Any) -> list[jax.Array]:
        count = jax.tree.leaves(data)[0].shape[0]
        batches = count // EVALUATION_BATCH
        whole = batches * EVALUATION_BATCH

        def test(metrics: Any, batch: Any) -> Any:
            return self._test_step(state._replace(metrics=metrics), batch), None

        with self._traced(live):
            metrics = state.metrics
            if batches:
                parts = jax.tree.map(
                    lambda a: a[:whole].reshape(batches, EVALUATION_BATCH, *a.shape[1:]), data
                )
                metrics, _ = jax.lax.scan(test, metrics, parts)
            if count > whole:
                metrics, _ = test(metrics, jax.tree.map(lambda a: a[whole:], data))
        return list(metrics)

    def _trace_test(self, state: _State, batch: Any, live: Any) -> list[jax.Array]:
        with self._traced(live):
            return self._test_step(state, batch)

    def _test_step(self, state: _State, batch: Any) -> list[jax.Array]:
        _, after = self.model.test_step((state.trainable, state.other, state.metrics), batch)
        return list(after[-1])

    def _trace_sweep(
        self, state: _State, data: Any, order: jax.Array, rates: jax.Array, live: Any
    ) -> jax.Array:
        def update(state: _State, inputs: Any) -> Any:
            rows, rate = inputs
            fresh = state._replace(metrics=self._no_metrics)
            logs, after = self._train_step(fresh, _take(data, rows), rate)
            return after, self._loss(logs)

        with self._traced(live):
            losses: jax.Array = jax.lax.scan(update, state, (order, rates))[1]
        return losses

    def _values(self, instead: Mapping[int, Any] | None = None) -> _State:
        """The current values, other ones for the variables whose ids are given; metrics reset."""
        instead = instead or {}

        def values(variables: list[Any]) -> list[jax.Array]:
            return [instead.get(id(variable), variable.value) for variable in variables]

        return _State(
            values(self.model.trainable_variables),
            values(self.model.non_trainable_variables),
            values(self.model.optimizer.variables),
            self._no_metrics,
        )

    def _keep(self, state: _State) -> None:
        groups = (
            (self.model.trainable_variables, state.trainable),
            (self.model.non_trainable_variables, state.other),
            (self.model.optimizer.variables, state.optimizer),
        )
        for variables, values in groups:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def _by_variable(self, state: _State) -> dict[int, jax.Array]:
        variables = [*self.model.trainable_variables, *self.model.non_trainable_variables]
        values = [*state.trainable, *state.other]
        return {id(v): value for v, value in zip(variables, values, strict=True)}

    def _results(self, metrics: list[jax.Array]) -> dict[str, float]:
        for variable, value in zip(self.model.metrics_variables, metrics, strict=True):
            variable.assign(value)
        results = {n: one_number(n, v) for n, v in self.model.get_metrics_result().items()}
        self.model.reset_metrics()
        return results

    def _numbers(self) -> list[np.float32]:
        return [np.float32(float(number)) for number in self._live]

    @contextmanager
    def _traced(self, live: list[Any]) -> Iterator[None]:
        with ExitStack() as stack:
            for number, tracer in zip(self._live, live, strict=True):
                stack.enter_context(number.traced_by(tracer))
            yield


def _next(feed: Iterator[Any], index: int, batches: int) -> Any:
    try:
        return _arrays(next(feed))
    except StopIteration:
        raise ValueError(
            f"the stream ended after {index} of its epoch's {batches} batches; "
            "set the task's Stream(updates_per_epoch=...) to what it has"
        ) from None


def _arrays(batch: Any) -> Any:
    """The batch as JAX takes it, also where it comes from TensorFlow."""
    return keras.tree.map_structure(np.asarray, batch)


def _take(data: Any, rows: jax.Array) -> Any:
    return jax.tree.map(lambda array: array[rows], data)
