"""The suggestions of one study that are ready, and how many more are wanted."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from dataclasses import dataclass, field

from lehr_service.domain.study import Study
from lehr_service.search import Suggestion, most_ahead

BATCH = 16  # suggestions a request, so that studies take turns

_DEMAND_SECONDS = 5.0  # what was claimed so recently is what will be
_ROUND_SECONDS = 0.1  # from a claim to more suggestions, at least


@dataclass(frozen=True)
class Wanted:
    """What to ask a process for: new points, or one for a waiting trial."""

    count: int
    pending: list[Suggestion] = field(default_factory=list)
    number: int | None = None
    replaces: bool = False  # those at hand


@dataclass
class Stock:
    """The suggestions of one study, and who waits for them."""

    ready: deque[Suggestion] = field(default_factory=deque)
    waiting: deque[asyncio.Future[Suggestion]] = field(default_factory=deque)
    handed: deque[Suggestion] = field(default_factory=deque)  # to claims that are under way
    numbered: dict[int, list[asyncio.Future[Suggestion]]] = field(default_factory=dict)
    claimed_at: deque[float] = field(default_factory=lambda: deque(maxlen=1000))
    study: Study | None = None
    serial: int = 0
    seconds_each: float = 0.01  # that a suggestion takes
    is_fed: bool = False  # a task fills it

    @property
    def finished(self) -> int:
        return 0 if self.study is None else finished(self.study)

    @property
    def is_blind(self) -> bool:
        """Whether the sampler looks at no other trial."""
        return self.study is not None and self.study.definition.sampler["name"] == "random"

    @property
    def is_outdated(self) -> bool:
        """Whether newer suggestions would know much more than those at hand."""
        if self.study is None or self.is_blind:
            return False
        return any(self.finished - s.finished > self.study.running // 2 for s in self.ready)

    def release(self, suggestion: Suggestion | None = None) -> None:
        """Let all that wait go; without a suggestion they look again."""
        futures = [*self.waiting, *(f for fs in self.numbered.values() for f in fs)]
        self.waiting.clear()
        self.numbered.clear()
        for future in futures:
            if not future.done():
                future.set_result(suggestion or Suggestion({}, used=True))

    def target(self, now: float) -> int:
        """How many to have ready: one, and what is claimed while the next are made.

        Claims come in any order, so twice the spread of their number is added, as long as it is
        few beside what runs: each suggestion waits for its claim, and more of them for longer.
        """
        while self.claimed_at and now - self.claimed_at[0] > _DEMAND_SECONDS:
            self.claimed_at.popleft()
        recent = len(self.claimed_at)
        if self.study is None or recent == 0:
            return 0
        meanwhile = recent / _DEMAND_SECONDS * max(_ROUND_SECONDS, 2 * self.seconds_each)
        at_times = min(meanwhile + 2 * math.sqrt(meanwhile), self.study.running / 4)
        return min(1 + int(max(meanwhile, at_times)), most_ahead(self.study.definition))

    def wanted(self) -> Wanted | None:
        """The next request to the process, None where enough is there."""
        for number, futures in list(self.numbered.items()):
            if any(not future.done() for future in futures):
                return Wanted(1, number=number)
            del self.numbered[number]
        waiting = sum(1 for future in self.waiting if not future.done())
        target = self.target(time.monotonic())
        is_outdated = waiting == 0 and target > 0 and self.is_outdated
        have = 0 if is_outdated else len(self.ready)
        count = min(BATCH, waiting + target - have)
        if count <= 0:
            return None
        self.handed = deque(s for s in self.handed if not s.used)
        known = [] if self.is_blind else [*self.handed, *(() if is_outdated else self.ready)]
        return Wanted(count, known, replaces=is_outdated)

    def deliver(self, suggestion: Suggestion) -> None:
        """Give a new suggestion to whom it is for, or keep it."""
        if suggestion.error:
            self.release(suggestion)
        elif suggestion.number is not None:
            for future in self.numbered.get(suggestion.number, ()):
                if not future.done():
                    future.set_result(suggestion)
                    return
        elif not self.hand_over(suggestion):
            self.ready.append(suggestion)

    def hand_over(self, suggestion: Suggestion) -> bool:
        """Give it to who has waited longest; whether anybody waits."""
        while self.waiting:
            future = self.waiting.popleft()
            if not future.done():
                future.set_result(suggestion)
                self.handed.append(suggestion)
                return True
        return False


def finished(study: Study) -> int:
    """How many trials of a study have ended."""
    return study.complete + study.pruned + study.fail
