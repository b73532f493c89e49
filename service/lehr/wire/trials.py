"""Trials, attempts and reports as the service shows them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from lehr.wire.base import Moment, Wire, example

AUDITED = "lehr:audited"  # the step at which a trial would have been pruned but for the audit


class TrialState(StrEnum):
    """Optuna's states."""

    WAITING = "waiting"  # enqueued, or given back by a lost or preempted worker
    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAIL = "fail"

    @property
    def is_finished(self) -> bool:
        return self in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class Outcome(StrEnum):
    """How an attempt ended."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    LOST = "lost"  # its worker was not heard of before the deadline
    PREEMPTED = "preempted"  # its worker handed it back
    ERROR = "error"
    OUT_OF_MEMORY = "out_of_memory"
    DIVERGED = "diverged"
    CANCELLED = "cancelled"

    @property
    def returns_the_trial(self) -> bool:
        """Whether the trial waits again: the worker failed, not the configuration."""
        return self in (Outcome.LOST, Outcome.PREEMPTED)


_TRIAL: dict[str, Any] = {
    "study": "digits",
    "number": 17,
    "state": "complete",
    "params": {"optimizer": "adam", "adam.learning_rate": 0.0031, "schedule": "constant"},
    "value": 0.975,
    "attempts": 1,
    "steps": 10,
    "worker": "gpu-box",
    "revision": 212,
    "created_at": "2026-05-04T09:12:30.250Z",
    "started_at": "2026-05-04T09:12:30.250Z",
    "finished_at": "2026-05-04T09:12:41.500Z",
}


class Trial(Wire):
    """One point of the search space."""

    model_config = example(**_TRIAL)

    study: str
    number: int = Field(description="from 0 in its study")
    state: TrialState
    reason: str | None = None
    params: dict[str, Any] = Field(description="flat, by Optuna's names")
    value: float | None = None
    values: list[float] | None = Field(default=None, description="with several objectives")
    attempts: int = Field(description="attempts started")
    steps: int = Field(description="last reported step + 1")
    worker: str | None = Field(default=None, description="name of the worker of the last attempt")
    revision: int = Field(description="of the study, when this trial last changed")
    created_at: Moment
    started_at: Moment | None = None
    finished_at: Moment | None = None


class Attempt(Wire):
    """One execution of a trial by one worker."""

    attempt: int = Field(description="from 1 in its trial")
    worker: str
    outcome: Outcome | None = Field(description="null while it runs")
    message: str | None = None
    traceback: str | None = None
    started_at: Moment
    finished_at: Moment | None = None


class TrialDetails(Trial):
    """A trial with what it takes to repeat it, its final metrics and all of its attempts."""

    model_config = example(
        **_TRIAL,
        seed=7,
        metrics={"val_loss": 0.09},
        history=[
            {
                "attempt": 1,
                "worker": "gpu-box",
                "outcome": "complete",
                "started_at": "2026-05-04T09:12:30.250Z",
                "finished_at": "2026-05-04T09:12:41.500Z",
            }
        ],
    )

    seed: int = Field(description="of the training: initial weights, order of data, dropout")
    metrics: dict[str, float | None] = Field(description="as sent when it completed")
    history: list[Attempt] = Field(description="every attempt, first to last")


class TrialPage(Wire):
    items: list[Trial]
    next: str | None = Field(description="give it as `after` for the next page; null at the end")


REPORT: dict[str, Any] = {
    "step": 3,
    "value": 0.94,
    "learning_rate": 0.0031,
    "metrics": {"val_loss": 0.21},
    "attempt": 1,
    "reported_at": "2026-05-04T09:12:35.125Z",
}


class Report(Wire):
    """What an attempt measured at one step."""

    model_config = example(**REPORT)

    step: int
    value: float | None = Field(description="the judged metric; null if it was not a number")
    learning_rate: float | None = None
    metrics: dict[str, float | None]
    attempt: int
    reported_at: Moment


class Enqueued(Wire):
    """A point to try first: all parameters or some; the sampler chooses the rest."""

    model_config = example(params={"optimizer": "adam", "adam.learning_rate": 0.001})

    params: dict[str, Any] = Field(default_factory=dict)
