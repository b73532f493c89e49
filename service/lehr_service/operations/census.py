"""How much there is of everything, for whoever watches the service. Its cost is bounded."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from lehr.wire.studies import StudyState
from lehr.wire.trials import TrialState
from lehr_service.domain.study import startable
from lehr_service.figures.timeline import idle_share
from lehr_service.storage import attempts, studies, workers
from lehr_service.storage.questions import ask

IDLE_SECONDS = 600.0
_ATTEMPTS = 5000  # the latest ones that are looked at
_WORKERS = 10_000


@dataclass(frozen=True)
class Census:
    """Numbers of all studies together."""

    trials: dict[str, int]  # by state
    studies: dict[str, int]  # by state
    workers: dict[str, int]  # alive or draining
    leases: int
    waiting_trials: int  # that idle workers could start now, range tests included
    idle_share: float | None  # of live workers' time of late; None where there are none


def census(connection: Connection, now: float) -> Census:
    """Counted from the counters that studies keep, not from their trials."""
    totals = studies.totals(connection)
    live = workers.listed(connection, limit=_WORKERS)
    draining = sum(worker.draining for worker in live)
    recent = attempts.recent(connection, _ATTEMPTS)
    since = now - IDLE_SECONDS
    if len(recent) == _ATTEMPTS:  # what was before them is not seen
        since = max(since, min(attempt.started_at for attempt in recent))
    open_now = attempts.open_now(connection)
    seen = {attempt.token: attempt for attempt in (*recent, *open_now)}
    present = {w.id: (w.registered_at, max(len(w.devices), 1)) for w in live}
    return Census(
        trials={
            state.value: sum(total.trials[state.value] for total in totals.values())
            for state in TrialState
        },
        studies={
            state.value: totals[state.value].studies if state.value in totals else 0
            for state in StudyState
        },
        workers={"alive": len(live) - draining, "draining": draining},
        leases=len(open_now),
        waiting_trials=sum(startable(study) for study in ask(connection, studies.active())),
        idle_share=idle_share(list(seen.values()), present, since, now),
    )
