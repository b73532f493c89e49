"""A claim that waits: it looks for a trial, and again whenever there may be one."""

from __future__ import annotations

import asyncio
from functools import partial

from lehr.wire.workers import AnyLease
from lehr_service.api.deps import Server
from lehr_service.errors import StudyDeleted
from lehr_service.operations import dispatch
from lehr_service.storage import workers


async def claim(here: Server, worker_id: str, request_id: str, wait: float) -> AnyLease | None:
    """A lease, or None after ``wait`` seconds without work.

    A request that is sent again while its first sending still waits joins it, so that one request
    id never gets two trials; and a client that goes away does not take the lease with it.
    """
    key = (worker_id, request_id)
    if key not in here.claims:
        task = asyncio.create_task(_wait(here, worker_id, request_id, here.clock() + wait))
        here.claims[key] = task
        task.add_done_callback(lambda _: here.claims.pop(key, None))
    lease: AnyLease | None = await asyncio.shield(here.claims[key])
    return lease


async def _wait(here: Server, worker_id: str, request_id: str, until: float) -> AnyLease | None:
    with here.changes.watch("work") as watch:
        noted = 0.0
        while True:
            candidates = await here.read(lambda c: dispatch.choose_study(c, worker_id, request_id))
            lease = await _first_lease(here, candidates.study_ids, worker_id, request_id)
            now = here.clock()
            if lease is not None or candidates.draining or now >= until or here.changes.ended:
                return lease
            if now >= noted + here.settings.lease_seconds / 3:
                noted = now
                deadline = now + here.settings.lease_seconds
                await here.write(
                    partial(workers.waits, worker_id=worker_id, now=now, deadline=deadline)
                )
            await watch.wait(until - now)


async def _first_lease(
    here: Server, study_ids: list[int], worker_id: str, request_id: str
) -> AnyLease | None:
    act = partial(dispatch.claim, worker_id=worker_id, request_id=request_id)
    for study_id in study_ids:
        try:
            lease = await here.lanes.submit(study_id, act)
        except StudyDeleted:
            continue
        if lease is not None:
            return lease
    return None
