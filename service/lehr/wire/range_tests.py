"""Range tests of a study: what is tested, what its curves are and what follows from them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from lehr.wire.base import Measured, Moment, Wire, example

_MOST_SEEDS = 20
_MOST_UPDATES = 5_000


class RangeTestState(StrEnum):
    """Where a range test is in its life."""

    WAITING = "waiting"  # for a worker; given back by a lost or preempted one, too
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"  # and its study with it, or cancelled as its study ended

    @property
    def is_finished(self) -> bool:
        return self in (RangeTestState.COMPLETE, RangeTestState.FAILED)


class RangeTestSetup(Wire):
    """What is tested: values only, those that the study searches at their middle."""

    optimizer: dict[str, Any] = Field(
        description="name and arguments, without the learning rate; those at Keras's default are "
        "left out"
    )
    parameters: dict[str, Any] = Field(description="the task's own")
    start: float = Field(description="the first learning rate")
    end: float = Field(description="the last learning rate")
    updates: int = Field(description="from start to end; the rate grows by a constant factor")
    seeds: list[int] = Field(description="of initial weights, order of samples and dropout")


class RangeTestLease(RangeTestSetup):
    """The right to run one range test; only workers with the ability ``range_test`` get one."""

    kind: Literal["range_test"] = "range_test"
    token: str
    attempt: int
    study: str
    task: str
    deadline: Moment

    @property
    def named(self) -> dict[str, Any]:
        """What log records call it."""
        name = self.optimizer["name"]
        return {"study": self.study, "range_test": name, "attempt": self.attempt}


class SeedLosses(Wire):
    """The losses of a test with one seed."""

    seed: int
    losses: Annotated[list[Measured], Field(max_length=_MOST_UPDATES)] = Field(
        description="of the batch of each update, before the update; null where it is no number"
    )


class RangeTestResult(Wire):
    """What a range test measured: a curve for each of its seeds."""

    model_config = example(
        curves=[{"seed": 0, "losses": [2.4] * 8 + [2.0, 1.6, 1.3, 1.1, 1.0, 1.0] + [3.0] * 6}]
    )

    curves: Annotated[list[SeedLosses], Field(min_length=1, max_length=_MOST_SEEDS)]


class Interval(Wire):
    """Learning rates from ``low`` to ``high``."""

    low: float
    high: float


class Suggestion(Interval):
    """What one rule suggests over all seeds: lowest, highest, geometric mean."""

    mean: float


class RangeTestCurve(Wire):
    """A test with one seed, up to where it diverged."""

    seed: int
    learning_rates: list[float]
    losses: list[float] = Field(description="of the batch of each rate, before its update")
    smoothed: list[float] = Field(description="running mean of the losses, which rules read")
    diverged_at: float | None = Field(description="the first rate that was cut off, or null")
    suggestions: dict[str, float] | None = Field(description="by rule; null: the loss did not fall")


class RangeTest(Wire):
    """A range test as the service shows it."""

    model_config = example(
        optimizer="adam",
        state="complete",
        message=None,
        attempts=1,
        worker="gpu-box",
        setup={
            "optimizer": {"name": "adam"},
            "parameters": {},
            "start": 1e-6,
            "end": 1.0,
            "updates": 200,
            "seeds": [0],
        },
        curves=[
            {
                "seed": 0,
                "learning_rates": [1e-6, 1.072e-6],
                "losses": [2.29, 2.39],
                "smoothed": [2.29, 2.34],
                "diverged_at": None,
                "suggestions": {"valley": 0.0076, "steepest": 0.023, "minimum / 10": 0.028},
            }
        ],
        suggestions={"valley": {"low": 0.0076, "high": 0.0076, "mean": 0.0076}},
        bounds={"low": 0.0014, "high": 0.16},
        reused_from=None,
        started_at="2026-05-04T09:12:10.750Z",
        finished_at="2026-05-04T09:12:11.500Z",
    )

    optimizer: str
    state: RangeTestState
    message: str | None = Field(description="why it waits again, suggests nothing or failed")
    attempts: int = Field(description="attempts started")
    worker: str | None = Field(description="name of the worker of the last attempt")
    setup: RangeTestSetup
    curves: list[RangeTestCurve] = Field(description="one a seed; empty until it is complete")
    suggestions: dict[str, Suggestion] = Field(description="by rule; empty where none suggests any")
    bounds: Interval | None = Field(description="the learning rates that the study searches")
    reused_from: str | None = Field(description="name of the study that measured it")
    started_at: Moment | None
    finished_at: Moment | None


class RangeTestList(Wire):
    """The range tests of a study, in the order of its optimizers."""

    items: list[RangeTest]


class RangeTestSummary(Wire):
    """A range test in short."""

    state: RangeTestState
    message: str | None = None
    bounds: Interval | None = Field(
        default=None, description="the learning rates that are searched"
    )
