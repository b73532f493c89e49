"""What happens to trials whose worker was not heard of before its deadline."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from lehr.wire.trials import Outcome
from lehr_service.domain.attempt import is_expired
from lehr_service.domain.study import is_overdue
from lehr_service.operations.desk import Desk
from lehr_service.storage import attempts, studies, workers
from lehr_service.storage.questions import ask


@dataclass(frozen=True)
class Suspect:
    """A worker past its deadline, and the attempts it has left behind."""

    worker_id: str
    deadline: float
    attempts: list[tuple[int, str]]  # study id, token


def suspects(connection: Connection, now: float, grace_until: float) -> list[Suspect]:
    """Workers to give up."""
    return [
        Suspect(
            worker.id,
            worker.deadline,
            [
                (attempt.study_id, attempt.token)
                for attempt in attempts.running_of_worker(connection, worker.id)
            ],
        )
        for worker in workers.overdue(connection, now)
        if is_expired(worker.deadline, now, grace_until)
    ]


def expire(desk: Desk, token: str) -> bool:
    """Take back what an attempt is at whose lease has run out; False where it has not."""
    attempt = desk.attempt(token, None)
    if attempt.outcome is not None:
        return False
    worker = workers.get(desk.unflushed, attempt.worker_id)
    if worker is not None and not is_expired(worker.deadline, desk.now, desk.grace_until):
        return False
    message = "not heard of before its deadline"
    if attempt.kind == "range_test":
        desk.end_range_test(attempt, desk.range_test(attempt), Outcome.LOST, message)
    else:
        desk.end(attempt, desk.trial(attempt.trial), Outcome.LOST, message=message)
    desk.settle()
    return True


def overdue_studies(connection: Connection, now: float) -> list[int]:
    """Active studies whose timeout has passed."""
    return [study.id for study in ask(connection, studies.active()) if is_overdue(study, now)]


def settle(desk: Desk) -> None:
    """Let a study notice that its time is up."""
    desk.settle()
