"""What one trial may take: time for a step, memory."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_STEP_SECONDS = 86_400.0
SLOWEST_TIMES, MORE_SECONDS = 10.0, 600.0
SEEN_SECONDS = 1.0  # between two looks; what is beyond, this process did not see pass


@dataclass(frozen=True)
class Limits:
    """``step_seconds`` None: see ``StepWatch``; ``memory_bytes`` of its process, None: no limit."""

    step_seconds: float | None = None
    memory_bytes: int | None = None


class StepWatch:
    """Whether a step takes so long that its trainer must hang.

    An epoch may rightly take hours, and nobody knows how long before the first has ended. So where
    no limit was set, the first step, which loads data and compiles too, has a day, and those that
    follow have ten times the slowest so far and ten minutes.

    Only time counts that this process has seen pass: no harm is done by a machine that sleeps, or
    by a scheduler that stops all processes of a job for a while.
    """

    def __init__(self, seconds: float | None, now: float) -> None:
        self._seconds = seconds
        self._slowest: float | None = None
        self._seen_at = now
        self.taken = 0.0  # seconds, by the step that is under way
        self.ended = 0  # steps

    @property
    def limit(self) -> float:
        if self._seconds is not None:
            return self._seconds
        if self._slowest is None:
            return FIRST_STEP_SECONDS
        return SLOWEST_TIMES * self._slowest + MORE_SECONDS

    @property
    def story(self) -> str:
        which = "its first step" if not self.ended else f"the step after {self.ended}"
        return f"hung: {which} has not ended within {self.limit:,g} s"

    def look(self, now: float) -> None:
        self.taken += min(now - self._seen_at, SEEN_SECONDS)
        self._seen_at = now

    def end_step(self) -> None:
        self._slowest = max(self._slowest or 0.0, self.taken)
        self.taken = 0.0
        self.ended += 1

    @property
    def is_over(self) -> bool:
        return self.taken > self.limit
