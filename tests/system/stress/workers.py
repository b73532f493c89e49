"""A process of simulated workers, one a thread: ``python workers.py SERVERS TOLD COUNT SEED``.

They speak through `lehr.Client`, as real workers do, and train nothing. What the service told them
is appended to the file TOLD, a line of JSON each, before anything else is done about it: a process
that is killed leaves a true, if incomplete, account.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from lehr import Client
from lehr.errors import Conflict, LehrError, ServerUnreachable, Unavailable, WorkerUnknown
from lehr.wire.range_tests import RangeTestLease, RangeTestResult, SeedLosses
from lehr.wire.workers import Completion, Failure, Lease, NewReport, Registration

TASK = "simulated"
HEARTBEAT_SECONDS = 1.0
_ENDS = ["complete"] * 16 + ["error", "out_of_memory", "diverged", "preempted", "nan"]


def value_of(study: str, trial: int, attempt: int, step: int) -> float:
    """What an attempt measures at a step: no other attempt, trial or study measures the same."""
    told = f"{study}/{trial}/{attempt}/{step}".encode()
    return int.from_bytes(hashlib.sha256(told).digest()[:6]) / 2**48


class Told:
    """The account of a process."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def note(self, what: str, **facts: Any) -> None:
        os.write(self._file, json.dumps({"what": what, **facts}).encode() + b"\n")


class Worker(threading.Thread):
    """Registers, claims and trains until it is told to leave."""

    def __init__(self, name: str, client: Client, told: Told, leaving: threading.Event) -> None:
        super().__init__(name=name)
        self.client, self.told, self.leaving = client, told, leaving
        self.random = random.Random(name)
        self.id = ""
        self.heard = 0.0

    def run(self) -> None:
        while not self.leaving.is_set():
            try:
                self.register()
                self.work()
            except WorkerUnknown:
                self.told.note("lost")
            except (ServerUnreachable, Unavailable):
                self.told.note("gave_up")
                self.leaving.wait(self.random.uniform(0.2, 1.0))
            except Conflict as refusal:
                self.told.note("refused", code=refusal.code)
            except LehrError as error:
                self.told.note("surprise", error=repr(error), said=str(error))
                self.leaving.wait(1)

    def register(self) -> None:
        known = Registration(
            name=self.name,
            tasks={TASK: {}},
            abilities=["range_test"] if self.random.random() < 0.5 else [],
        )
        self.id = self.client.register(known).id
        self.heard = time.monotonic()

    def work(self) -> None:
        """Trial after trial; after some it presents itself anew, as one that was started again."""
        while not self.leaving.is_set() and self.random.random() > 0.02:
            request = str(uuid.uuid4())
            lease = self.client.claim(self.id, request, wait=2)
            if lease is None:
                if self.client.heartbeat(self.id, []).drain:
                    self.told.note("drained")
                    return
                continue
            self.note_lease(request, lease)
            if self.random.random() < 0.1:
                again = self.client.claim(self.id, request)
                if again is not None:
                    self.note_lease(request, again)
            try:
                self.train(lease)
            except Conflict as refusal:
                self.told.note("refused", code=refusal.code, token=lease.token)

    def note_lease(self, request: str, lease: Lease | RangeTestLease) -> None:
        facts: dict[str, Any] = {"token": lease.token, "study": lease.study, "request": request}
        if isinstance(lease, Lease):
            facts |= {"trial": lease.trial.number, "attempt": lease.attempt}
            facts |= {"params": lease.trial.params, "steps": [r.step for r in lease.reports]}
        self.told.note("lease", **facts)

    def train(self, lease: Lease | RangeTestLease) -> None:
        if isinstance(lease, RangeTestLease):
            self.test_range(lease)
            return
        end = self.random.choice(_ENDS)
        last = lease.training.epochs if end == "complete" else self.random.randrange(4)
        if lease.objective is not None:
            for batch in self.batches(lease, last):
                self.pass_an_epoch(lease)
                verdict = self.client.report(lease.token, batch)
                self.note_report(lease, batch, verdict.verdict)
                if self.random.random() < 0.05:
                    again = self.client.report(lease.token, batch)
                    self.note_report(lease, batch, again.verdict)
                if verdict.verdict != "continue":
                    return
        if self.random.random() < 0.1:
            self.client.save_checkpoint(lease.token, lease.token.encode())
        self.end(lease, end)

    def batches(self, lease: Lease, last: int) -> Iterator[list[NewReport]]:
        """Reports, mostly one at a time; a later attempt goes on, or starts anew."""
        reported = [report.step for report in lease.reports]
        step = max(reported) + 1 if reported and self.random.random() < 0.7 else 0
        while step < last:
            size = self.random.choice([1, 1, 1, 3])
            steps = range(step, min(step + size, last))
            yield [
                NewReport(step=s, value=value_of(lease.study, lease.trial.number, lease.attempt, s))
                for s in steps
            ]
            step = steps.stop

    def pass_an_epoch(self, lease: Lease) -> None:
        slow = self.random.random() < 0.01
        self.leaving.wait(6.0 if slow else self.random.uniform(0.01, 0.1))
        if time.monotonic() > self.heard + HEARTBEAT_SECONDS:
            self.heard = time.monotonic()
            beat = self.client.heartbeat(self.id, [lease.token])
            if lease.token in beat.stop:
                self.told.note("stopped", token=lease.token)

    def note_report(self, lease: Lease, batch: list[NewReport], verdict: str) -> None:
        values = {report.step: report.value for report in batch}
        self.told.note("report", token=lease.token, values=values, verdict=verdict)

    def end(self, lease: Lease, end: str) -> None:
        if end in ("complete", "nan"):
            trial = self.client.complete(lease.token, self.completion(lease, end == "nan"))
            self.told.note("complete", token=lease.token, value=trial.value, values=trial.values)
        else:
            failure = Failure.model_validate({"outcome": end, "message": "as simulated"})
            self.client.fail(lease.token, failure)
            self.told.note("fail", token=lease.token, outcome=end)

    def completion(self, lease: Lease, is_nan: bool) -> Completion:
        goals = len(lease.objectives)
        if goals > 1:
            draws = [None if is_nan else self.random.random() for _ in range(goals)]
            return Completion(values=draws)
        if is_nan:
            return Completion(value=None)
        return Completion(value=self.random.random())

    def test_range(self, lease: RangeTestLease) -> None:
        self.leaving.wait(self.random.uniform(0.1, 0.5))
        if self.random.random() < 0.2:
            self.client.fail_range_test(lease.token, Failure(outcome="preempted"))
            self.told.note("fail", token=lease.token, outcome="preempted")
            return
        middle = lease.updates / 2
        bowl = [1 + ((i - middle) / middle) ** 2 for i in range(lease.updates)]
        curves = [SeedLosses(seed=seed, losses=bowl) for seed in lease.seeds]
        self.client.complete_range_test(lease.token, RangeTestResult(curves=curves))
        self.told.note("range_test", token=lease.token)


def main() -> None:
    servers, path, count, seed = sys.argv[1:]
    leaving = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: leaving.set())
    told = Told(path)
    with Client(servers, timeout=3, retry_seconds=8, sleep=leaving.wait) as client:
        workers = [Worker(f"{seed}-{i}", client, told, leaving) for i in range(int(count))]
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():
                worker.join(1)


if __name__ == "__main__":
    main()
