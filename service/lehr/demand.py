"""How many devices the studies could use at once: what scales a fleet of workers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import ceil, inf

from lehr.client import Client
from lehr.wire.range_tests import RangeTestState
from lehr.wire.studies import Study

_WITH_WORK = ("active", "paused", "stopping")


def devices_wanted(client: Client, most: int, tasks: Collection[str] = ()) -> int:
    """Trials and range tests that run or could run now, one a device, at most ``most``.

    Counts studies of these ``tasks``, or all. It is an upper bound: what limits still allow, before
    any sampler says that it has no further point.
    """
    found = (study for state in _WITH_WORK for study in client.studies(state))
    return int(min(most, _sum(s for s in found if not tasks or s.definition.task in tasks)))


def _sum(studies: Iterable[Study]) -> float:
    return sum(work_at_once(study) for study in studies)


def work_at_once(study: Study) -> float:
    """What of a study runs or could run now; infinite where no limit says otherwise."""
    tests = [test.state for test in study.range_tests.values()]
    running = study.counts.running + tests.count(RangeTestState.RUNNING)
    if study.state != "active":
        return running
    testing = any(not state.is_finished for state in tests)
    could = tests.count(RangeTestState.WAITING) if testing else _could_start(study)
    parallel = study.definition.limits.max_parallel or inf
    return max(running, min(parallel, running + could))


def _could_start(study: Study) -> float:
    """Trials that wait, and new ones that ``max_trials`` and ``max_epochs`` leave room for."""
    limits, counts = study.definition.limits, study.counts
    new = inf if limits.max_trials is None else max(0, limits.max_trials - counts.total)
    if limits.max_epochs is not None:
        left = (limits.max_epochs - study.epochs) / study.definition.training.epochs
        new = min(new, max(0, ceil(left) - counts.running - counts.waiting))
    return counts.waiting + new
