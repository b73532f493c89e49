"""Trials, attempts and reports as the service shows them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from lehr.wire.base import Moment, Wire

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


class Trial(Wire):
    """One point of the search space."""

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

    seed: int = Field(description="of the training: initial weights, order of data, dropout")
    metrics: dict[str, float | None] = Field(description="as sent when it completed")
    history: list[Attempt] = Field(description="every attempt, first to last")


class TrialPage(Wire):
    items: list[Trial]
    next: str | None = Field(description="give it as `after` for the next page; null at the end")


class Report(Wire):
    """What an attempt measured at one step."""

    step: int
    value: float | None = Field(description="the judged metric; null if it was not a number")
    learning_rate: float | None = None
    metrics: dict[str, float | None]
    attempt: int
    reported_at: Moment


class Enqueued(Wire):
    """A point to try first: all parameters or some; the sampler chooses the rest."""

    params: dict[str, Any] = Field(default_factory=dict)
