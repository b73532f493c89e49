"""Keras's optimizers by their snake-case names, built from plain arguments."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import keras

from lehr.schedules import REQUIRED
from lehr.wire.optimizers import KERAS_CLASSES, OPTIMIZERS
from lehr_worker.training import live

CLASSES: Final[Mapping[str, type]] = {
    name: getattr(keras.optimizers, class_name) for name, class_name in KERAS_CLASSES.items()
}

STARTING_SLOTS: Final = ("initial_accumulator_value",)
"""Arguments that the slots of a new optimizer depend on."""

STARTING: Final = frozenset({"learning_rate", *STARTING_SLOTS})
"""Arguments that only a new optimizer's variables depend on, not the graph."""

# JAX compiles the functions that these go to, and takes no stand-in for a number there.
_FIXED_ON_JAX: Final = frozenset({"clipvalue", "l1_regularization_strength", "learning_rate_power"})

LIVE: Final = (
    frozenset(n for known in OPTIMIZERS.values() for n, a in known.items() if a.kind == "number")
    - STARTING
    - (_FIXED_ON_JAX if keras.backend.backend() == "jax" else frozenset())
)
"""Arguments that a program reads when it runs, so that another value needs no new one."""


def complete(optimizer: Mapping[str, Any]) -> dict[str, Any]:
    """The optimizer's name with all its arguments, defaults included; numbers are floats.

    Raises ValueError, its message starting with the name of the argument at fault.
    """
    name = optimizer.get("name")
    if not isinstance(name, str) or name not in CLASSES:
        raise ValueError(f"name: must be one of {', '.join(CLASSES)}, got {name!r:.80}")
    known = OPTIMIZERS[name]
    for given in optimizer.keys() - known.keys() - {"name"}:
        raise ValueError(f"{given}: unknown argument of {name}; it takes {', '.join(known)}")
    return {"name": name} | {n: _argument(name, n, optimizer) for n in known}


def create(optimizer: Mapping[str, Any], *, scaled: bool = False) -> keras.Optimizer:
    """A new Keras optimizer from `complete` arguments. Raises ValueError where Keras refuses.

    `scaled` wraps it as Keras's `compile` does for float16, whose small gradients would vanish.
    """
    arguments = {n: value for n, value in optimizer.items() if n != "name"}
    created = CLASSES[optimizer["name"]](**arguments)
    return keras.optimizers.LossScaleOptimizer(created) if scaled else created


def is_scaled(optimizer: keras.Optimizer) -> bool:
    """Whether the optimizer scales the loss."""
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def shape(optimizer: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """What of a `complete` optimizer the graph depends on."""
    return live.shape({n: v for n, v in optimizer.items() if n not in STARTING}, LIVE)


def variables(optimizer: keras.Optimizer) -> list[keras.Variable]:
    """Every variable of a built optimizer, in a fixed order.

    Keras's own list lacks some: Nadam's running product of momenta is not in it.
    """
    own = optimizer.inner_optimizer if is_scaled(optimizer) else optimizer
    listed = list(optimizer.variables)
    seen = {id(v) for v in [*listed, *own._trainable_variables]}
    for variable in _held(vars(own).values()):
        if id(variable) not in seen:
            seen.add(id(variable))
            listed.append(variable)
    return listed


def evaluation_weights(optimizer: keras.Optimizer) -> list[Any] | None:
    """The trainable weights that the optimizer is to be judged by, None for the current ones.

    Schedule-free AdamW trains at y = (1 - beta_1) z + beta_1 x, z its `momentum`, and is judged at
    the average x (Defazio et al. 2024, arXiv:2405.15682, equation 1).
    """
    if not isinstance(optimizer, keras.optimizers.ScheduleFreeAdamW):
        return None
    beta = float(optimizer.beta_1)
    pairs = zip(optimizer._trainable_variables, optimizer._momentums, strict=True)
    return [(y - (1.0 - beta) * z) / beta for y, z in pairs]


def _argument(optimizer: str, name: str, given: Mapping[str, Any]) -> Any:
    argument = OPTIMIZERS[optimizer][name]
    value = given.get(name, argument.default)
    if value is REQUIRED:
        raise ValueError(f"{name}: required by {optimizer}; {argument.doc}")
    if value is None and argument.default is None:
        return None
    argument.check(name, value)
    return float(value) if argument.kind == "number" else value


def _held(values: Any) -> Iterator[keras.Variable]:
    for value in values:
        if isinstance(value, keras.Variable):
            yield value
        elif isinstance(value, list):
            yield from _held(value)
