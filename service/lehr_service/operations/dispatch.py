"""Who gets which trial: the choice of a study, and the claim itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from sqlalchemy import Connection

from lehr.wire.parts import Objective
from lehr.wire.space import Resolved, resolve
from lehr.wire.space import range_tests as range_tests_of
from lehr.wire.studies import StudyState
from lehr.wire.trials import TrialState
from lehr.wire.workers import AnyLease, Lease, LeaseTraining
from lehr_service.domain import study as study_rules
from lehr_service.domain.attempt import Attempt
from lehr_service.domain.study import Study
from lehr_service.domain.trial import Trial
from lehr_service.operations import attempts as beginnings
from lehr_service.operations import range_tests
from lehr_service.operations.desk import Desk
from lehr_service.operations.ledger import Claim
from lehr_service.operations.views import moment, report_view, trial_view
from lehr_service.search import Asked, SearchError, Suggestion
from lehr_service.storage import attempts, reports, studies, trials, workers
from lehr_service.storage import range_tests as test_rows
from lehr_service.storage.questions import Question, ask, ask_all

_TOKEN = re.compile(r"([0-9a-f]{1,7})-[0-9a-f]{32}")


@dataclass(frozen=True)
class Candidates:
    """Studies a worker may get a trial from, the most entitled first."""

    study_ids: list[int]
    draining: bool = False
    tasks: frozenset[str] = frozenset()  # that the worker offers


@dataclass(frozen=True)
class Opening:
    """What a worker that waits must know to look again."""

    tasks: frozenset[str]  # of studies that have work
    draining: frozenset[str]  # workers


def opening(connection: Connection) -> Opening:
    """For which tasks there is work now, and which workers are to get none."""
    found = ask(connection, studies.active())
    tasks = {s.definition.task for s in found if _has_work(s) or study_rules.may_test(s)}
    return Opening(frozenset(tasks), frozenset(workers.draining(connection)))


def choose_studies(
    connection: Connection, claims: Collection[Claim]
) -> dict[Claim, Candidates | None]:
    """Which studies to ask for a trial, in the order of fair share, for claims that come together.

    A study's share is its weight: the one with the fewest running trials for its weight comes
    first; among equals the one with the fewest claims for its weight so far. A request that was
    answered before finds its answer in whichever study it comes to, so it is looked up here only
    where there is none. None for a worker that is none, or was given up.
    """
    asked: list[Question[Any]] = [
        studies.active(),
        workers.some({worker_id for worker_id, _ in claims}),
    ]
    active, known = ask_all(connection, asked)
    here = {worker_id: worker for worker_id, worker in known.items() if not worker.lost}
    theirs = {w: _candidates(connection, worker, active) for w, worker in here.items()}
    chosen = {claim: theirs.get(claim[0]) for claim in claims}
    without = [claim for claim, found in chosen.items() if found is None or not found.study_ids]
    answered = ask(connection, attempts.by_requests(without)) if without else {}
    return chosen | {claim: Candidates([found.study_id]) for claim, found in answered.items()}


def _candidates(
    connection: Connection, worker: workers.Worker, active: Sequence[Study]
) -> Candidates:
    tasks = frozenset(worker.tasks)
    if worker.draining:
        return Candidates([], draining=True, tasks=tasks)
    open_studies = [study for study in active if study.definition.task in tasks]
    able = range_tests.ABILITY in worker.abilities
    eligible = [s for s in open_studies if _has_work(s) or _has_test(connection, s, able)]
    return Candidates([study.id for study in sorted(eligible, key=_claim_to_share)], tasks=tasks)


def _has_test(connection: Connection, study: Study, able: bool) -> bool:
    """Whether there is a range test to run, or none any more that has to be run."""
    if not study_rules.may_test(study):
        return False
    return able or test_rows.some_are_known(connection, study.id)


def _has_work(study: Study) -> bool:
    return any(
        (
            study.returned and study_rules.may_start(study, new_point=False, restart=True),
            study.unstarted and study_rules.may_start(study, new_point=False, restart=False),
            study_rules.may_start(study, new_point=True, restart=False),
        )
    )


def _claim_to_share(study: Study) -> tuple[float, float, int]:
    at_work = study.running + study.range_tests_running
    return at_work / study.definition.weight, study.virtual_time, study.id


@dataclass(frozen=True)
class Awaiting:
    """A claim can be met once there is a suggestion: for a waiting trial, or for a new one."""

    number: int | None


@dataclass(frozen=True)
class Elsewhere:
    """The claim was sent twice, and another study has answered the other sending meanwhile."""

    study_id: int


def claim(
    desk: Desk, worker_id: str, request_id: str, suggestion: Suggestion | None = None
) -> AnyLease | Awaiting | Elsewhere | None:
    """Lease a trial or range test of the study to a worker; None where there is nothing to do.

    The lease's first deadline is granted in the same transaction, so a worker that dies before its
    first heartbeat is noticed too. The same request id gets the same lease.
    """
    answered = desk.ledger.claimed(desk.unflushed, (worker_id, request_id))
    if answered is not None and answered.study_id != desk.study.id:
        return Elsewhere(answered.study_id)
    if answered is not None and answered.kind == "range_test":
        return range_tests.lease(desk, answered)
    if answered is not None:
        return lease(desk, answered)
    worker = desk.worker(worker_id)
    desk.settle()
    if worker.draining or desk.study.definition.task not in worker.tasks:
        return None
    if desk.study.range_tests_waiting:
        tested = range_tests.claim(desk, worker, request_id)
        if tested is not None:
            return range_tests.lease(desk, tested)
    try:
        trial = _next_trial(desk, suggestion)
    except SearchError as error:
        desk.move(StudyState.FAILED, f"the sampler failed: {error}")
        return None
    if trial is None or isinstance(trial, Awaiting):
        return trial
    return lease(desk, _start(desk, trial, worker, request_id))


def _next_trial(desk: Desk, suggestion: Suggestion | None) -> Trial | Awaiting | None:
    if desk.study.waiting:
        waiting = trials.first_waiting(desk.connection, desk.study.id)
        return None if waiting is None else _waiting_trial(desk, waiting, suggestion)
    if not study_rules.may_start(desk.study, new_point=True, restart=False):
        return None
    if desk.mirror.is_exhausted():
        desk.change(exhausted=True)
        desk.settle()
        return None
    asked = _asked(desk, None, suggestion)
    if asked is None:
        return Awaiting(None)
    return desk.add(
        Trial(
            number=asked.number,
            state=TrialState.WAITING,
            params=asked.params,
            created_at=desk.now,
        )
    )


def _asked(desk: Desk, number: int | None, suggestion: Suggestion | None) -> Asked | None:
    """A point for a trial: the suggestion where it fits; None where one must be waited for.

    Raises SearchError.
    """
    if suggestion is not None and not suggestion.used and suggestion.number == number:
        suggestion.used = True
        if suggestion.error:
            raise SearchError(suggestion.error)
        if suggestion.key == desk.mirror.key:
            return desk.mirror.adopt(suggestion)
    if desk.asks_here:
        begin = perf_counter()
        point = desk.mirror.ask(number)
        desk.asks.append(perf_counter() - begin)
        return point
    given = None if number is None else desk.mirror.given(number)
    return None if given is None else desk.mirror.adopt(given)


def _waiting_trial(
    desk: Desk, trial: Trial, suggestion: Suggestion | None
) -> Trial | Awaiting | None:
    restart = trial.attempts > 0
    if not study_rules.may_start(desk.study, new_point=False, restart=restart):
        return None
    if trial.params is not None:
        return trial
    asked = _asked(desk, trial.number, suggestion)
    if asked is None:
        return Awaiting(trial.number)
    return replace(trial, params=asked.params | _given_rates(desk.study, trial))


def _given_rates(study: Study, trial: Trial) -> dict[str, float]:
    """Learning rates as they were given: the sampler sees them within a range test's bounds."""
    tested = {f"{name}.learning_rate" for name in range_tests_of(study.definition.space)}
    return {n: float(v) for n, v in trial.fixed_params.items() if n in tested}


def _start(desk: Desk, trial: Trial, worker: workers.Worker, request_id: str) -> Attempt:
    trial = desk.save(
        trial,
        state=TrialState.RUNNING,
        reason=None,
        attempts=trial.attempts + 1,
        worker=worker.name,
        started_at=trial.started_at if trial.started_at is not None else desk.now,
    )
    return beginnings.begin(desk, worker, request_id, "trial", trial.number, trial.attempts)


def study_of(token: str) -> int | None:
    """The id of the study that an attempt's token belongs to; None if it is no token."""
    parts = _TOKEN.fullmatch(token)
    return int(parts[1], 16) if parts else None


def lease(desk: Desk, attempt: Attempt) -> Lease:
    """All that a worker needs to train the attempt's trial."""
    study, trial = desk.study, desk.trial(attempt.trial)
    point = resolved(study, trial)
    started_before = trial.attempts > 1 or trial.steps > 0
    curve = reports.curve(desk.connection, study.id, trial.number) if started_before else []
    stored = started_before and reports.has_checkpoint(desk.connection, study.id, trial.number)
    goals = _leased_goals(study)
    return Lease(
        token=attempt.token,
        attempt=attempt.attempt,
        study=study.name,
        task=study.definition.task,
        trial=trial_view(study.name, trial),
        training=LeaseTraining(
            epochs=study.definition.training.epochs,
            seed=study_rules.training_seed(study, trial.number),
            ema=study.definition.ema,
        ),
        objective=goals[0] if len(goals) == 1 else None,
        objectives=goals,
        optimizer=point.optimizer,
        schedule=point.schedule,
        warmup=point.warmup,
        parameters=point.parameters,
        reports=[report_view(row) for row in curve],
        checkpoint=f"/v1/attempts/{attempt.token}/checkpoint" if stored else None,
        deadline=moment(desk.deadline),
    )


def _leased_goals(study: Study) -> list[Objective]:
    """The objectives, with judge as raw wherever averaged weights are not asked for."""
    goals = study.definition.goals
    if study.definition.judge == "ema":
        return list(goals)
    return [goal.model_copy(update={"judge": "raw"}) for goal in goals]


def resolved(study: Study, trial: Trial) -> Resolved:
    """The configuration that a trial's parameters stand for."""
    params = trial.params or {}
    return resolve(study.definition.space, lambda name, _value: params[name])
