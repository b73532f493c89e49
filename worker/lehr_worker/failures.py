"""How an attempt's failure is written down, for the server to accept whatever was raised."""

from __future__ import annotations

import traceback
from typing import Literal

from lehr.wire.workers import Failure

FailureOutcome = Literal["error", "out_of_memory", "diverged", "preempted", "cancelled"]

MESSAGE_CHARACTERS = 10_000
TRACEBACK_CHARACTERS = 100_000


def failure(outcome: FailureOutcome, message: str, trace: str = "") -> Failure:
    """A ``Failure`` cut to what the server stores: a message's start, a traceback's end."""
    return Failure(
        outcome=outcome,
        message=_storable(message)[:MESSAGE_CHARACTERS],
        traceback=_storable(trace)[-TRACEBACK_CHARACTERS:],
    )


def raised(outcome: FailureOutcome, error: BaseException) -> Failure:
    """The failure of an attempt that ended with this exception."""
    said = str(error)
    name = type(error).__name__
    trace = "".join(traceback.format_exception(error))
    return failure(outcome, f"{name}: {said}" if said else name, trace)


def _storable(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
