"""How a trainer gets ready for its first trial, or says why it cannot."""

from __future__ import annotations

import threading
import time
from typing import Any

from lehr_worker.limits import Limits, StepWatch
from lehr_worker.process import TrainerDied, TrainerProcess
from lehr_worker.supervision import TICK_SECONDS


class Unusable(Exception):
    """No start of a trainer would do better: the settings, or its tasks, are wrong."""


def bring_up(
    trainer: TrainerProcess, limits: Limits, seconds: float, leaving: threading.Event
) -> dict[str, Any] | None:
    """Start the process; what it offers once it is ready, None where the worker leaves first.

    Raises TrainerDied, also for one that is not ready within so many seconds; Unusable; OSError.
    """
    trainer.start()
    watch = StepWatch(seconds, time.monotonic())
    while not leaving.is_set():
        message = trainer.next(TICK_SECONDS)
        if message is not None and message.kind == "unusable":
            raise Unusable(f"{message.body['message']}\n{message.body['traceback']}".rstrip())
        if message is not None and message.kind == "ready":
            _check(trainer.held, limits.memory_bytes)
            return message.body
        watch.look(time.monotonic())
        if message is None and watch.is_over:
            why = f"hung: it has not loaded its tasks within {seconds:,g} s"
            raise TrainerDied(trainer.condemn("error", why))
    return None


def _check(held: int | None, most: int | None) -> None:
    """Raises Unusable where no trial could ever keep to the limit of memory."""
    if most is not None and held is not None and held > most:
        raise Unusable(
            f"--memory-bytes: must be above the {held} bytes that a trainer holds before its "
            f"first trial, got {most}"
        )
