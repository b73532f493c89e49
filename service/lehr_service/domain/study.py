"""What is allowed for a study: its states, its limits and when it ends. Pure; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from lehr import startable as rule
from lehr.startable import Load
from lehr.wire.studies import StudyDefinition, StudyState
from lehr_service.errors import InvalidTransition, LimitReached


@dataclass(frozen=True)
class Study:
    """A study as the rules see it."""

    id: int
    name: str
    definition: StudyDefinition
    seed: int  # of the sampler
    state: StudyState
    reason: str | None
    revision: int
    waiting: int
    running: int
    complete: int
    pruned: int
    fail: int
    returned: int  # of the waiting ones: those that had started
    failures: int  # of the failed ones: those that were not cancelled
    epochs: int  # reported, over all trials
    finished_epochs: int  # of these, in trials that are finished
    exhausted: bool  # the sampler has no further point
    virtual_time: float  # claims divided by weight
    created_at: float
    finished_at: float | None
    range_tests_waiting: int = 0
    range_tests_running: int = 0

    @property
    def trials(self) -> int:
        return self.waiting + self.running + self.complete + self.pruned + self.fail

    @property
    def unstarted(self) -> int:
        """Enqueued trials nobody has claimed yet."""
        return self.waiting - self.returned

    @property
    def is_testing(self) -> bool:
        """Whether range tests are still to end before trials may start."""
        return self.range_tests_waiting + self.range_tests_running > 0

    @property
    def is_idle(self) -> bool:
        return self.running == 0 and self.returned == 0


_FROM: dict[str, tuple[StudyState, ...]] = {
    "pause": (StudyState.ACTIVE,),
    "resume": (StudyState.PAUSED,),
    "stop": (StudyState.ACTIVE, StudyState.PAUSED),
    "cancel": (StudyState.ACTIVE, StudyState.PAUSED, StudyState.STOPPING),
}
_TO: dict[str, StudyState] = {
    "pause": StudyState.PAUSED,
    "resume": StudyState.ACTIVE,
    "stop": StudyState.STOPPING,
    "cancel": StudyState.CANCELLED,
}


def transition(study: Study, action: str) -> StudyState:
    """The state after ``action``; asking for the state it is in already changes nothing.

    Raises InvalidTransition, with the state it is in.
    """
    if study.state is _TO[action] or study.state in _FROM[action]:
        return _TO[action]
    raise InvalidTransition(f"cannot {action} study {study.name!r}: it is {study.state}")


def may_start(study: Study, *, new_point: bool, restart: bool) -> bool:
    """Whether one more trial may run now.

    ``restart``: it had started before, so its epochs are reserved; ``new_point``: it is not in the
    study yet, so it counts against ``max_trials``.
    """
    limits = study.definition.limits
    if study.state is not StudyState.ACTIVE or study.is_testing:
        return False
    if limits.max_parallel is not None and study.running >= limits.max_parallel:
        return False
    if restart:
        return True
    if new_point and (study.exhausted or not has_room_for_trials(study)):
        return False
    return has_room_for_epochs(study)


def may_test(study: Study) -> bool:
    """Whether one more of its range tests may run now; ``max_parallel`` holds for them too."""
    most = study.definition.limits.max_parallel
    return (
        study.state is StudyState.ACTIVE
        and study.range_tests_waiting > 0
        and (most is None or study.range_tests_running < most)
    )


MOST_STARTABLE = 1000


def startable(study: Study) -> int:
    """How many of its trials, or else range tests, workers could start right now.

    Where no limit bounds them, MOST_STARTABLE.
    """
    if study.state is not StudyState.ACTIVE:
        return 0
    load = Load(
        limits=study.definition.limits,
        full=study.definition.training.epochs,
        trials=study.trials,
        running=study.running,
        returned=study.returned,
        enqueued=study.unstarted,
        finished_epochs=study.finished_epochs,
        exhausted=study.exhausted,
        tests_waiting=study.range_tests_waiting,
        tests_running=study.range_tests_running,
    )
    return int(min(rule.startable(load), MOST_STARTABLE))


def has_room_for_trials(study: Study) -> bool:
    limit = study.definition.limits.max_trials
    return limit is None or study.trials < limit


def has_room_for_epochs(study: Study) -> bool:
    """Whether a full trial fits into ``max_epochs``; trials under way reserve a full training."""
    limit, full = study.definition.limits.max_epochs, study.definition.training.epochs
    under_way = study.running + study.returned
    return limit is None or study.finished_epochs + (under_way + 1) * full <= limit


def check_enqueue(study: Study) -> None:
    """Raises InvalidTransition or LimitReached unless a trial may be enqueued."""
    if study.state not in (StudyState.ACTIVE, StudyState.PAUSED):
        raise InvalidTransition(f"study {study.name!r} is {study.state}: it takes no new trials")
    if not has_room_for_trials(study):
        limit = study.definition.limits.max_trials
        raise LimitReached(f"study {study.name!r} has all of its {limit} trials (max_trials)")


def is_overdue(study: Study, now: float) -> bool:
    timeout = study.definition.limits.timeout
    return timeout is not None and now >= study.created_at + timeout


def reaches_target(study: Study, value: float | None) -> bool:
    target = study.definition.limits.target
    if target is None or value is None:
        return False
    return value >= target if study.definition.goals[0].direction == "maximize" else value <= target


def training_seed(study: Study, number: int) -> int:
    """The seed of a trial's initial weights, order of data and dropout; the same in a retry."""
    seed = study.definition.training.seed
    return seed if isinstance(seed, int) else (study.seed + 0x9E3779B1 * (number + 1)) % 2**32


def next_state(study: Study, now: float) -> tuple[StudyState, str] | None:
    """Where the study goes by itself, with the reason; None where it stays."""
    limits = study.definition.limits
    if study.state.is_finished:
        return None
    if limits.max_failed is not None and study.failures >= limits.max_failed:
        return StudyState.FAILED, f"{study.failures} trials failed (max_failed)"
    if study.state is not StudyState.STOPPING and is_overdue(study, now):
        study_reason = f"the timeout of {limits.timeout:g} s has passed"
        return _stop(study, study_reason)
    if study.state is StudyState.STOPPING and study.running == 0:
        return StudyState.COMPLETED, study.reason or "stopped"
    if not study.is_idle:
        return None
    if study.unstarted == 0 and not has_room_for_trials(study):
        return StudyState.COMPLETED, f"all {limits.max_trials} trials are finished (max_trials)"
    if study.unstarted == 0 and study.exhausted:
        return StudyState.COMPLETED, "every point of the search space was tried"
    if not has_room_for_epochs(study):
        return StudyState.COMPLETED, f"no full trial fits into {limits.max_epochs} epochs any more"
    return None


def _stop(study: Study, reason: str) -> tuple[StudyState, str]:
    return (StudyState.STOPPING if study.running else StudyState.COMPLETED), reason
