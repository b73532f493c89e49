"""Very many workers at once: an hour's work of a lab in minutes, and all of them coming back."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import uvloop
from lehr_load import Http, created, registered, work
from measure import memory_bytes, quantile
from tally import Clock, Tally, until_over

REPORT_SECONDS = 5.0
HEARTBEAT_SECONDS = 10.0
POLL_SECONDS = 20.0
IDLE_SHARE = 10  # one of so many workers waits in long polls, for a task that no study has
HERD_LIMIT = 10.0  # seconds until the last worker is served


def measure(bench: Any) -> None:
    """The soak or the herd on SQLite and PostgreSQL in turn, as far as chosen."""
    options = bench.options
    for kind in options.databases:
        where = bench.places.url(kind)
        if options.herd:
            _herd(bench, kind, where, options.herd)
            continue
        with bench.lehr(where) as (url, pid):
            uvloop.run(_soak(kind, url, pid, 60 * options.soak, options.soak_workers))


async def _soak(kind: str, url: str, pid: int, seconds: float, workers: int) -> None:
    """Workers with a report every 5 s and a heartbeat every 10 s each, or a poll of 20 s."""
    await created(url, {"name": "tpe"})
    tally, idle = Tally(10**9, seconds + 1), workers // IDLE_SHARE
    print(f"soak {kind}: {workers} workers, {idle} of them in long polls of {POLL_SECONDS:.0f} s")
    heads = ["minute", *_minute(tally, tally, pid)]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|", flush=True)
    works = [_soaked(url, i, tally) for i in range(workers - idle)]
    works += [_kept(tally, partial(_polling, url, i, tally)) for i in range(idle)]
    await until_over(tally, [*works, _minutes(tally, pid)])
    whole = _minute(Tally(1, 0), tally, pid)
    print("| all | " + " | ".join(whole.values()) + f" | {tally.first_error}", flush=True)


async def _minutes(tally: Tally, pid: int) -> None:
    """A row at each minute, of what came since the last."""
    begin = time.perf_counter()
    for minute in itertools.count(1):
        before = tally.copy()
        await asyncio.sleep(begin + 60 * minute - time.perf_counter())
        cells = [f"{minute}", *_minute(before, tally, pid).values()]
        print("| " + " | ".join(cells) + " |", flush=True)


def _minute(before: Tally, now: Tally, pid: int) -> dict[str, str]:
    """Times in ms; of a long poll that came back empty, what it took beyond its wait."""
    found = {
        "trials": f"{now.trials - before.trials}",
        "reports": f"{len(now.reports) - len(before.reports)}",
        "errors": f"{now.errors - before.errors}",
    }
    for name in ("reports", "claims", "beats", "polls"):
        values = getattr(now, name)[len(getattr(before, name)) :]
        shown = [f"{1e3 * quantile(values, share):.0f}" for share in (0.5, 0.99)]
        found[f"{name} p50 / p99"] = " / ".join(shown)
    return found | {"server MB": f"{memory_bytes(pid) / 1e6:.0f}"}


async def _soaked(url: str, index: int, tally: Tally) -> None:
    await asyncio.sleep(random.uniform(0, REPORT_SECONDS))  # a lab does not start as one
    pause = lambda: random.uniform(0.8, 1.2) * REPORT_SECONDS  # noqa: E731
    await _kept(tally, partial(work, [url], index, tally, pause, partial(beating, url, tally)))


async def _kept(tally: Tally, run: Callable[[], Awaitable[None]]) -> None:
    """A worker whose connection ends is counted and comes back."""
    while True:
        try:
            await run()
        except (OSError, RuntimeError) as error:
            tally.failed("connection", 0, repr(error))
        await asyncio.sleep(random.uniform(0.5, 1.5))


async def beating(url: str, tally: Tally, me: str, held: list[str]) -> None:
    """A worker's heartbeats, with the trial it runs, on a connection of their own."""
    http = await Http.connect(url)
    try:
        while True:
            await asyncio.sleep(random.uniform(0.9, 1.1) * HEARTBEAT_SECONDS)
            begin = Clock()
            status, body = await http.post(f"/v1/workers/{me}/heartbeat", {"attempts": held})
            tally.beats.append(Clock() - begin)
            if status != 200:
                tally.failed("heartbeat", status, body)
    finally:
        http.close()


async def _polling(url: str, index: int, tally: Tally) -> None:
    http = await Http.connect(url)
    me = await registered(http, f"idle{index}", "idle")
    await asyncio.sleep(random.uniform(0, POLL_SECONDS))
    try:
        while True:
            begin = Clock()
            status, body = await _claimed(http, me, POLL_SECONDS)
            tally.polls.append(Clock() - begin - POLL_SECONDS)
            if status != 204:
                tally.failed("poll", status, body)
    finally:
        http.close()


async def _claimed(http: Http, me: str, wait: float) -> tuple[int, Any]:
    request = {"request_id": str(uuid.uuid4()), "wait": wait}
    return await http.post(f"/v1/workers/{me}/claim", request)


def _herd(bench: Any, kind: str, where: str, count: int) -> None:
    """All come at one moment; then the server starts anew, and all come back at one moment."""
    with bench.lehr(where) as (url, _):
        uvloop.run(created(url, {"name": "tpe"}))
        members = uvloop.run(_at_once(f"herd {kind}, new", [partial(_new, url)] * count))
    with bench.lehr(where) as (url, _):
        again = [partial(_again, url, *member) for member in members]
        uvloop.run(_at_once(f"herd {kind}, after a restart of the server", again))


async def _at_once(what: str, serve: list[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """Each until it is served, 60 s at most; prints the seconds until half and all of them are."""
    errors: list[str] = []
    begin = time.perf_counter()
    found = await asyncio.gather(*(_tried(each, begin, errors) for each in serve))
    served = [each for each in found if each is not None]
    took = sorted(seconds for seconds, _ in served)
    met = len(took) == len(serve) and took[-1] <= HERD_LIMIT
    print(
        f"{what}: {len(took)} of {len(serve)} workers served; half after "
        f"{quantile(took, 0.5):.2f} s, the last after {max(took, default=0):.2f} s "
        f"(limit {HERD_LIMIT:.0f} s: {'met' if met else 'missed'}); "
        f"{len(errors)} errors {errors[:1]}",
        flush=True,
    )
    return [result for _, result in served]


async def _tried(
    serve: Callable[[], Awaitable[Any]], begin: float, errors: list[str]
) -> tuple[float, Any] | None:
    wait = 0.2
    while time.perf_counter() - begin < 60:
        try:
            result = await serve()
            return time.perf_counter() - begin, result
        except (OSError, RuntimeError) as error:
            errors.append(repr(error))
        await asyncio.sleep(wait * random.uniform(0.5, 1.0))
        wait = min(2 * wait, 10.0)
    return None


async def _new(url: str) -> tuple[str, str]:
    """A worker with a trial: its id and the attempt's token."""
    http = await Http.connect(url)
    me = await registered(http, "w")
    status, body = await _claimed(http, me, 30)
    http.close()
    if status != 200:
        raise RuntimeError(f"claim: {status} {body}")
    return me, str(body["token"])


async def _again(url: str, me: str, token: str) -> None:
    """The worker's heartbeat and the next report of its trial."""
    http = await Http.connect(url)
    beat = await http.post(f"/v1/workers/{me}/heartbeat", {"attempts": [token]})
    report = {"reports": [{"step": 0, "value": 0.5}]}
    told = await http.post(f"/v1/attempts/{token}/reports", report)
    http.close()
    if (beat[0], told[0]) != (200, 200):
        raise RuntimeError(f"{beat} {told}")
