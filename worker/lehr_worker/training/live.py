"""Numbers that a compiled program reads anew each time it runs."""

import numbers as abstract
import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

Operation = Callable[[Any, Any], Any]

_ON_TENSORFLOW = keras.backend.backend() == "tensorflow"


class _Cell:
    """The value of a number: a variable that TensorFlow's graph reads, or what JAX traces it by."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.traced: Any = None
        self._variable = (
            keras.Variable(value, dtype="float64", trainable=False) if _ON_TENSORFLOW else None
        )

    def set(self, value: float) -> None:
        self.value = value
        if self._variable is not None:
            self._variable.assign(value)

    def read(self) -> Any:
        if self._variable is not None:
            return self._variable.value
        return self.value if self.traced is None else self.traced


def _self(value: Any) -> Any:
    return value


class LiveNumber:
    """Stands where Keras expects a Python float, and can change without a new trace.

    Arithmetic with Python numbers stays in float64 and is rounded only where it meets a tensor, so
    that `1 - beta` is as exact as Keras computes it from a float (in float32 on JAX, which has no
    other: 1 - beta is off by one part in 10,000 for a beta of .9999). Comparisons, which decide
    about the graph, are made when it is traced: a number must not change across 0 afterwards.
    """

    def __init__(self, cell: _Cell, formula: Callable[[Any], Any] = _self) -> None:
        self._cell = cell
        self._formula = formula

    @classmethod
    def of(cls, value: float) -> "LiveNumber":
        return cls(_Cell(value))

    def set(self, value: float) -> None:
        self._cell.set(value)

    @contextmanager
    def traced_by(self, tracer: Any) -> Iterator[None]:
        """Within, JAX's tracer stands for the value."""
        self._cell.traced = tracer
        try:
            yield
        finally:
            self._cell.traced = None

    def __jax_array__(self) -> Any:
        return self.tensor()

    def __float__(self) -> float:
        return float(self._formula(self._cell.value))

    def tensor(self, dtype: Any = None) -> Any:
        return keras.ops.cast(self._formula(self._cell.read()), dtype or "float32")

    def _with(self, operation: Operation, other: Any) -> Any:
        if isinstance(other, int | float):
            return LiveNumber(self._cell, lambda v: operation(self._formula(v), other))
        other = keras.ops.convert_to_tensor(other)
        return operation(self.tensor(other.dtype), other)

    def __add__(self, other: Any) -> Any:
        return self._with(operator.add, other)

    def __radd__(self, other: Any) -> Any:
        return self._with(_reversed(operator.add), other)

    def __sub__(self, other: Any) -> Any:
        return self._with(operator.sub, other)

    def __rsub__(self, other: Any) -> Any:
        return self._with(_reversed(operator.sub), other)

    def __mul__(self, other: Any) -> Any:
        return self._with(operator.mul, other)

    def __rmul__(self, other: Any) -> Any:
        return self._with(_reversed(operator.mul), other)

    def __truediv__(self, other: Any) -> Any:
        return self._with(operator.truediv, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._with(_reversed(operator.truediv), other)

    def __neg__(self) -> "LiveNumber":
        return LiveNumber(self._cell, lambda v: -self._formula(v))

    def __bool__(self) -> bool:
        return float(self) != 0.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float | LiveNumber) and float(self) == float(other)

    def __hash__(self) -> int:
        return id(self)

    def __lt__(self, other: Any) -> bool:
        return float(self) < float(other)

    def __le__(self, other: Any) -> bool:
        return float(self) <= float(other)

    def __gt__(self, other: Any) -> bool:
        return float(self) > float(other)

    def __ge__(self, other: Any) -> bool:
        return float(self) >= float(other)


def _reversed(operation: Operation) -> Operation:
    return lambda left, right: operation(right, left)


def _convert(number: LiveNumber, dtype: Any = None, name: Any = None, as_ref: bool = False) -> Any:
    return NotImplemented if as_ref else number.tensor(dtype)


if _ON_TENSORFLOW:
    import tensorflow as tf

    tf.register_tensor_conversion_function(LiveNumber, _convert)
else:  # JAX asks what it converts
    setattr(LiveNumber, "dtype", np.dtype("float32"))  # noqa: B010
    setattr(LiveNumber, "shape", ())  # noqa: B010
abstract.Real.register(LiveNumber)  # tf.nn.dropout computes with any real number


def numbers(values: Mapping[str, Any], names: frozenset[str]) -> dict[str, LiveNumber]:
    """A live number for each of the values that can be one: a float of these names, not 0.

    Zero often switches a part of the graph off, so it stays a plain number.
    """
    return {n: LiveNumber.of(v) for n, v in values.items() if _can_live(n, v, names)}


def set_all(live: Mapping[str, LiveNumber], values: Mapping[str, Any]) -> None:
    """Give each live number its value."""
    for name, number in live.items():
        number.set(values[name])


def shape(values: Mapping[str, Any], names: frozenset[str]) -> tuple[tuple[str, Any], ...]:
    """What of the values the graph depends on: two with equal shapes share a program."""
    return tuple((n, "live" if _can_live(n, v, names) else v) for n, v in sorted(values.items()))


def _can_live(name: str, value: Any, names: frozenset[str]) -> bool:
    return name in names and isinstance(value, float) and value != 0.0
