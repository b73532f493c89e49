"""How an attempt begins, whatever it is at."""

from __future__ import annotations

import secrets

from lehr_service.domain.attempt import Attempt, Kind
from lehr_service.operations.desk import Desk
from lehr_service.storage import workers


def begin(
    desk: Desk, worker: workers.Worker, request_id: str, kind: Kind, number: int, attempt: int
) -> Attempt:
    """Grant a lease: the right of a worker to act on a trial or a range test of this number."""
    granted = Attempt(
        token=f"{desk.study.id:x}-{secrets.token_hex(16)}",
        study_id=desk.study.id,
        trial=number,
        attempt=attempt,
        worker_id=worker.id,
        outcome=None,
        started_at=desk.now,
        kind=kind,
    )
    desk.ledger.add_attempt(granted, request_id)
    desk.change(virtual_time=desk.study.virtual_time + 1 / desk.study.definition.weight)
    desk.heard.add(worker.id)
    return granted
