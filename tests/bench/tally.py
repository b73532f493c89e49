"""What the simulated workers of a cell did, and what they and the system under test cost."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import uvloop
from measure import Row, cpu_seconds

Clock = time.perf_counter
Work = Coroutine[Any, Any, None]


class Tally:
    """What all simulated workers of a run did, and when it is over."""

    def __init__(self, trials: int, seconds: float) -> None:
        self.trials, self.wanted = 0, trials
        self.claims: list[float] = []
        self.reports: list[float] = []
        self.beats: list[float] = []
        self.polls: list[float] = []
        self.others: list[float] = []
        self.errors = 0
        self.first_error = ""
        self.over = asyncio.Event()
        self.ends_at = Clock() + seconds

    def copy(self) -> Tally:
        """What was counted until now."""
        found = Tally(self.wanted, 0)
        found.trials, found.errors = self.trials, self.errors
        for name in ("claims", "reports", "beats", "polls", "others"):
            setattr(found, name, list(getattr(self, name)))
        return found

    def finished(self) -> None:
        self.trials += 1
        if self.trials >= self.wanted or Clock() > self.ends_at:
            self.over.set()

    def failed(self, what: str, status: int, body: Any) -> None:
        self.errors += 1
        self.first_error = self.first_error or f"{what}: {status} {body}"
        if self.errors > 1000:
            self.over.set()


Begun = tuple[Tally, list[Work]]


async def until_over(tally: Tally, works: list[Work]) -> None:
    """Run the workers until the tally is full."""
    tasks = [asyncio.create_task(work) for work in works]
    over = asyncio.create_task(tally.over.wait())
    limit = max(0.0, tally.ends_at - Clock())
    await asyncio.wait([over, *tasks], timeout=limit, return_when=asyncio.FIRST_EXCEPTION)
    over.cancel()
    for task in tasks:
        if task.done() and not task.cancelled() and task.exception():
            tally.failed("worker", 0, repr(task.exception()))
        task.cancel()
    await asyncio.gather(over, *tasks, return_exceptions=True)


def measured(row: Row, servers: Sequence[int], begin: Callable[[], Awaitable[Begun]]) -> Row:
    """The row of a load on server processes, by workers that are tasks of this one."""
    tally = uvloop.run(_load(row, servers, begin))
    row.trials, row.claims, row.reports = tally.trials, tally.claims, tally.reports
    row.others, row.errors = len(tally.others), tally.errors
    if tally.first_error:
        print(f"  {row.contender}: {tally.first_error:.300}", file=sys.stderr)
    return row


async def _load(row: Row, servers: Sequence[int], begin: Callable[[], Awaitable[Begun]]) -> Tally:
    tally, works = await begin()
    used, own, at = sum(map(cpu_seconds, servers)), time.process_time(), Clock()
    await until_over(tally, works)
    row.seconds, row.cpu = Clock() - at, sum(map(cpu_seconds, servers)) - used
    row.load_cpu = time.process_time() - own
    return tally
