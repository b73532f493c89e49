"""What fleets of 10 to 10,000 GPUs need: costs measured here, and what follows from them.

    .venv/bin/python tests/bench/scaling.py [--seconds 10] [--fleets 100,1000] [--fleet-seconds 40]

First what each kind of request costs the server (CPU, closed loop) and the database (bytes a row),
then simulated fleets whose GPUs report every 10 s against a real server, then the table: a GPU
trains trials of 30 epochs, 10 s each, keeps a checkpoint a minute, and a machine is 8 GPUs.
The costs are those of random sampling; the fleets search with TPE, whose processes count as the
server's. deploy/SCALING.md says what to make of it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import lehr_load
import many
import uvloop
from lehr_load import Http, registered
from measure import cpu_seconds, machine, quantile
from objective import definition
from servers import Bench
from tally import Tally, until_over

FLEETS = (10, 100, 1_000, 10_000)
EPOCH_SECONDS, EPOCHS, CHECKPOINT_SECONDS, DEVICES = 10.0, 30, 60.0, 8
HEARTBEAT_SECONDS = many.HEARTBEAT_SECONDS
MOST_BUSY = 0.6  # of a core that a server process may use on average: bursts need the rest
CHECKPOINT_BYTES = 8 * 2**20


@dataclass
class Costs:
    """Of one database kind: CPU seconds a request, bytes a row, requests a second at most."""

    heartbeat: float = 0.0
    report: float = 0.0  # or a claim, or a completion: they share a lane's transactions
    megabyte: float = 0.0  # of a checkpoint that goes to the server
    lane: float = 0.0  # reports, claims and completions a second of one study
    trial_bytes: float = 0.0  # all but its reports
    report_bytes: float = 0.0


async def _beats(url: str, tally: Tally) -> None:
    """One heartbeat after the other, in the name of one worker."""
    http = await Http.connect(url)
    me = await registered(http, "beat")
    while True:
        status, body = await http.post(f"/v1/workers/{me}/heartbeat", {"attempts": []})
        tally.others.append(0.0)
        if status != 200:
            tally.failed("heartbeat", status, body)


async def _timed(works: list[Any], tally: Tally, pids: list[int]) -> tuple[float, float]:
    """Seconds and CPU seconds that the work took."""
    used, begin = sum(map(cpu_seconds, pids)), time.perf_counter()
    await until_over(tally, works)
    return time.perf_counter() - begin, sum(map(cpu_seconds, pids)) - used


async def _study(url: str, name: str, sampler: str = "random") -> None:
    http = await Http.connect(url)
    status, body = await http.post("/v1/studies", definition(name, {"name": sampler}, None))
    if status != 201:
        raise RuntimeError(f"creating the study: {status} {body}")
    http.close()


async def _costs(url: str, pids: list[int], seconds: float) -> tuple[Costs, Tally]:
    costs = Costs()
    tally = Tally(10**9, seconds / 2)
    _, cpu = await _timed([_beats(url, tally) for _ in range(16)], tally, pids)
    costs.heartbeat = cpu / len(tally.others)

    await _study(url, "bench")
    tally = Tally(10**9, seconds)
    took, cpu = await _timed([lehr_load.work([url], i, tally) for i in range(32)], tally, pids)
    requests = len(tally.reports) + 2 * tally.trials
    costs.report, costs.lane = cpu / requests, requests / took
    costs.megabyte = await _checkpoints(url, pids)
    if tally.errors:
        raise RuntimeError(tally.first_error)
    return costs, tally


async def _checkpoints(url: str, pids: list[int]) -> float:
    """CPU seconds a megabyte, over ten states of 8 MiB."""
    import httpx

    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        worker = (await http.post("/v1/workers", json={"name": "c", "tasks": {"bench": {}}})).json()
        claim = {"request_id": str(uuid.uuid4()), "wait": 20}
        lease = (await http.post(f"/v1/workers/{worker['id']}/claim", json=claim)).json()
        before = sum(map(cpu_seconds, pids))
        for _ in range(10):
            path = f"/v1/attempts/{lease['token']}/checkpoint"
            answer = await http.put(path, content=random.randbytes(CHECKPOINT_BYTES))
            answer.raise_for_status()
        return (sum(map(cpu_seconds, pids)) - before) / (10 * CHECKPOINT_BYTES / 1e6)


def _sizes(url: str, costs: Costs) -> None:
    """Bytes of a report, and of all else of a trial but its checkpoint, indices included."""
    from sqlalchemy import create_engine, text

    from lehr_service.settings import Settings

    engine = create_engine(Settings(database_url=url).url)
    with engine.connect() as connection:
        count = {
            name: connection.scalar(text(f"SELECT count(*) FROM {name}"))
            for name in ("trials", "reports")
        }
        if url.startswith("sqlite"):
            query = (
                "SELECT sum(s.pgsize) FROM dbstat s "
                "JOIN sqlite_schema m ON m.name = s.name WHERE m.tbl_name = '{}'"
            )
        else:
            query = "SELECT pg_total_relation_size('{}')"
        size = {
            name: float(connection.scalar(text(query.format(name))) or 0)
            for name in ("trials", "attempts", "reports")
        }
    engine.dispose()
    costs.report_bytes = size["reports"] / count["reports"]
    costs.trial_bytes = (size["trials"] + size["attempts"]) / count["trials"]


async def _fleet(url: str, count: int, seconds: float, pids: list[int]) -> str:
    """A simulated fleet against a real server; one worker a GPU, which is the dearest way."""
    await _study(url, f"fleet-{count}", "tpe")
    tally = Tally(10**9, seconds + EPOCH_SECONDS)
    works = [_gpu(url, i, tally) for i in range(count)]
    took, cpu = await _timed(works, tally, pids)
    cells = [
        f"{count:,}",
        f"{(len(tally.reports) + len(tally.beats) + len(tally.others)) / took:,.0f}",
        f"{cpu / took:.2f}",
        f"{1e3 * cpu / (len(tally.reports) + len(tally.others) + 2 * tally.trials):.1f}",
        *(f"{1e3 * quantile(tally.reports, share):,.0f}" for share in (0.5, 0.99)),
        f"{1e3 * quantile(tally.claims, 0.99):,.0f}",
        f"{tally.errors} {tally.first_error[:80]}".strip(),
    ]
    return "| " + " | ".join(cells) + " |"


async def _gpu(url: str, index: int, tally: Tally) -> None:
    await asyncio.sleep(random.uniform(0, EPOCH_SECONDS))  # a lab does not start as one
    pause = lambda: random.uniform(0.9, 1.1) * EPOCH_SECONDS  # noqa: E731
    await lehr_load.work([url], index, tally, pause, partial(many.beating, url, tally))


def needs(count: int, costs: Costs) -> list[str]:
    """A row of the table: what a fleet of so many GPUs asks of server, database and network."""
    reports = count / EPOCH_SECONDS
    rest = 2 * count / (EPOCH_SECONDS * EPOCHS)
    beats = max(1, count / DEVICES) / HEARTBEAT_SECONDS
    cores = (reports + rest) * costs.report + beats * costs.heartbeat
    bandwidth = count * CHECKPOINT_BYTES / 1e6 / CHECKPOINT_SECONDS
    trials = 86_400 * count / (EPOCH_SECONDS * EPOCHS)
    growth = trials * (costs.trial_bytes + EPOCHS * costs.report_bytes)
    return [
        f"{count:,}",
        f"{reports + rest + beats:,.0f}",
        f"{(reports + rest) / costs.lane:.2f}",
        f"{cores:.2f}",
        f"{max(1, -(-cores // MOST_BUSY)):.0f}",
        f"{growth / 1e9:,.2f}",
        f"{bandwidth:,.1f}",
        f"{bandwidth * costs.megabyte:.2f}",
    ]


def _table(heads: list[str], rows: list[str]) -> str:
    return "\n".join(["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|", *rows])


def _measure(bench: Bench, kind: str) -> None:
    options = bench.options
    url = bench.places.url(kind)
    with bench.process(bench.command, "serve", url=url) as (address, pid):
        pids = [pid]
        costs, tally = uvloop.run(_costs(address, pids, options.seconds))
        _sizes(url, costs)
        print(f"\n{kind}: {tally.trials} trials, {len(tally.reports)} reports")
        for name, value in vars(costs).items():
            unit = {"lane": "requests/s"}.get(name, "bytes" if "bytes" in name else "ms CPU")
            print(f"- {name}: {value * (1e3 if unit == 'ms CPU' else 1):,.2f} {unit}")
        heads = ["GPUs", "requests/s", "share of one lane", "server cores", "server processes"]
        heads += ["GB a day", "checkpoints MB/s", "cores, if the server keeps them"]
        print(_table(heads, [f"| {' | '.join(needs(n, costs))} |" for n in FLEETS]))
    for count in options.fleets:
        with bench.process(bench.command, "serve", url=bench.places.url(kind)) as (address, pid):
            heads = ["GPUs, simulated", "requests/s", "server cores", "CPU ms a request"]
            heads += ["report p50 ms", "report p99 ms", "claim p99 ms", "errors"]
            row = uvloop.run(_fleet(address, count, options.fleet_seconds, [pid]))
            print(_table(heads, [row]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    numbers = lambda text: [int(n) for n in text.split(",") if n]  # noqa: E731
    parser.add_argument("--databases", type=lambda t: t.split(","), default=["sqlite", "postgres"])
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    parser.add_argument("--fleets", type=numbers, default=[100, 1000], help="to simulate")
    parser.add_argument("--fleet-seconds", type=float, default=40, help="of each fleet")
    parser.add_argument("--postgres", default="", help="URL; default: a server of this run")
    options = parser.parse_args()
    options.logs = bool(os.environ.get("LEHR_BENCH_LOGS"))
    print(machine())
    with ExitStack() as stack:
        bench = Bench(options, stack)
        for kind in options.databases:
            _measure(bench, kind)


if __name__ == "__main__":
    main()
