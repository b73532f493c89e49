"""Workers say that they live, many in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from lehr.wire.workers import HeartbeatAnswer
from lehr_service.operations.views import moment
from lehr_service.storage import attempts, workers
from lehr_service.storage.questions import ask


@dataclass(frozen=True)
class Beat:
    """What a worker says: who it is, and the tokens of the attempts that it is at."""

    worker_id: str
    tokens: Sequence[str]


def hear(
    connection: Connection, beats: Sequence[Beat], now: float, deadline: float
) -> list[HeartbeatAnswer | None]:
    """Move the deadlines of workers; an answer for each, None where one is none or was given up."""
    ids = {beat.worker_id for beat in beats}
    workers.all_heard(connection, ids, now, deadline)
    known = ask(connection, workers.some(ids))
    held = attempts.running_tokens(connection, [token for beat in beats for token in beat.tokens])
    return [_answer(known.get(beat.worker_id), beat, held) for beat in beats]


def _answer(worker: workers.Worker | None, beat: Beat, held: set[str]) -> HeartbeatAnswer | None:
    if worker is None or worker.lost:
        return None
    return HeartbeatAnswer(
        deadline=moment(worker.deadline),
        stop=[token for token in beat.tokens if token not in held],
        drain=worker.draining,
    )
