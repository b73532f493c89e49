"""A task: a named piece of code that builds a model and loads its data.

    from typing import Annotated, Literal

    from lehr_worker import Data, Parameter, task

    @task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=64)
    def my_task(
        units: Annotated[int, Parameter(low=1, high=1024)] = 128,
        dropout: Annotated[float, Parameter(low=0.0, below=1.0, live=True)] = 0.2,
        activation: Literal["relu", "gelu"] = "relu",
    ):
        "One line that says what is trained."
        import keras
        return keras.Sequential([...])

    @my_task.data
    def my_data():
        return Data(x_train, y_train, x_validation, y_validation)

The signature is the documentation: its names, types, bounds and defaults become the JSON schema
that the worker sends when it registers. Import keras inside the functions: the process that talks
to the server reads the schemas without loading TensorFlow.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

from lehr.schedules import REQUIRED, Argument

RESERVED: Final = ("batch_size", "precision", "optimizer", "schedule", "warmup")
PRECISIONS: Final = ("float32", "mixed_float16", "mixed_bfloat16")
_KINDS: Final = {int: "integer", float: "number", bool: "boolean"}
_JSON_TYPES: Final = {
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "choice": "string",
}


D = TypeVar("D", bound="Data | Stream")


@dataclass(frozen=True)
class Data:
    """Training and validation data: arrays, or nests of arrays, whose first axis is the sample.

    The judged metrics are those of the validation part, so it must share no sample with training,
    nor with the test set that the finished search is measured on. All of it is put on the device.

    `sample_weight` [samples] and `class_weight` {label: weight} (1 for a class that is not in it)
    weigh training's losses, as Keras's `fit` takes them; labels are whole numbers or one-hot. Where
    both are given they are multiplied.
    """

    x_train: Any
    y_train: Any
    x_validation: Any
    y_validation: Any
    sample_weight: Any = None
    class_weight: Mapping[int, float] | None = None


@dataclass(frozen=True)
class Stream:
    """Training and validation data that is read while training, as batches of a `tf.data.Dataset`.

    A batch is `(x, y)` or `(x, y, sample weights)`. `train` gets a seed (0 to 2**63 - 1, another
    for each epoch of each trial) and returns the dataset of one epoch; a resumed trial equals an
    uninterrupted one if equal seeds give equal batches in equal order. An epoch is
    `updates_per_epoch` batches, all that the dataset has if None. Batches are prefetched.
    """

    train: Callable[[int], Any]
    validation: Any
    updates_per_epoch: int | None = None


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """What a parameter's type does not say; write it as `Annotated[float, Parameter(...)]`.

    A `live` parameter is a number that the compiled program reads when it runs, such as the rate of
    a Dropout layer: another value needs no new program. `model` gets a stand-in for it while the
    program is built, which takes part in arithmetic and goes wherever Keras takes a tensor. All
    other parameters may change the graph.
    """

    doc: str = ""
    low: float | None = None  # inclusive
    high: float | None = None  # inclusive
    above: float | None = None  # exclusive
    below: float | None = None  # exclusive
    live: bool = False


class Task:
    """A model, its data, loss and metrics under a name; made by `task`."""

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        name: str,
        loss: str | Callable[..., Any],
        metrics: Sequence[str | Callable[..., Any]],
        batch_size: int,
        precision: str = "float32",
        xla: bool | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            raise TypeError(f"precision: must be one of {', '.join(PRECISIONS)}, got {precision!r}")
        annotations = _annotations(model)
        self.name: Final = name
        self.doc: Final = inspect.getdoc(model) or ""
        self.module: Final = model.__module__
        self.parameters: Final[Mapping[str, Argument]] = {
            "batch_size": Argument(
                kind="integer", default=batch_size, low=1, doc="samples in an update"
            ),
            "precision": Argument(
                kind="choice",
                default=precision,
                choices=PRECISIONS,
                doc="Keras dtype policy of the model's layers",
            ),
            **{n: _argument(n, *a) for n, a in annotations.items()},
        }
        self.live: Final = frozenset(n for n, (_, p, _) in annotations.items() if p.live)
        self.xla: Final = xla
        self._model, self._loss, self._metrics = model, loss, tuple(metrics)
        self._data: Callable[..., Data | Stream] | None = None
        for choice in (loss, *metrics):
            self._check_names(choice)

    def data(self, function: Callable[..., D]) -> Callable[..., D]:
        """Decorator of the function that loads the data.

        It gets those of the task's parameters that it names; the data is loaded again only where
        one of these differs.
        """
        self._check_names(function)
        self._data = function
        return function

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the parameters."""
        return {
            "type": "object",
            "description": self.doc,
            "properties": {n: _schema(a) for n, a in self.parameters.items()},
            "required": [n for n, a in self.parameters.items() if a.default is REQUIRED],
            "additionalProperties": False,
        }

    def complete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters: the given ones, checked, and defaults for the others.

        Raises ValueError, its message starting with the parameter's name.
        """
        for name in given:
            if name not in self.parameters:
                takes = ", ".join(self.parameters)
                raise ValueError(f"{name}: unknown parameter of {self.name}; it takes {takes}")
        return {name: self._value(name, given) for name in self.parameters}

    def build_model(self, parameters: Mapping[str, Any]) -> Any:
        """A new `keras.Model` for complete parameters. Raises what the task's function raises."""
        with self.part("model"), _dtype_policy(parameters.get("precision")):
            return _call(self._model, parameters)

    def load_data(self, parameters: Mapping[str, Any]) -> Data | Stream:
        """The data for complete parameters. Raises ValueError where the task has none."""
        function = self._data_function()
        with self.part("data"):
            data: Data | Stream = expected(_call(function, parameters), Data, Stream)
        return data

    def data_parameters(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the complete parameters that the data depends on."""
        return {n: parameters[n] for n in inspect.signature(self._data_function()).parameters}

    def build_loss(self, parameters: Mapping[str, Any]) -> Any:
        """What `compile(loss=...)` takes, for complete parameters."""
        with self.part("loss"):
            return _resolve(self._loss, parameters)

    def build_metrics(self, parameters: Mapping[str, Any]) -> list[Any]:
        """What `compile(metrics=...)` takes, for complete parameters."""
        with self.part("metrics"):
            return [_resolve(metric, parameters) for metric in self._metrics]

    @contextmanager
    def part(self, part: Literal["model", "data", "loss", "metrics"]) -> Iterator[None]:
        """Say of whatever is raised within which part of which task it is about."""
        try:
            yield
        except BaseException as error:
            function = self._data if part == "data" else self._model
            of = f"{self.module}.{getattr(function, '__name__', self.name)}"
            error.add_note(f"the {part} of task {self.name}, {of}")
            raise

    def _value(self, name: str, given: Mapping[str, Any]) -> Any:
        argument = self.parameters[name]
        if name not in given and argument.default is REQUIRED:
            raise ValueError(f"{name}: required by task {self.name}")
        value = given.get(name, argument.default)
        argument.check(name, value)
        return float(value) if argument.kind == "number" else value

    def _data_function(self) -> Callable[..., Data | Stream]:
        if self._data is None:
            raise ValueError(
                f"task {self.name} has no data; add a function under @{self.name}.data"
            )
        return self._data

    def _check_names(self, function: str | Callable[..., Any]) -> None:
        if isinstance(function, str):
            return
        for name in inspect.signature(function).parameters:
            if name not in self.parameters:
                raise TypeError(f"task {self.name}: {function} asks for {name}, not a parameter")


def task(
    *,
    loss: str | Callable[..., Any],
    metrics: Sequence[str | Callable[..., Any]] = (),
    batch_size: int = 32,
    precision: str = "float32",
    xla: bool | None = None,
    name: str | None = None,
) -> Callable[[Callable[..., Any]], Task]:
    """Decorator that makes a task of the function that builds the model.

    `loss` and each of `metrics` is a Keras name (metric "accuracy" is reported as `accuracy` and
    `val_accuracy`), or a function that returns a Keras loss or metric and, like the data's, gets
    those of the task's parameters that it names. `batch_size` and `precision` ("float32",
    "mixed_float16" or "mixed_bfloat16") are the defaults of the parameters of these names, which
    every task has. `xla` says whether XLA compiles the training; None chooses it where it was
    measured to be faster. The task's own name is the function's unless given.

    Raises TypeError where the signature cannot be read as parameters.
    """

    def decorate(model: Callable[..., Any]) -> Task:
        return Task(
            model,
            name=name or model.__name__,
            loss=loss,
            metrics=metrics,
            batch_size=batch_size,
            precision=precision,
            xla=xla,
        )

    return decorate


def _annotations(model: Callable[..., Any]) -> dict[str, tuple[Any, Parameter, Any]]:
    """Type, description and default of each parameter of the function."""
    hints = get_type_hints(model, include_extras=True)
    found = {}
    for name, parameter in inspect.signature(model).parameters.items():
        if name in RESERVED:
            raise TypeError(
                f"{model.__name__}: parameter {name} is lehr's own; rename or remove it"
            )
        default = REQUIRED if parameter.default is parameter.empty else parameter.default
        found[name] = (*_type_and_parameter(hints.get(name)), default)
    return found


def _type_and_parameter(hint: Any) -> tuple[Any, Parameter]:
    if get_origin(hint) is not Annotated:
        return hint, Parameter()
    type_, *extras = get_args(hint)
    return type_, next((e for e in extras if isinstance(e, Parameter)), Parameter())


def _argument(name: str, type_: Any, parameter: Parameter, default: Any) -> Argument:
    choices = get_args(type_) if get_origin(type_) is Literal else ()
    if type_ not in _KINDS and not (choices and all(isinstance(c, str) for c in choices)):
        raise TypeError(
            f"{name}: annotate it as int, float, bool or Literal of strings, got {type_}"
        )
    if parameter.live and type_ is not float:
        raise TypeError(f"{name}: only a float can be live, got {type_}")
    return Argument(
        kind=_KINDS.get(type_, "choice"),
        doc=parameter.doc,
        default=default,
        low=parameter.low,
        high=parameter.high,
        above=parameter.above,
        below=parameter.below,
        choices=choices,
    )


def _schema(argument: Argument) -> dict[str, Any]:
    facts = {
        "type": _JSON_TYPES[argument.kind],
        "description": argument.doc or None,
        "enum": list(argument.choices) or None,
        "minimum": argument.low,
        "maximum": argument.high,
        "exclusiveMinimum": argument.above,
        "exclusiveMaximum": argument.below,
        "default": None if argument.default is REQUIRED else argument.default,
    }
    return {key: fact for key, fact in facts.items() if fact is not None}


@contextmanager
def _dtype_policy(precision: str | None) -> Iterator[None]:
    """Layers that are made within compute in this precision; None leaves what is set."""
    if precision is None:
        yield
        return
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _call(function: Callable[..., Any], parameters: Mapping[str, Any]) -> Any:
    return function(**{n: parameters[n] for n in inspect.signature(function).parameters})


def expected(returned: Any, *types: type) -> Any:
    """What a task's function returned. Raises TypeError unless it is of one of these types."""
    if not isinstance(returned, types):
        wanted = " or ".join(f"a {t.__module__.split('.')[0]}.{t.__name__}" for t in types)
        raise TypeError(f"the function must return {wanted}, it returned {type(returned).__name__}")
    return returned


def _resolve(choice: str | Callable[..., Any], parameters: Mapping[str, Any]) -> Any:
    return choice if isinstance(choice, str) else _call(choice, parameters)
