"""A claim that waits: it looks for a trial, and again whenever there may be one."""

from __future__ import annotations

import asyncio
import math
import time
from functools import partial

from lehr.wire.workers import AnyLease
from lehr_service.api.changes import Watch
from lehr_service.api.deps import Server
from lehr_service.errors import ServiceError, StudyDeleted, WorkerUnknown
from lehr_service.operations import dispatch
from lehr_service.storage import workers


async def claim(here: Server, worker_id: str, request_id: str, wait: float) -> AnyLease | None:
    """A lease, or None after ``wait`` seconds without work.

    A request that is sent again while its first sending still waits joins it, so that one request
    id never gets two trials; and a client that goes away does not take the lease with it.
    """
    key = (worker_id, request_id)
    if key not in here.claims:
        task = asyncio.create_task(_wait(here, worker_id, request_id, time.monotonic() + wait))
        here.claims[key] = task
        task.add_done_callback(lambda _: here.claims.pop(key, None))
    lease: AnyLease | None = await asyncio.shield(here.claims[key])
    return lease


async def _wait(here: Server, worker_id: str, request_id: str, until: float) -> AnyLease | None:
    """``until`` is monotonic: a clock that is set back makes no wait longer."""
    with here.changes.watch("work") as watch:
        noted = -math.inf
        while True:  # a look of its own at first, and whenever there may be something for it
            candidates = await here.choices((worker_id, request_id))
            if candidates is None:
                raise WorkerUnknown(worker_id)
            lease = await _first_lease(here, candidates.study_ids, worker_id, request_id)
            now = time.monotonic()
            if lease is not None or candidates.draining or now >= until or here.changes.ended:
                return lease
            if now >= noted + _idle(here):
                noted, heard = now, here.clock()
                deadline = heard + here.settings.lease_seconds
                await here.write(
                    partial(workers.waits, worker_id=worker_id, now=heard, deadline=deadline)
                )
            await _until_open(here, watch, worker_id, candidates, min(until, noted + _idle(here)))


def _idle(here: Server) -> float:
    """Seconds after which a worker that waits is noted as alive."""
    return here.settings.lease_seconds / 3


async def _until_open(
    here: Server, watch: Watch, worker_id: str, candidates: dispatch.Candidates, until: float
) -> None:
    """Wait until there is something to look for; all who wait look together whether there is."""
    while (now := time.monotonic()) < until and not here.changes.ended:
        await watch.wait(until - now)
        opening = await here.openings(worker_id)
        if worker_id in opening.draining or opening.tasks & candidates.tasks:
            return


async def _first_lease(
    here: Server, study_ids: list[int], worker_id: str, request_id: str
) -> AnyLease | None:
    for study_id in study_ids:
        try:
            lease = await _lease_of(here, study_id, worker_id, request_id)
        except StudyDeleted:
            continue
        except ServiceError:
            raise
        except Exception:  # its lane has logged it, and the others are none the worse for it
            continue
        if lease is not None:
            return lease
    return None


async def _lease_of(
    here: Server, study_id: int, worker_id: str, request_id: str
) -> AnyLease | None:
    """A lease from one study, once its sampler has a point; None where that takes too long."""
    suggestion = here.suggestions.ready(study_id)
    if suggestion is None and here.suggestions.must_wait(study_id):
        suggestion = await here.suggestions.next(study_id, None)
    while True:
        act = partial(
            dispatch.claim, worker_id=worker_id, request_id=request_id, suggestion=suggestion
        )
        try:
            answered = await here.lanes.submit(study_id, act, (worker_id, request_id))
        finally:
            here.suggestions.give_back(study_id, suggestion)
        if isinstance(answered, dispatch.Elsewhere):
            return await _lease_of(here, answered.study_id, worker_id, request_id)
        if not isinstance(answered, dispatch.Awaiting):
            return answered
        suggestion = await here.suggestions.next(study_id, answered.number)
        if suggestion is None or here.changes.ended:
            return None
