"""Whether the server runs, whether it can serve, and what it counts."""

from __future__ import annotations

import asyncio
from functools import partial

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy.exc import SQLAlchemyError

from lehr_service.api.deps import Here, Server, refuses
from lehr_service.errors import ServiceError, Unavailable
from lehr_service.operations.census import Census, census
from lehr_service.storage.faults import FileGone, told

router = APIRouter(tags=["health"])

_LONGEST_SECONDS = 5.0  # that a look at the database may take, for who watches has no patience


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses=refuses())
async def readyz(here: Here) -> dict[str, str]:
    """The database answers, takes writes and has this version's schema, and the server stays.

    Otherwise 503 with what is wrong. The database is looked at once a second at most.
    """
    if here.changes.ended or not here.lanes.is_open:
        raise Unavailable("the server is stopping")
    problem = await here.readiness.get(partial(_problem, here))
    if problem is not None:
        raise Unavailable(f"not ready: {problem}")
    return {"status": "ready"}


async def _problem(here: Server) -> str | None:
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            return await asyncio.to_thread(here.database.problem)
    except TimeoutError:
        return f"the database does not answer within {_LONGEST_SECONDS:g} s"
    except (FileGone, SQLAlchemyError) as error:
        return f"the database takes no writes: {told(error)}"
    except ServiceError as error:
        return error.message


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "metrics", "content": {"text/plain": {}}}, **refuses()},
)
async def metrics(here: Here) -> Response:
    """What the server counts, for Prometheus; of the database what was there seconds ago."""
    gauges = [_gauge("lehr_database_up", "Whether the database answered this scrape", 1)]
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            found = await here.census.get(lambda: here.read(lambda c: census(c, here.clock())))
        gauges += _gauges(found)
    except (TimeoutError, FileGone, SQLAlchemyError, ServiceError):
        gauges = [_gauge("lehr_database_up", "Whether the database answered this scrape", 0)]
    text = await asyncio.to_thread(here.metrics.text, gauges)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _gauges(found: Census) -> list[GaugeMetricFamily]:
    gauges = [
        _by_state("lehr_trials", "Trials by state, of all studies", found.trials),
        _by_state("lehr_studies", "Studies by state", found.studies),
        _by_state("lehr_workers", "Workers that are here, by state", found.workers),
        _gauge("lehr_leases", "Attempts that hold a lease", found.leases),
        _gauge(
            "lehr_waiting_trials",
            "Trials that idle workers could start now; up to 1000 of a study without limits",
            found.waiting_trials,
        ),
    ]
    if found.idle_share is not None:
        says = "Share of the last 10 minutes in which devices of workers that are here had no trial"
        gauges.append(_gauge("lehr_worker_idle_share", says, found.idle_share))
    return gauges


def _gauge(name: str, says: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, says, value=value)


def _by_state(name: str, says: str, counts: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, says, labels=["state"])
    for state, count in counts.items():
        family.add_metric([state], count)
    return family
