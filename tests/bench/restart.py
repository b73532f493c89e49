"""How soon a server is of use after its start, and how soon a lost worker's trial runs again.

    .venv/bin/python tests/bench/restart.py [--studies 100] [--trials 1000] [--steps 3]
        [--databases sqlite,postgres] [--repeat 3] [--lost 10]

A database of so many active studies with so many finished trials each is written in bulk; then
``lehr serve`` is started on it, and it is noted when ``/readyz`` says 200, when a worker has its
first trial (of a study whose mirror is loaded for it), and when it has the verdict on its first
report. For reference: how long the interpreter takes to import the server and do nothing.

``--lost``: workers that claim a trial and are never heard of again, one after the other, with
leases of 2 s: seconds from each deadline to the claim that gets its trial.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from contextlib import ExitStack
from datetime import datetime
from statistics import median
from typing import Any

from measure import cpu_seconds, machine
from objective import definition
from servers import Bench
from sqlalchemy import insert

from lehr.wire.studies import StudyDefinition
from lehr_service.operations.studies import new_study
from lehr_service.settings import Settings
from lehr_service.storage import studies, tables
from lehr_service.storage.session import Database

CHUNK = 10_000


def fill(where: str, count: int, trials: int, steps: int) -> None:
    """Active studies with finished trials, as a server would have left them."""
    draw, now = random.Random(7), time.time() - 86_400
    url = Settings(database_url=where).url
    database = Database(url)
    database.migrate()
    worker = {"id": "0" * 32, "name": "w", "tasks": {}, "devices": [], "versions": {}}
    worker |= {"registered_at": now, "heard_at": now, "deadline": now, "lost": True}
    with database.write() as connection:
        connection.execute(insert(tables.workers), [worker])
    for index in range(count):
        with database.write() as connection:
            _fill_study(connection, f"bench{index}", trials, steps, now, draw)
    database.close()


def _fill_study(
    connection: Any, name: str, trials: int, steps: int, now: float, draw: random.Random
) -> None:
    raw = definition(name, {"name": "tpe"}, None)
    made = StudyDefinition.model_validate(raw)
    row = studies.columns(new_study(made, now))
    row |= {"complete": trials, "epochs": trials * steps, "finished_epochs": trials * steps}
    study_id = studies.add(connection, row | {"revision": trials})
    params = _params(made, draw, trials)
    rows = [
        {"study_id": study_id, "number": n, "state": "complete", "params": params[n], "attempts": 1}
        | {"value": draw.random(), "steps": steps, "worker": "w", "revision": n + 1}
        | {"created_at": now + n, "started_at": now + n, "finished_at": now + n + 1}
        for n in range(trials)
    ]
    made_attempts = [
        {"study_id": study_id, "token": f"{study_id:x}-{uuid.uuid4().hex}", "trial": n}
        | {"attempt": 1, "worker_id": "0" * 32, "request_id": f"{study_id}-{n}"}
        | {"outcome": "complete", "started_at": now + n, "finished_at": now + n + 1}
        for n in range(trials)
    ]
    reports = [
        {"study_id": study_id, "trial": n, "attempt": 1, "step": s, "value": draw.random()}
        | {"learning_rate": 0.1, "metrics": {"loss": 1.0}, "verdict": "continue", "reason": ""}
        | {"revision": n + 1, "reported_at": now + n}
        for n in range(trials)
        for s in range(steps)
    ]
    for table, some in (
        (tables.trials, rows),
        (tables.attempts, made_attempts),
        (tables.reports, reports),
    ):
        for start in range(0, len(some), CHUNK):
            connection.execute(insert(table), some[start : start + CHUNK])


def _params(made: StudyDefinition, draw: random.Random, trials: int) -> list[dict[str, Any]]:
    """Points of the space, drawn as the sampler draws its first ones."""
    from lehr_service.search import Mirror

    mirror = Mirror(made.model_copy(update={"sampler": {"name": "random"}}), "fill", 7)
    base = [dict(mirror.ask(None).params) for _ in range(min(trials, 50))]
    return [draw.choice(base) for _ in range(trials)]


class Http:
    """Requests of one client, refused ones included."""

    def __init__(self, url: str) -> None:
        self.url = url

    def send(self, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, None
        except OSError:
            return 0, None

    def worker(self) -> str:
        task = definition("bench", {"name": "tpe"}, None)["task"]
        status, body = self.send("/v1/workers", {"name": "w", "tasks": {task: {}}})
        assert status == 201, status
        return str(body["id"])

    def claim(self, worker: str, wait: float = 30) -> Any:
        body = {"request_id": str(uuid.uuid4()), "wait": wait}
        return self.send(f"/v1/workers/{worker}/claim", body)[1]


def started(bench: Bench, where: str) -> dict[str, float]:
    """One start of a server process; seconds since then."""
    begin, found = time.perf_counter(), {}
    with bench.process(bench.command, "serve", url=where) as (url, pid):
        http = Http(url)
        while http.send("/readyz")[0] != 200:
            time.sleep(0.005)
        found["ready"] = time.perf_counter() - begin
        found["CPU until ready"] = cpu_seconds(pid)
        lease = http.claim(http.worker())
        found["first claim"] = time.perf_counter() - begin
        path = f"/v1/attempts/{lease['token']}/reports"
        status, _ = http.send(path, {"reports": [{"step": 0, "value": 0.5}]})
        assert status == 200, status
        found["first verdict"] = time.perf_counter() - begin
        http.send(f"/v1/attempts/{lease['token']}/complete", {"value": 0.5})
    return found


def imported() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import lehr_service.replicas"], check=True)
    return time.perf_counter() - begin


def measure_starts(bench: Bench, kind: str) -> None:
    options = bench.options
    where = bench.places.url(kind)
    begin = time.perf_counter()
    fill(where, options.studies, options.trials, options.steps)
    print(f"{kind}: filled in {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    runs = [{"import": imported(), **started(bench, where)} for _ in range(options.repeat)]
    shown = (f"{name} {median(r[name] for r in runs):.2f}" for name in runs[0])
    spread = f"ready {min(r['ready'] for r in runs):.2f} to {max(r['ready'] for r in runs):.2f}"
    size = f"{options.studies} studies x {options.trials:,} trials x {options.steps} reports"
    print(f"{kind}, {size}: {', '.join(shown)} s (medians of {len(runs)}; {spread})", flush=True)


def measure_lost(bench: Bench, kind: str) -> None:
    leases = {"LEHR_LEASE_SECONDS": "2", "LEHR_HEARTBEAT_SECONDS": "1"}
    where = bench.places.url(kind)
    late = []
    with bench.process(bench.command, "serve", url=where, **leases) as (url, _):
        http = Http(url)
        while http.send("/readyz")[0] != 200:
            time.sleep(0.01)
        time.sleep(2.5)  # a server that has just started gives its workers a lease's time
        for i in range(bench.options.lost):
            raw = definition(f"lost{i}", {"name": "random"}, None)
            assert http.send("/v1/studies", raw | {"limits": {"max_trials": 1}})[0] == 201
            lease = http.claim(http.worker())
            deadline = datetime.fromisoformat(lease["deadline"]).timestamp()
            again = http.claim(http.worker(), 60)
            late.append(time.time() - deadline)
            assert (again["study"], again["attempt"]) == (lease["study"], 2)
            http.send(f"/v1/attempts/{again['token']}/complete", {"value": 0.5})
    print(
        f"{kind}, {len(late)} lost workers: claimed again {median(late):.2f} s after the deadline, "
        f"at most {max(late):.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--lost", type=int, default=10)
    parser.add_argument("--databases", type=lambda t: t.split(","), default=["sqlite", "postgres"])
    options = parser.parse_args()
    options.postgres = ""
    options.logs = False
    print(machine())
    with ExitStack() as stack:
        bench = Bench(options, stack)
        for kind in options.databases:
            measure_starts(bench, kind)
            if options.lost:
                measure_lost(bench, kind)


if __name__ == "__main__":
    os.environ.pop("LEHR_DATABASE_URL", None)
    main()
