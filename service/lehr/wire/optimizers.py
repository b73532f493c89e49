"""Keras's optimizers and their arguments, written down so that the server needs no TensorFlow.

Source: the signatures of ``keras.optimizers`` in Keras 3.15; a test holds this table against the
installed Keras. Bounds are those outside which the published update rule has no meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from lehr.schedules import REQUIRED, Argument


def _unit(default: float, doc: str) -> Argument:
    return Argument(kind="number", default=default, low=0.0, below=1.0, doc=doc)


def _above_zero(argument: Argument) -> Argument:
    """The same argument without 0, where Keras refuses it or divides by it."""
    return replace(argument, low=None, above=0.0)


def _positive(default: float | None, doc: str) -> Argument:
    return Argument(kind="number", default=default, above=0.0, doc=doc)


def _nonnegative(default: float | None, doc: str) -> Argument:
    return Argument(kind="number", default=default, low=0.0, doc=doc)


def _number(default: float, doc: str) -> Argument:
    return Argument(kind="number", default=default, doc=doc)


def _flag(default: bool, doc: str) -> Argument:
    return Argument(kind="boolean", default=default, doc=doc)


_LEARNING_RATE = Argument(
    kind="number", default=REQUIRED, above=0.0, doc="initial learning rate, before the schedule"
)
_COMMON: dict[str, Argument] = {
    "weight_decay": _nonnegative(None, "decoupled weight decay an update, times the rate"),
    "clipnorm": _positive(None, "each gradient is clipped to this norm"),
    "clipvalue": _positive(None, "each gradient element is clipped to this magnitude"),
    "global_clipnorm": _positive(None, "all gradients together are clipped to this norm"),
    "gradient_accumulation_steps": Argument(
        kind="integer",
        default=None,
        low=2,
        doc="batches whose gradients are averaged into one update; the schedule counts updates",
    ),
}
_EPSILON = _nonnegative(1e-7, "added to the denominator, outside the square root")
_BETA_1 = _unit(0.9, "decay of the first moment an update")
_BETA_2 = _unit(0.999, "decay of the second moment an update")
_ADAM = {"beta_1": _BETA_1, "beta_2": _BETA_2, "epsilon": _EPSILON}
_AMSGRAD = {"amsgrad": _flag(False, "keep the maximum of second moments (Reddi et al. 2018)")}
_NESTEROV = {"nesterov": _flag(False, "Nesterov's momentum")}


def _with(**own: Argument) -> Mapping[str, Argument]:
    return MappingProxyType({"learning_rate": _LEARNING_RATE, **_COMMON, **own})


OPTIMIZERS: Mapping[str, Mapping[str, Argument]] = MappingProxyType(
    {
        "sgd": _with(momentum=_unit(0.0, "decay of the velocity"), **_NESTEROV),
        "momentum": _with(momentum=_unit(0.9, "decay of the velocity"), **_NESTEROV),
        "rmsprop": _with(
            rho=_unit(0.9, "decay of the mean square"),
            momentum=_unit(0.0, "decay of the velocity"),
            epsilon=_EPSILON,
            centered=_flag(False, "normalise by the variance instead of the mean square"),
        ),
        "adam": _with(**_ADAM, **_AMSGRAD),
        "adamw": _with(
            **{**_ADAM, **_AMSGRAD, "weight_decay": _nonnegative(0.004, "decoupled weight decay")}
        ),
        "adadelta": _with(rho=_unit(0.95, "decay of both means"), epsilon=_EPSILON),
        "adagrad": _with(
            initial_accumulator_value=_nonnegative(0.1, "start of the sum of squares"),
            epsilon=_EPSILON,
        ),
        "adamax": _with(**_ADAM),
        "nadam": _with(**_ADAM),
        "ftrl": _with(
            learning_rate_power=Argument(
                kind="number", default=-0.5, high=0.0, doc="0 or below; 0 keeps the rate fixed"
            ),
            initial_accumulator_value=_nonnegative(0.1, "start of the sum of squares"),
            l1_regularization_strength=_nonnegative(0.0, "l1 penalty"),
            l2_regularization_strength=_nonnegative(0.0, "l2 penalty"),
            l2_shrinkage_regularization_strength=_nonnegative(0.0, "l2 shrinkage of the gradient"),
            beta=_nonnegative(0.0, "beta of McMahan et al. 2013"),
        ),
        "adafactor": _with(
            beta_2_decay=Argument(
                kind="number", default=-0.8, below=0.0, doc="exponent of the second moment's decay"
            ),
            epsilon_1=_nonnegative(1e-30, "added to the squared gradient"),
            epsilon_2=_nonnegative(1e-3, "lower bound of the parameter scale"),
            clip_threshold=_positive(1.0, "clipping threshold of the update"),
            relative_step=_flag(True, "rate is capped by 1 / sqrt(update)"),
        ),
        "lion": _with(beta_1=_above_zero(_BETA_1), beta_2=_unit(0.99, "decay of the moment")),
        "lamb": _with(**_ADAM),
        "muon": _with(
            weight_decay=_nonnegative(0.004, "decoupled weight decay"),
            momentum=_unit(0.95, "decay of the velocity"),
            nesterov=_flag(True, "Nesterov's momentum"),
            ns_steps=Argument(
                kind="integer", default=5, low=1, high=100, doc="Newton-Schulz iterations"
            ),
            adam_beta_1=_BETA_1,
            adam_beta_2=_BETA_2,
            adam_weight_decay=_nonnegative(0.004, "weight decay of the weights Adam updates"),
            adam_lr_ratio=_positive(1.0, "Adam's rate as a multiple of Muon's"),
            epsilon=_EPSILON,
            rms_rate=_positive(0.2, "scale of the orthogonal update"),
            muon_a=_number(3.4445, "Newton-Schulz coefficient"),
            muon_b=_number(-4.775, "Newton-Schulz coefficient"),
            muon_c=_number(2.0315, "Newton-Schulz coefficient"),
            exclude_embeddings=_flag(True, "embeddings are left to Adam"),
        ),
        "schedule_free_adam_w": _with(
            beta_1=_above_zero(_BETA_1),
            beta_2=_BETA_2,
            epsilon=_nonnegative(1e-8, "added to the denominator"),
            warmup_steps=Argument(
                kind="integer", default=0, low=0, doc="updates of the optimizer's own warm-up"
            ),
        ),
    }
)

KERAS_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "sgd": "SGD",
        "momentum": "SGD",
        "rmsprop": "RMSprop",
        "adam": "Adam",
        "adamw": "AdamW",
        "adadelta": "Adadelta",
        "adagrad": "Adagrad",
        "adamax": "Adamax",
        "nadam": "Nadam",
        "ftrl": "Ftrl",
        "adafactor": "Adafactor",
        "lion": "Lion",
        "lamb": "Lamb",
        "muon": "Muon",
        "schedule_free_adam_w": "ScheduleFreeAdamW",
    }
)
"""The class in ``keras.optimizers`` that each name stands for."""
