"""One trial from the agent's side: listen to its trainer until the trial has an end."""

from __future__ import annotations

import logging
import threading
import time
from typing import Generic, Protocol, TypeVar

from lehr.wire.base import Wire
from lehr.wire.workers import Failure, NewReport
from lehr_worker.channel import Message
from lehr_worker.departure import Departure
from lehr_worker.failures import failure
from lehr_worker.limits import Limits, StepWatch
from lehr_worker.memory import readable
from lehr_worker.process import TrainerDied, TrainerProcess

TICK_SECONDS = 0.2  # how soon a departure or a lost lease is noticed
LONGER = "; if it may take longer: lehr work --step-seconds"
MORE = "; if it may hold more: lehr work --memory-bytes"

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Wire)


class Supervised(Protocol):
    """An attempt, as far as its trainer is concerned."""

    label: str
    over: threading.Event  # nothing of it is wanted any more

    @property
    def token(self) -> str: ...

    def report(self, report: NewReport) -> None:
        """The values of a step."""

    def keep(self, step: int, state: bytes) -> None:
        """The state after a step, to be resumed from."""

    def flush(self, seconds: float) -> bool:
        """Whether all that was to be kept is kept within so many seconds."""


class Supervisor(Generic[R]):
    """Passes on what the trainer of one attempt says, and ends it when its time is over.

    ``result`` is what an attempt ends with whose training is done.

    A trial that was told to stop may go on for ``stop_seconds``, one that is handed back for
    ``hand_back_seconds``: an epoch cannot be interrupted, only its process killed. One that goes
    beyond ``limits`` loses its process at once.
    """

    def __init__(
        self,
        trainer: TrainerProcess,
        attempt: Supervised,
        departure: Departure,
        result: type[R],
        *,
        limits: Limits,
        stop_seconds: float,
        hand_back_seconds: float,
    ) -> None:
        self._trainer = trainer
        self._attempt = attempt
        self._departure = departure
        self._result = result
        self._limits = limits
        self._watch = StepWatch(limits.step_seconds, time.monotonic())
        self._weigh_at = 0.0  # when to look at the trainer's memory again
        self._stop_seconds = stop_seconds
        self._hand_back_seconds = hand_back_seconds
        self._saving = False
        self._parts: list[bytes] = []  # of a checkpoint that is arriving
        self._kill_at: float | None = None

    def follow(self) -> R | Failure | None:
        """How the attempt ended; None where the server knows. May leave the trainer dead."""
        while True:
            try:
                message = self._trainer.next(TICK_SECONDS)
            except TrainerDied as death:
                log.error("%s: %s", self._attempt.label, death)
                return death.failure
            if message is not None and message.body.get("token") == self._attempt.token:
                if message.kind == "ended":
                    return self._ending(message)
                self._pass_on(message)
            if self._is_overdue(time.monotonic()):
                self._trainer.kill()
                return self._handed_back()
            if condemned := self._beyond_limits(is_silent=message is None):
                log.error("%s: %s", self._attempt.label, condemned.message)
                return condemned

    def _beyond_limits(self, *, is_silent: bool) -> Failure | None:
        """The failure of an attempt that takes too much, its trainer killed; None for others.

        While messages wait to be read, nothing is known of the step that is under way.
        """
        now = time.monotonic()
        self._watch.look(now)
        if is_silent and self._watch.is_over:
            return self._trainer.condemn("error", self._watch.story, LONGER)
        if now < self._weigh_at:  # steps may be shorter than looking takes
            return None
        self._weigh_at = now + TICK_SECONDS
        most, held = self._limits.memory_bytes, self._trainer.held
        if most is None or held is None or held <= most:
            return None
        story = f"the trainer held {readable(held)} of memory, and may hold {readable(most)}"
        return self._trainer.condemn("out_of_memory", story, MORE)

    def _pass_on(self, message: Message) -> None:
        if message.kind in ("report", "step"):
            self._watch.end_step()
        if message.kind == "report":
            report = NewReport.model_validate(message.body["report"])
            self._attempt.report(report)
        elif message.kind == "checkpoint" and message.blob is not None:
            self._parts.append(message.blob)
            if message.body["last"]:
                state, self._parts = b"".join(self._parts), []
                self._attempt.keep(message.body["step"], state)

    def _ending(self, message: Message) -> R | Failure | None:
        body = message.body["ending"]
        if message.body["kind"] == self._result.__name__.lower():
            return self._result.model_validate(body)
        if message.body["kind"] == "none":
            return self._handed_back()
        ending = Failure.model_validate(body)
        if ending.outcome == "out_of_memory":
            self._trainer.kill()  # a fresh process has its memory whole again
        return ending

    def _handed_back(self) -> Failure | None:
        """None if the trial was stopped, for then the server knows."""
        if self._attempt.over.is_set():
            return None
        if not self._departure.at_once.is_set():
            self._attempt.flush(self._hand_back_seconds)
        return failure("preempted", "handed back: the worker leaves")

    def _is_overdue(self, now: float) -> bool:
        """Tell the trainer what the departure asks; whether it has had its time."""
        if self._departure.at_once.is_set():
            return True
        if self._departure.leaving.is_set() and not self._saving:
            self._saving = True
            self._trainer.save(self._attempt.token)
        if self._kill_at is None and self._attempt.over.is_set():
            self._kill_at = now + self._stop_seconds
        if self._departure.handing_back.is_set() and self._kill_at is None:
            self._trainer.hand_back(self._attempt.token)
            self._kill_at = now + self._hand_back_seconds
        return self._kill_at is not None and now >= self._kill_at
