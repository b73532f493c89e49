"""lehr's own client in W processes: what its workers cost beside what they do."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

import uvloop
from lehr_load import created
from measure import Row, cpu_seconds
from objective import STEPS, TASK, loss
from processes import Clock, Done, Opened, run

from lehr.client import Client
from lehr.wire.workers import Completion, NewReport, Registration


def measure(bench: Any, row: Row) -> Row:
    options = bench.options
    with bench.lehr(bench.places.url("sqlite")) as (url, pid):
        uvloop.run(created(url, options.ask))
        before = cpu_seconds(pid)
        row = run(row, partial(_opened, url), *options.limits)
        row.cpu += cpu_seconds(pid) - before
    return row


def _opened(url: str, index: int) -> Opened:
    client = Client(url)
    registration = Registration.model_validate({"name": f"w{index}", "tasks": {TASK: {}}})
    return partial(_one_trial, client, client.register(registration).id)


def _one_trial(client: Client, me: str, done: Done) -> None:
    begin = Clock()
    lease = client.claim(me, uuid.uuid4(), wait=20)
    done["claims"].append(Clock() - begin)
    if lease is None:
        return
    for step in range(STEPS):
        begin = Clock()
        report = NewReport(step=step, value=loss(lease.trial.params, step), learning_rate=0.1)
        verdict = client.report(lease.token, [report])
        done["reports"].append(Clock() - begin)
        if verdict.verdict != "continue":
            break
    else:
        client.complete(lease.token, Completion())
        done["others"] += 1
    done["trials"] += 1
