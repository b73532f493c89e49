"""How an attempt's failure is written down, for the server to accept whatever was raised."""

from __future__ import annotations

import re
import sysconfig
import traceback
from pathlib import Path
from typing import Literal

import lehr
from lehr.wire.workers import Failure

FailureOutcome = Literal["error", "out_of_memory", "diverged", "preempted", "cancelled"]

MESSAGE_CHARACTERS = 10_000
TRACEBACK_CHARACTERS = 100_000

_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_OWN = (str(Path(__file__).parent), *lehr.__path__)


def failure(outcome: FailureOutcome, message: str, trace: str = "") -> Failure:
    """A ``Failure`` cut to what the server stores: a message's start, a traceback's end."""
    return Failure(
        outcome=outcome,
        message=storable(message)[:MESSAGE_CHARACTERS],
        traceback=storable(trace)[-TRACEBACK_CHARACTERS:],
    )


def raised(outcome: FailureOutcome, error: BaseException) -> Failure:
    """The failure of an attempt that ended with this exception.

    Its message says where in the task's own code it was raised, and what that was to give.
    """
    name = type(error).__name__
    said = _said(error)
    place = [found for found in (raised_at(error),) if found]
    facts = "; ".join([*place, *getattr(error, "__notes__", ())])
    message = f"{name}: {said}" if said else name
    trace = "".join(traceback.format_exception(error))
    return failure(outcome, f"{message} ({facts})" if facts else message, trace)


def raised_at(error: BaseException) -> str:
    """Function, file and line of the innermost frame that is no library's; empty if all are."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if is_task_code(f.filename)]
    return f"in {frames[-1].name}, {frames[-1].filename} line {frames[-1].lineno}" if frames else ""


def is_task_code(file: str) -> bool:
    """Whether a source file is neither a library's, as far as its place tells, nor lehr's own."""
    return not file.startswith((*_LIBRARIES, *_OWN, "<"))


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # a task's own class
        return ""


def storable(text: str) -> str:
    """Without what no database takes, and without the colours that Keras puts into messages."""
    text = _COLOUR.sub("", text)
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
