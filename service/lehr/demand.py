"""How many devices the studies could use at once: what scales a fleet of workers."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from lehr.client import Client
from lehr.startable import Load, startable
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
    return running + startable(_load(study)) if study.state == "active" else running


def _load(study: Study) -> Load:
    """What the answer leaves open is taken so that the number is never too low.

    It does not say which waiting trials had started, nor whose the reported epochs are.
    """
    tests = [test.state for test in study.range_tests.values()]
    counts, full = study.counts, study.definition.training.epochs
    return Load(
        limits=study.definition.limits,
        full=full,
        trials=counts.total,
        running=counts.running,
        returned=counts.waiting,
        enqueued=0,
        finished_epochs=max(0, study.epochs - (counts.running + counts.waiting) * full),
        tests_waiting=tests.count(RangeTestState.WAITING),
        tests_running=tests.count(RangeTestState.RUNNING),
    )
