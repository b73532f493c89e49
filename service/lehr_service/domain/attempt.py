"""What is allowed for an attempt: the lease and its end. Pure; no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lehr.wire.trials import Outcome
from lehr_service.errors import LeaseLost, WrongKind

Kind = Literal["trial", "range_test"]


@dataclass(frozen=True)
class Attempt:
    """An execution of a trial, or of a range test, by a worker, known by its token."""

    token: str
    study_id: int
    trial: int  # its number, or the range test's
    attempt: int
    worker_id: str
    outcome: Outcome | None
    started_at: float
    message: str | None = None
    traceback: str | None = None
    finished_at: float | None = None
    kind: Kind = "trial"


def check_attempt(attempt: Attempt) -> None:
    """Raises LeaseLost unless the attempt may still act."""
    if attempt.outcome is not None:
        raise LeaseLost(attempt.outcome.value)


def check_kind(attempt: Attempt, kind: Kind) -> None:
    """Raises WrongKind unless the attempt is one at a trial, or at a range test."""
    if attempt.kind != kind:
        raise WrongKind(attempt.kind)


def is_expired(deadline: float, now: float, grace_until: float) -> bool:
    """The one rule of expiry: the worker's deadline has passed, and the server has been up for long
    enough that a worker it did not answer for a while could have been heard again."""
    return now >= deadline and now >= grace_until
