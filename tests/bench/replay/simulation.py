"""Simulated workers on a virtual clock: each trains one epoch of its trial at a time."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field
from typing import Any, Protocol

from replay.tasks import Recorded

WORKERS = 4
TRAININGS = 40  # the budget, in full trainings


class Side(Protocol):
    """A search: what a worker and its server say to each other."""

    def ask(self) -> tuple[int, dict[str, Any]]: ...
    def report(self, number: int, step: int, value: float) -> bool:
        """Whether to prune."""

    def diverge(self, number: int, step: int) -> None:
        """The trial's value is not a number at this step, and it ends."""

    def end(self, number: int, how: str, value: float | None = None) -> None:
        """``how``: complete or pruned."""


@dataclass
class Run:
    """What one search did with its budget."""

    completed: list[tuple[int, int]] = field(default_factory=list)  # epochs so far, configuration
    pruned: list[int] = field(default_factory=list)  # configurations
    epochs: int = 0  # of complete and pruned trials


@dataclass
class _Worker:
    number: int = -1
    configuration: int = -1
    step: int = 0
    seconds: float = 1.0  # an epoch


def simulate(task: Recorded, side: Side, seed: int) -> Run:
    """Spend the budget; trials under way at its end count for nothing."""
    chance, run = random.Random(seed), Run()
    workers = [_Worker() for _ in range(WORKERS)]
    clock = [(0.0, index) for index in range(WORKERS)]
    for trained in range(1, TRAININGS * task.epochs + 1):
        now, index = heapq.heappop(clock)
        worker = workers[index]
        if worker.number < 0:
            number, params = side.ask()
            workers[index] = worker = _Worker(
                number, task.nearest(params), 0, chance.uniform(0.8, 1.25)
            )
        _train(task, side, worker, run, trained)
        heapq.heappush(clock, (now + worker.seconds, index))
    return run


def _train(task: Recorded, side: Side, worker: _Worker, run: Run, trained: int) -> None:
    """One epoch, and what follows from it."""
    value = float(task.judged[worker.configuration, worker.step])
    worker.step += 1
    number, configuration, steps = worker.number, worker.configuration, worker.step
    if not math.isfinite(value):
        side.diverge(number, steps - 1)
    elif side.report(number, steps - 1, value):
        side.end(number, "pruned")
        run.pruned.append(configuration)
        run.epochs += steps
    elif steps == task.epochs:
        side.end(number, "complete", float(task.finals[configuration]))
        run.completed.append((trained, configuration))
        run.epochs += steps
    else:
        return
    worker.number = -1


def incumbent(task: Recorded, run: Run, share: float = 1.0) -> float | None:
    """The best final value among trials that completed within a share of the budget."""
    limit = share * TRAININGS * task.epochs
    finals = [float(task.finals[c]) for trained, c in run.completed if trained <= limit]
    if not finals:
        return None
    return max(finals) if task.direction == "maximize" else min(finals)


def measures(task: Recorded, run: Run) -> dict[str, float]:
    """Regret at 25, 50 and 100 % of the budget (1 before a trial completes), and the price."""
    found = {}
    for share in (0.25, 0.5, 1.0):
        best = incumbent(task, run, share)
        found[f"regret {share:.0%}"] = 1.0 if best is None else min(task.regret(best), 1.0)
    last = incumbent(task, run)
    beaten = [c for c in run.pruned if last is None or task.better(float(task.finals[c]), last)]
    finished = len(run.completed) + len(run.pruned)
    found["wrong"] = len(beaten)
    found["pruned"] = len(run.pruned)
    found["saved"] = 1.0 - run.epochs / (finished * task.epochs)
    return found
