"""Workers: registration, heartbeats, claims, drain."""

from __future__ import annotations

import asyncio
import secrets

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from lehr.wire.tokens import Role
from lehr.wire.workers import (
    AnyLease,
    Claim,
    Heartbeat,
    HeartbeatAnswer,
    Registered,
    Registration,
    WorkerAttempt,
    WorkerPage,
)
from lehr.wire.workers import Worker as WorkerView
from lehr_service.api.claims import claim as claim_trial
from lehr_service.api.deps import Here, Server, Who, WorkerId, answer, refuses
from lehr_service.api.lean import LeanRoute
from lehr_service.domain.attempt import Attempt
from lehr_service.errors import WorkerUnknown
from lehr_service.operations import schemas
from lehr_service.operations.heartbeats import Beat
from lehr_service.operations.views import moment, worker_view
from lehr_service.storage import attempts, range_tests, studies, trials, workers

router = APIRouter(prefix="/v1/workers", tags=["workers"], route_class=LeanRoute)

_LISTED = 10_000


@router.post("", status_code=201, response_model=Registered, responses=refuses(400))
async def register(registration: Registration, here: Here, who: Who) -> Response:
    """Register a worker; its id is for this run of it, and for the token that it came with."""
    await asyncio.to_thread(schemas.check, registration.tasks)
    now, lease = here.clock(), here.settings.lease_seconds
    worker = workers.Worker(
        id=secrets.token_hex(16),
        name=registration.name,
        tasks=registration.tasks,
        devices=registration.devices,
        versions=registration.versions,
        abilities=registration.abilities,
        problems=registration.problems,
        draining=False,
        lost=False,
        registered_at=now,
        heard_at=now,
        deadline=now + lease,
        token_id=who.token_id,
    )
    await here.write(lambda c: workers.add(c, worker))
    here.owners.note(worker.id, who)
    return answer(
        Registered(
            id=worker.id,
            heartbeat_seconds=here.settings.heartbeat_seconds,
            deadline=moment(worker.deadline),
        ),
        201,
    )


@router.get("", response_model=WorkerPage, responses=refuses())
async def list_workers(here: Here) -> Response:
    """The workers that are here, with what each runs."""

    def page(connection: Connection) -> WorkerPage:
        return WorkerPage(
            items=[running_view(connection, w) for w in workers.listed(connection, limit=_LISTED)]
        )

    return answer(await here.read(page))


def running_view(connection: Connection, worker: workers.Worker) -> WorkerView:
    """A worker with what it runs, trials and range tests."""
    running = []
    for attempt in attempts.running_of_worker(connection, worker.id):
        study = studies.by_id(connection, attempt.study_id)
        if study is not None:
            running.append(_running(connection, study.name, attempt))
    return worker_view(worker, running)


def _running(connection: Connection, study: str, attempt: Attempt) -> WorkerAttempt:
    if attempt.kind == "range_test":
        test = range_tests.get(connection, attempt.study_id, attempt.trial)
        optimizer = None if test is None else test.optimizer
        return WorkerAttempt(
            study=study, trial=None, range_test=optimizer, attempt=attempt.attempt, steps=0
        )
    trial = trials.get(connection, attempt.study_id, attempt.trial)
    steps = 0 if trial is None else trial.steps
    return WorkerAttempt(study=study, trial=attempt.trial, attempt=attempt.attempt, steps=steps)


@router.post("/{worker_id}/heartbeat", response_model=HeartbeatAnswer, responses=refuses(400, 404))
async def heartbeat(worker_id: WorkerId, beat: Heartbeat, here: Here) -> Response:
    """Say that a worker lives; hear which of its attempts hold no lease any more."""
    heard = await here.beats(Beat(worker_id, beat.attempts))
    if heard is None:
        raise WorkerUnknown(worker_id)
    return answer(heard)


@router.post(
    "/{worker_id}/claim",
    response_model=AnyLease,
    responses={204: {"description": "nothing to do"}, **refuses(400, 404)},
)
async def claim(worker_id: WorkerId, wanted: Claim, here: Here, who: Who) -> Response:
    """Ask for work, waiting up to ``wait`` seconds; the same request id gets the same lease.

    A range test has ``kind: range_test`` in its lease, and goes to workers with that ability only.
    """
    lease = await claim_trial(here, worker_id, str(wanted.request_id), wanted.wait)
    if lease is None:
        return Response(status_code=204)
    if who.role is Role.WORKER:  # an admin may act for a worker of another token
        here.owners.note(lease.token, who)
    return answer(lease)


@router.post("/{worker_id}/drain", response_model=WorkerView, responses=refuses(404))
async def drain(worker_id: WorkerId, here: Here) -> Response:
    """Give a worker no new trials; it leaves when those it has end."""

    def drained(connection: Connection) -> WorkerView:
        worker = workers.drain(connection, worker_id)
        if worker is None:
            raise WorkerUnknown(worker_id)
        return running_view(connection, worker)

    return answer(await _then_wake(here, await here.write(drained)))


async def _then_wake(here: Server, view: WorkerView) -> WorkerView:
    here.changes.notify("work")
    return view
