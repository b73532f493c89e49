"""Very many workers at once: an hour's work of a lab in minutes, and all of them coming back."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from typing import Any

import uvloop
from lehr_load import Http, registered, work
from measure import memory_bytes, quantile
from objective import definition
from tally import Clock, Tally, until_over

REPORT_SECONDS = 5.0
HEARTBEAT_SECONDS = 10.0


def measure(bench: Any) -> None:
    """The soak or the herd on SQLite and PostgreSQL in turn, as far as chosen."""
    options = bench.options
    for kind in options.databases:
        with bench.lehr(bench.places.url(kind)) as (url, pid):
            if options.soak:
                uvloop.run(_soak(kind, url, pid, options.soak, options.soak_workers))
            else:
                uvloop.run(_herd(kind, url, options.herd))


async def _soak(kind: str, url: str, pid: int, seconds: float, workers: int) -> None:
    """Workers with a report every 5 s and a heartbeat every 10 s each."""
    await _create(url)
    tally = Tally(10**9, seconds)
    memory: list[tuple[float, float]] = []
    works = [_soaked(url, i, tally) for i in range(workers)]
    begin = time.perf_counter()
    await until_over(tally, [*works, _weigh(pid, memory, begin)])
    took = time.perf_counter() - begin
    half = [m for at, m in memory if at > took / 2] or [0.0]
    parts = [
        f"soak {kind}: {workers} workers, {took:.0f} s, {tally.trials} trials",
        f"{len(tally.reports)} reports, {tally.errors} errors {tally.first_error}",
        f"report p50 {_ms(tally.reports, 0.5)}, p99 {_ms(tally.reports, 0.99)}",
        f"heartbeat p99 {_ms(tally.others, 0.99)}",
        f"claim p50 {_ms(tally.claims, 0.5)}, p99 {_ms(tally.claims, 0.99)}",
        f"memory MB at half time {half[0] / 1e6:.0f}, at the end {half[-1] / 1e6:.0f}",
    ]
    print("; ".join(parts), flush=True)


async def _soaked(url: str, index: int, tally: Tally) -> None:
    await asyncio.sleep(random.uniform(0, REPORT_SECONDS))  # a lab does not start as one
    beating = asyncio.create_task(_beating(url, tally))
    try:
        await work([url], index, tally, lambda: random.uniform(0.8, 1.2) * REPORT_SECONDS)
    finally:
        beating.cancel()


async def _beating(url: str, tally: Tally) -> None:
    http = await Http.connect(url)
    me = await registered(http, "beat")
    while True:
        await asyncio.sleep(random.uniform(0.9, 1.1) * HEARTBEAT_SECONDS)
        begin = Clock()
        status, body = await http.post(f"/v1/workers/{me}/heartbeat", {"attempts": []})
        tally.others.append(Clock() - begin)
        if status != 200:
            tally.failed("heartbeat", status, body)


async def _weigh(pid: int, memory: list[tuple[float, float]], begin: float) -> None:
    while True:
        memory.append((time.perf_counter() - begin, float(memory_bytes(pid))))
        await asyncio.sleep(5)


async def _herd(kind: str, url: str, count: int) -> None:
    """So many workers connect, register and claim at the same moment; seconds until all work."""
    await _create(url)
    errors: list[str] = []
    begin = time.perf_counter()
    took = await asyncio.gather(*(_back(url, i, begin, errors) for i in range(count)))
    served = sorted(seconds for seconds in took if seconds is not None)
    print(
        f"herd {kind}: {len(served)} of {count} workers have a trial; half after "
        f"{quantile(served, 0.5):.2f} s, the last after {served[-1] if served else 0:.2f} s; "
        f"{len(errors)} errors {errors[:1]}",
        flush=True,
    )


async def _back(url: str, index: int, begin: float, errors: list[str]) -> float | None:
    wait = 0.2
    while time.perf_counter() - begin < 60:
        try:
            http = await Http.connect(url)
            me = await registered(http, f"w{index}")
            status, body = await http.post(
                f"/v1/workers/{me}/claim", {"request_id": str(uuid.uuid4()), "wait": 30}
            )
            if status == 200:
                return time.perf_counter() - begin
            errors.append(f"{status} {body}")
        except (OSError, RuntimeError) as error:
            errors.append(repr(error))
        await asyncio.sleep(wait * random.uniform(0.5, 1.0))
        wait = min(2 * wait, 10.0)
    return None


async def _create(url: str) -> None:
    http = await Http.connect(url)
    status, body = await http.post("/v1/studies", definition("bench", {"name": "tpe"}, None))
    if status != 201:
        raise RuntimeError(f"creating the study: {status} {body}")
    http.close()


def _ms(values: list[float], share: float) -> str:
    return f"{1e3 * quantile(values, share):.1f} ms"
