"""How much of a study could start now: one rule, for the server and for readers of its answers."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from lehr.wire.parts import Limits


@dataclass(frozen=True)
class Load:
    """What an active study has done and does; counts are of trials where nothing else is said."""

    limits: Limits
    full: int  # epochs of a whole training
    trials: int  # in every state
    running: int
    returned: int  # they wait and had started, so their epochs are reserved
    enqueued: int  # they wait and were never claimed
    finished_epochs: int  # of finished trials
    exhausted: bool = False  # the sampler has no further point
    tests_waiting: int = 0  # range tests
    tests_running: int = 0


def startable(load: Load) -> float:
    """Trials that idle devices could start at once; range tests, where some are still to end.

    Infinite where no limit bounds them.
    """
    limits = load.limits
    if load.tests_waiting + load.tests_running > 0:
        return min(load.tests_waiting, _room(limits.max_parallel, load.tests_running))
    new = 0 if load.exhausted else _room(limits.max_trials, load.trials)
    fresh = min(load.enqueued + new, _full_trainings(load))
    return min(load.returned + fresh, _room(limits.max_parallel, load.running))


def _full_trainings(load: Load) -> float:
    """So many more fit into ``max_epochs``: trials under way reserve one each."""
    if load.limits.max_epochs is None:
        return inf
    reserved = load.finished_epochs + (load.running + load.returned) * load.full
    return max(load.limits.max_epochs - reserved, 0) // load.full


def _room(limit: int | None, taken: int) -> float:
    return inf if limit is None else max(limit - taken, 0)
