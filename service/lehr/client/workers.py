"""Calls about workers, and those that a worker makes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from uuid import UUID

from pydantic import RootModel

from lehr.client.calls import Calls, path_of
from lehr.client.connection import Request
from lehr.errors import CorruptCheckpoint, NotFound
from lehr.wire.range_tests import RangeTest, RangeTestResult
from lehr.wire.trials import Trial
from lehr.wire.workers import (
    CHECKPOINT_HEADER,
    AnyLease,
    Completion,
    Failure,
    HeartbeatAnswer,
    NewReport,
    NewReports,
    Registered,
    Registration,
    Verdict,
    Worker,
    WorkerPage,
)


class Grant(RootModel[AnyLease]):
    """What a claim is answered with."""


class WorkerCalls(Calls):
    """The calls of a worker, and of those who look after workers."""

    def workers(self) -> Iterator[Worker]:
        pages = self._pages("/v1/workers", {}, WorkerPage)
        return (worker for page in pages for worker in page.items)

    def drain(self, worker_id: str) -> None:
        """The worker takes no new trials and leaves when those it runs end."""
        path = path_of("workers", worker_id, "drain")
        self._connection.send(Request("POST", path, repeatable=True))

    def register(self, registration: Registration) -> Registered:
        return self._post("/v1/workers", registration, Registered)

    def heartbeat(self, worker_id: str, attempts: Sequence[str]) -> HeartbeatAnswer:
        """Keep the leases of the attempts with these tokens; raises WorkerUnknown."""
        path, body = path_of("workers", worker_id, "heartbeat"), {"attempts": list(attempts)}
        return self._post(path, body, HeartbeatAnswer, repeatable=True)

    def claim(self, worker_id: str, request_id: UUID | str, wait: float = 0.0) -> AnyLease | None:
        """A trial to run, or None if there was none for ``wait`` seconds (at most 60).

        A worker that registered with the ability ``range_test`` may get a range test instead. The
        same ``request_id`` gets the same lease. Raises WorkerUnknown.
        """
        body = {"request_id": str(request_id), "wait": wait}
        path = path_of("workers", worker_id, "claim")
        response = self._connection.send(
            Request("POST", path, body=body, repeatable=True, patience=wait)
        )
        if response.status_code == 204:
            return None
        return self._connection.read(response, Grant).root

    def report(self, token: str, reports: Sequence[NewReport]) -> Verdict:
        """Store intermediate values, one entry a step; raises LeaseLost."""
        body = NewReports(reports=list(reports))
        return self._post(path_of("attempts", token, "reports"), body, Verdict, repeatable=True)

    def complete(self, token: str, completion: Completion) -> Trial:
        """End an attempt whose training is done; raises LeaseLost."""
        return self._post(
            path_of("attempts", token, "complete"), completion, Trial, repeatable=True
        )

    def fail(self, token: str, failure: Failure) -> Trial:
        """End an attempt that has no result; raises LeaseLost."""
        return self._post(path_of("attempts", token, "fail"), failure, Trial, repeatable=True)

    def complete_range_test(self, token: str, result: RangeTestResult) -> RangeTest:
        """End an attempt with the losses of a range test; raises LeaseLost."""
        path = path_of("attempts", token, "range_test")
        return self._post(path, result, RangeTest, repeatable=True)

    def fail_range_test(self, token: str, failure: Failure) -> RangeTest:
        """End an attempt at a range test that has no result; raises LeaseLost."""
        return self._post(path_of("attempts", token, "fail"), failure, RangeTest, repeatable=True)

    def save_checkpoint(self, token: str, checkpoint: bytes) -> None:
        """Store the bytes a later attempt resumes from; raises LeaseLost."""
        headers = {CHECKPOINT_HEADER: hashlib.sha256(checkpoint).hexdigest()}
        path = path_of("attempts", token, "checkpoint")
        self._connection.send(
            Request("PUT", path, content=checkpoint, headers=headers, repeatable=True)
        )

    def load_checkpoint(self, token: str) -> bytes | None:
        """The trial's last checkpoint, None if it has none; raises CorruptCheckpoint."""
        path = path_of("attempts", token, "checkpoint")
        try:
            response = self._connection.send(Request("GET", path, repeatable=True))
        except NotFound as error:
            if error.code == "no_checkpoint":
                return None
            raise
        if hashlib.sha256(response.content).hexdigest() != response.headers.get(CHECKPOINT_HEADER):
            raise CorruptCheckpoint("the checkpoint does not match its checksum")
        return response.content
