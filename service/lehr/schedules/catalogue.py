"""Every schedule by its name: what it is, what it takes, how it is built."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from lehr.schedules import formulas
from lehr.schedules.arguments import REQUIRED, Argument, Length
from lehr.schedules.growth import BatchGrowth


@dataclass(frozen=True)
class ScheduleType:
    """A schedule's name, formula, arguments and builder.

    `check` is the rule across arguments: it gets them complete and each already checked alone,
    and raises ValueError with a message that starts with the argument's name.
    """

    name: str
    doc: str
    arguments: Mapping[str, Argument]
    curve: formulas.Builder
    check: Callable[[Mapping[str, Any]], None] | None = None

    def complete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The given arguments with defaults for the missing ones.

        Raises ValueError, its message starting with the argument's name, for an argument that is
        unknown, missing without a default, or not admitted.
        """
        for name in given:
            if name not in self.arguments:
                takes = ", ".join(self.arguments) or "no arguments"
                raise ValueError(f"{name}: unknown argument of {self.name}; it takes {takes}")
        complete = {name: self._value(name, given) for name in self.arguments}
        if self.check:
            self.check(complete)
        return complete

    def _value(self, name: str, given: Mapping[str, Any]) -> Any:
        argument = self.arguments[name]
        if name in given and not (given[name] is None and argument.default is None):
            argument.check(name, given[name])
        elif argument.default is REQUIRED:
            raise ValueError(f"{name}: required by {self.name}; {argument.doc}")
        return given.get(name, argument.default)


def _check_piecewise(arguments: Mapping[str, Any]) -> None:
    boundaries, factors = arguments["boundaries"], arguments["factors"]
    if len(factors) != len(boundaries) + 1:
        raise ValueError(
            f"factors: must have one element more than boundaries, "
            f"got {len(factors)} for {len(boundaries)} boundaries"
        )
    _check_rising(boundaries)


def _check_growth(arguments: Mapping[str, Any]) -> None:
    _check_rising(arguments["boundaries"])


def _check_rising(boundaries: Sequence[Length]) -> None:
    for left, right in pairwise(boundaries):
        (unit, start), (other, end) = _unit(left), _unit(right)
        if unit == other and end <= start:
            raise ValueError(f"boundaries: must rise, got {right!r} after {left!r}")


def _unit(length: Length) -> tuple[str, float]:
    if isinstance(length, Mapping):
        return next(iter(length.items()))
    return "fraction", length


def _length(doc: str, default: Any = REQUIRED, above: float | None = 0) -> Argument:
    return Argument(kind="length", default=default, above=above, doc=doc)


_DECAY_STEPS: Final = _length("length over which the rate decays", default=1.0)
_DECAY_UNIT: Final = _length("length after which decay_rate has been applied once")
_STAIRCASE: Final = Argument(
    kind="boolean", default=False, doc="decay at whole multiples of decay_steps only"
)
_END: Final = Argument(
    kind="number", default=0.0, low=0, doc="learning rate at the end of the decay (absolute)"
)
_ALPHA: Final = Argument(
    kind="number", default=0.0, low=0, high=1, doc="last rate as a fraction of the learning rate"
)

_TYPES: Final = (
    ScheduleType(
        "constant",
        "learning_rate at every update.",
        {},
        formulas.constant,
    ),
    ScheduleType(
        "piecewise_constant",
        "learning_rate * factors[i], i = number of boundaries < update; a boundary belongs to the "
        "value on its left, updates count from 0 (Keras PiecewiseConstantDecay).",
        {
            "boundaries": Argument(kind="lengths", low=0, doc="positions, rising"),
            "factors": Argument(
                kind="numbers",
                low=0,
                high=1000,
                doc="multiples of the learning rate, one more than boundaries",
            ),
        },
        formulas.piecewise_constant,
        _check_piecewise,
    ),
    ScheduleType(
        "exponential",
        "learning_rate * decay_rate ** (update / decay_steps); staircase: the exponent's floor "
        "(Keras ExponentialDecay).",
        {
            "decay_steps": _DECAY_UNIT,
            "decay_rate": Argument(
                kind="number", above=0, high=1, doc="factor a decay_steps, in (0, 1]"
            ),
            "staircase": _STAIRCASE,
        },
        formulas.exponential,
    ),
    ScheduleType(
        "inverse_time",
        "learning_rate / (1 + decay_rate * update / decay_steps); staircase: the quotient's floor "
        "(Keras InverseTimeDecay).",
        {
            "decay_steps": _DECAY_UNIT,
            "decay_rate": Argument(kind="number", low=0, doc="growth of the divisor a decay_steps"),
            "staircase": _STAIRCASE,
        },
        formulas.inverse_time,
    ),
    ScheduleType(
        "polynomial",
        "(learning_rate - end) * (1 - min(update, n) / n) ** power + end, n = decay_steps; cycle: "
        "n is the first multiple of decay_steps >= update (Keras PolynomialDecay).",
        {
            "decay_steps": _DECAY_STEPS,
            "end_learning_rate": _END,
            "power": Argument(kind="number", default=1.0, above=0, doc="exponent of what is left"),
            "cycle": Argument(kind="boolean", default=False, doc="rise again after decay_steps"),
        },
        formulas.polynomial,
    ),
    ScheduleType(
        "linear",
        "polynomial with power 1 and no cycle.",
        {"decay_steps": _DECAY_STEPS, "end_learning_rate": _END},
        formulas.linear,
    ),
    ScheduleType(
        "cosine",
        "learning_rate * ((1 - alpha) * (1 + cos(pi * min(update / decay_steps, 1))) / 2 + alpha) "
        "(Loshchilov and Hutter 2017, arXiv:1608.03983; Keras CosineDecay).",
        {"decay_steps": _DECAY_STEPS, "alpha": _ALPHA},
        formulas.cosine,
    ),
    ScheduleType(
        "cosine_restarts",
        "SGDR: learning_rate * ((1 - alpha) * m_mul ** i * (1 + cos(pi * x)) / 2 + alpha), x the "
        "part done of cycle i, which lasts first_decay * t_mul ** i updates (Loshchilov and Hutter "
        "2017, arXiv:1608.03983; Keras CosineDecayRestarts).",
        {
            "first_decay": _length("length of the first cycle"),
            "t_mul": Argument(
                kind="number", default=2.0, low=1, high=100, doc="growth of a cycle's length"
            ),
            "m_mul": Argument(
                kind="number", default=1.0, low=0, high=1, doc="factor on the peak at each restart"
            ),
            "alpha": _ALPHA,
        },
        formulas.cosine_restarts,
    ),
    ScheduleType(
        "hold_then_exponential",
        "learning_rate for the first `hold` epochs, then times exp(-decay) at the start of every "
        "epoch, the first one included; `hold` is rounded up to whole epochs.",
        {
            "hold": _length("epochs at the full learning rate", {"epochs": 10}, above=None),
            "decay": Argument(kind="number", default=0.1, low=0, doc="decay an epoch"),
        },
        formulas.hold_then_exponential,
    ),
    ScheduleType(
        "per_epoch_decay",
        "learning_rate -= learning_rate * decay after each epoch: "
        "learning_rate * (1 - decay) ** epoch.",
        {
            "decay": Argument(
                kind="number", default=0.01, low=0, high=1, doc="share taken off after an epoch"
            )
        },
        formulas.per_epoch_decay,
    ),
    ScheduleType(
        "one_cycle",
        "From learning_rate / div_factor at update 0 up to learning_rate at `peak`, down to "
        "learning_rate / div_factor / final_div_factor at the end of training "
        "(Smith 2018, arXiv:1803.09820).",
        {
            "peak": _length("position of the peak", 0.3, above=None),
            "div_factor": Argument(
                kind="number", default=25.0, low=1, doc="peak rate / first rate"
            ),
            "final_div_factor": Argument(
                kind="number", default=1e4, low=1, doc="first rate / last rate"
            ),
            "anneal": Argument(
                kind="choice", default="cosine", choices=("cosine", "linear"), doc="shape of both"
            ),
        },
        formulas.one_cycle,
    ),
    ScheduleType(
        "warmup_stable_decay",
        "Linear from 0 over `warmup`, learning_rate, then over the last `decay` of training down "
        "to alpha * learning_rate, x being the part of it done: linear 1 - x, cosine "
        "(1 + cos(pi x)) / 2, one_minus_sqrt 1 - sqrt(x) (Zhai et al. 2022, arXiv:2106.04560; "
        "Haegele et al. 2024, arXiv:2405.18392). The decay starts after warm-up at the earliest.",
        {
            "warmup": _length("length of the rise", 0.05, above=None),
            "decay": _length("length of the fall", 0.2),
            "shape": Argument(
                kind="choice",
                default="linear",
                choices=("linear", "cosine", "one_minus_sqrt"),
                doc="shape of the fall",
            ),
            "alpha": _ALPHA,
        },
        formulas.warmup_stable_decay,
    ),
    ScheduleType(
        "reduce_on_plateau",
        "The rate is multiplied by `factor` after `patience` epochs in which the judged metric did "
        "not improve by more than min_delta (Keras ReduceLROnPlateau). A missing or non-finite "
        "value is no improvement.",
        {
            "factor": Argument(
                kind="number", default=0.1, above=0, below=1, doc="factor of a reduction"
            ),
            "patience": Argument(
                kind="integer", default=10, low=0, doc="epochs without improvement (0 acts as 1)"
            ),
            "min_delta": Argument(
                kind="number", default=1e-4, low=0, doc="smallest change that is an improvement"
            ),
            "cooldown": Argument(
                kind="integer", default=0, low=0, doc="epochs after a reduction that do not count"
            ),
            "min_learning_rate": Argument(
                kind="number", default=0.0, low=0, doc="the rate is not reduced below this"
            ),
        },
        formulas.Plateau,
    ),
    ScheduleType(
        "batch_growth",
        "learning_rate, while the batch is multiplied by `growth` at the first epoch that starts "
        "at or after each boundary; once the batch may grow no more the rate is divided instead "
        "(Smith et al. 2018, arXiv:1711.00489). Boundaries and warm-up count updates as if the "
        "batch had not grown. Not for tasks that stream their data.",
        {
            "boundaries": Argument(
                kind="lengths", low=0, default=(0.3, 0.6, 0.8), doc="positions, rising"
            ),
            "growth": Argument(
                kind="number", default=5.0, above=1, high=1000, doc="factor at each boundary"
            ),
            "max_batch_size": Argument(
                kind="integer", default=None, low=1, doc="default: a tenth of the training samples"
            ),
        },
        BatchGrowth,
        _check_growth,
    ),
)

SCHEDULES: Final[Mapping[str, ScheduleType]] = {type_.name: type_ for type_ in _TYPES}
"""Every schedule type by its name."""
