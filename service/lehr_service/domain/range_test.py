"""What a study's range tests test, and what follows from how they end. Pure; no I/O."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lehr import range_tests as rules
from lehr.range_tests import Curve, NoSuggestion
from lehr.wire import space as spaces
from lehr.wire.optimizers import OPTIMIZERS
from lehr.wire.range_tests import RangeTestState
from lehr.wire.space import Searched
from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import Outcome

Losses = Mapping[int, Sequence[float | None]]
"""The losses of a test by seed; None: not a number."""


@dataclass(frozen=True)
class RangeTest:
    """A range test as the rules see it."""

    number: int  # from 0, in the order of the study's optimizers
    optimizer: str
    setup: Mapping[str, Any]  # the fields of `lehr.wire.range_tests.RangeTestSetup`
    key: str  # equal tests have equal keys
    reuse: bool
    state: RangeTestState = RangeTestState.WAITING
    message: str | None = None
    attempts: int = 0
    lost: int = 0
    worker: str | None = None
    suggestions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    reused_from: str | None = None
    started_at: float | None = None
    finished_at: float | None = None


def planned(definition: StudyDefinition) -> list[RangeTest]:
    """The range tests that a study begins with."""
    found = []
    for number, (optimizer, test) in enumerate(spaces.range_tests(definition.space).items()):
        point = spaces.resolve(definition.space, _middle_of(optimizer))
        setup = {
            "optimizer": {"name": optimizer} | _telling(optimizer, point.optimizer),
            "parameters": point.parameters,
            "start": test.start,
            "end": test.end,
            "updates": test.updates,
            "seeds": list(range(test.seeds)),
        }
        key = _key(definition.task, setup)
        found.append(RangeTest(number, optimizer, setup, key, test.reuse))
    return found


def _middle_of(optimizer: str) -> spaces.Suggest:
    """Every parameter at the middle of what is searched, so that no end of it is far away."""

    def choose(name: str, value: Searched) -> Any:
        return optimizer if name == "optimizer" else spaces.middle(value)

    return choose


def _telling(optimizer: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that are not the default anyway, so that it makes no difference to name it."""
    told = {}
    for name, argument in OPTIMIZERS[optimizer].items():
        value = given.get(name, argument.default)
        if name != "learning_rate" and value != argument.default:
            told[name] = float(value) if argument.kind == "number" else value
    return told


def _key(task: str, setup: Mapping[str, Any]) -> str:
    """SHA-256 of task and setup as JSON with sorted keys."""
    canonical = json.dumps([task, setup], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def curves(setup: Mapping[str, Any], losses: Losses) -> dict[int, Curve]:
    """The curve of each seed."""
    rates = rules.growing_rates(setup["start"], setup["end"], setup["updates"])
    return {
        seed: rules.cut(rates, [math.nan if loss is None else loss for loss in measured])
        for seed, measured in losses.items()
    }


def result(setup: Mapping[str, Any], losses: Losses) -> dict[str, Any]:
    """What follows from the losses, as fields of a `RangeTest`.

    Where the loss fell for no seed, all rates that were tested are to be searched.
    """
    try:
        spreads = rules.spreads(list(curves(setup, losses).values()))
    except NoSuggestion as error:
        return nothing_suggested(setup, str(error))
    bounds = rules.bounds(spreads, setup["start"], setup["end"])
    suggested = {name: asdict(spread) for name, spread in spreads.items()}
    return {"suggestions": suggested, "low": bounds.low, "high": bounds.high, "message": None}


def nothing_suggested(setup: Mapping[str, Any], why: str) -> dict[str, Any]:
    """As ``result``, of a test that does not narrow the search."""
    start, end = setup["start"], setup["end"]
    message = f"no suggestion: {why}; all rates from {start:g} to {end:g} are searched"
    return {"suggestions": {}, "low": start, "high": end, "message": message}


def ending(
    outcome: Outcome, lost: int, max_attempts: int, told: str | None
) -> tuple[RangeTestState, str | None]:
    """Where an attempt's end leaves its range test: state and message.

    ``lost``: attempts lost so far, this one included; ``told``: what the worker said.
    """
    match outcome:
        case Outcome.COMPLETE | Outcome.DIVERGED:
            return RangeTestState.COMPLETE, None
        case Outcome.LOST if lost < max_attempts:
            return RangeTestState.WAITING, "its worker was lost; it will run again"
        case Outcome.LOST:
            return RangeTestState.FAILED, f"its worker was lost {lost} times (max_attempts)"
        case Outcome.PREEMPTED:
            return RangeTestState.WAITING, "its worker handed it back; it will run again"
        case _:
            name = outcome.value.replace("_", " ")
            return RangeTestState.FAILED, f"{name}: {told}" if told else name


def bounds(tests: Sequence[RangeTest]) -> dict[str, tuple[float, float]]:
    """The learning rates that complete tests leave to be searched, by flat parameter name."""
    return {
        f"{test.optimizer}.learning_rate": (test.low, test.high)
        for test in tests
        if test.low is not None and test.high is not None
    }
