"""The composition root: settings in, a running server out."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from types import FrameType

import uvicorn
from fastapi import Depends, FastAPI
from sqlalchemy.exc import SQLAlchemyError

from lehr import logs
from lehr_service.api import (
    attempts,
    errors,
    events,
    exports,
    health,
    plots,
    studies,
    tokens,
    trials,
    workers,
)
from lehr_service.api.access import Access
from lehr_service.api.changes import Changes
from lehr_service.api.deps import Server, no_unknown_query
from lehr_service.api.guard import Guard
from lehr_service.api.identity import Keyring, Owners
from lehr_service.api.replicas import Replicas
from lehr_service.api.requests import Requests
from lehr_service.batches import Act, Clock
from lehr_service.bootstrap import connect, open_database
from lehr_service.domain.study import Study
from lehr_service.errors import NotFound, ServiceError
from lehr_service.garbage import collect_rarely
from lehr_service.lanes import Lanes
from lehr_service.metrics import Metrics
from lehr_service.operations import recovery
from lehr_service.settings import Settings
from lehr_service.storage import studies as study_rows
from lehr_service.storage import tokens as token_rows
from lehr_service.storage import workers as worker_rows
from lehr_service.storage.faults import is_fault, told
from lehr_service.storage.questions import ask
from lehr_service.storage.schema import SchemaUnknown
from lehr_service.suggestions import Suggestions
from lehr_service.web import pages, static_files
from lehr_service.writes import Writes

log = logging.getLogger(__name__)

_READERS = 6
_LONG_READERS = 2
_TAGS = [
    {"name": "studies", "description": "what is searched, how far, and what came of it"},
    {"name": "trials", "description": "the points of a study that were tried"},
    {"name": "events", "description": "what happens in a study, as it happens"},
    {"name": "plots", "description": "figures for Plotly"},
    {"name": "workers", "description": "who trains, and how workers ask for trials"},
    {"name": "attempts", "description": "what the holder of a lease sends"},
    {"name": "tokens", "description": "who may do what"},
    {"name": "health", "description": "for whoever watches the server"},
]
_LONGEST_SWEEP_SECONDS = 1.0
# A lane's thread gives the interpreter away with each call of the database, and by Python's default
# waits up to 5 ms to have it back while requests come in: a tenth fewer trials with 16 workers.
_SWITCH_SECONDS = 0.0005


def create_app(settings: Settings, clock: Clock = time.time) -> FastAPI:
    """The application, its database migrated when it starts up."""

    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        changes = Changes()
        server = await asyncio.to_thread(_start, settings, clock, changes, metrics)
        app.state.server = server
        replicas = Replicas(server.database, changes)
        replicas.start()
        for study in await server.read(lambda c: ask(c, study_rows.active())):
            server.suggestions.note(study)
        sweeper = asyncio.create_task(_sweep_on(server))
        yield
        changes.end()
        waiting = [sweeper, *server.claims.values()]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await replicas.stop()
        await server.suggestions.close()
        await server.lanes.close()
        await server.writes.close()
        server.readers.shutdown()
        server.long_readers.shutdown(cancel_futures=True)
        server.database.close()

    app = FastAPI(
        title="lehr",
        version=version("lehr"),
        summary="Hyperparameter search for optimizers, learning rates and decay schedules",
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_tags=_TAGS,
        docs_url=None,  # FastAPI's page loads its parts from another server; ours does not
        redoc_url=None,
        dependencies=[Depends(no_unknown_query)],
        # /metrics tells what it would, and looking whether anybody wants it costs each request
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    errors.install(app)
    app.add_exception_handler(404, pages.missing)
    # The busiest are found first; trials' paths before studies'.
    api = (attempts, workers, trials, studies, events, exports, plots, tokens, health)
    routers = [part.router for part in (*api, pages, static_files)]
    access = Access([*(route for router in routers for route in router.routes), *app.routes])
    app.add_middleware(Guard, settings=settings, access=access, page_of=pages.refused)
    app.add_middleware(Requests, metrics=metrics)  # the last that is added is the outermost
    for router in routers:
        app.include_router(router)
    return app


def prepare(settings: Settings) -> None:
    """Make the database, or bring it to this version's schema. Exits with a sentence."""
    try:
        open_database(settings).close()
    except SchemaUnknown as error:
        raise SystemExit(str(error)) from error
    except (OSError, SQLAlchemyError) as error:
        raise SystemExit(f"the database cannot be used: {told(error)}") from error


def _start(settings: Settings, clock: Clock, changes: Changes, metrics: Metrics) -> Server:
    database = connect(settings)
    database.failed = metrics.fault
    database.migrate()
    sampling = {"database_url": settings.url, "most_trials": settings.mirror_trials, "hasten": True}
    suggestions = Suggestions(sampling, settings.sampler_processes, metrics)

    def changed(study_id: int, opened: bool, study: Study | None) -> None:
        changes.notify(study_id, *(("work",) if opened else ()))
        suggestions.note(study)

    lanes = Lanes(
        database,
        lease_seconds=settings.lease_seconds,
        queue_commands=settings.queue_commands,
        clock=clock,
        changed=changed,
        asks_here=suggestions.asks_here,
        mirror_trials=settings.mirror_trials,
        metrics=metrics,
    )
    readers = ThreadPoolExecutor(_READERS, thread_name_prefix="reader")
    long_readers = ThreadPoolExecutor(_LONG_READERS, thread_name_prefix="long reader")
    writes = Writes(database, settings.database_wait_seconds)
    return Server(
        settings,
        database,
        lanes,
        changes,
        clock,
        readers,
        long_readers,
        writes,
        suggestions,
        metrics,
        Keyring(settings, database, clock),
        Owners(database),
    )


async def _sweep_on(server: Server) -> None:
    """Recover lost trials and end overdue studies, for as long as the server runs."""
    lease = server.settings.lease_seconds
    pause, swept = min(_LONGEST_SWEEP_SECONDS, lease / 4), _awake()
    while True:
        now = _awake()
        if now - swept > lease / 2:  # stopped, suspended, or its database was away
            server.lanes.spare_workers()
        try:
            await sweep(server)
            swept = now
            if uses := server.keyring.take_uses():
                await server.write(partial(token_rows.used, moments=uses))
        except ServiceError as error:
            log.warning("recovery will try again: %s", error)
        except Exception as error:  # trials would stay lost for as long as the server runs
            if not isinstance(error, SQLAlchemyError) and not is_fault(error):
                log.exception("recovery will try again")
            else:
                log.warning("recovery will try again: %s", told(error))
        await asyncio.sleep(pause)


def _awake() -> float:
    """Seconds that have passed for this machine, those in which it was suspended included."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


async def sweep(server: Server) -> None:
    """Take trials back from workers past their deadline; end studies past their timeout."""
    now, lanes = server.clock(), server.lanes
    acts: dict[int, list[Act]] = defaultdict(list)
    for suspect in await server.read(lambda c: recovery.suspects(c, now, lanes.grace_until)):
        # First, so that no claim of its own which still waits takes the trial again.
        await server.write(
            partial(worker_rows.mark_lost, worker_id=suspect.worker_id, deadline=suspect.deadline)
        )
        with logs.about(worker=suspect.worker_id):
            log.warning("a worker was not heard of before its deadline")
        for study_id, token in suspect.attempts:
            acts[study_id].append(partial(recovery.expire, token=token))
    for study_id in await server.read(lambda c: recovery.overdue_studies(c, now)):
        acts[study_id].append(recovery.settle)
    await asyncio.gather(*(_recover(lanes, study_id, acts[study_id]) for study_id in acts))


async def _recover(lanes: Lanes, study_id: int, acts: Sequence[Act]) -> None:
    """Do these in one study; if it cannot be done, that is no reason to leave the others."""
    done = [lanes.submit(study_id, act) for act in acts]
    for error in await asyncio.gather(*done, return_exceptions=True):
        if isinstance(error, BaseException) and not isinstance(error, NotFound):
            with logs.about(study_id=study_id):
                log.warning("recovery will try again: %s", error)
            return


class _UvicornServer(uvicorn.Server):
    """Lets requests that wait for a change go when it is told to stop, so that it stops at once."""

    def __init__(self, app: FastAPI, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        parts: Server | None = getattr(self.app.state, "server", None)
        if parts is not None:
            parts.suggestions.begin()
        collect_rarely()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        parts: Server | None = getattr(self.app.state, "server", None)
        if parts is not None:
            parts.changes.end()
            parts.suggestions.end()
        super().handle_exit(sig, frame)


def check_reach(settings: Settings) -> None:
    """Raises SystemExit where anybody on the network could read and write everything."""
    if settings.is_loopback or settings.insecure or settings.token is not None:
        return
    database = open_database(settings)
    try:
        with database.read() as connection:
            known = token_rows.every(connection)
    finally:
        database.close()
    if not known:
        raise SystemExit(
            f"host {settings.host} can be reached from other machines, and there are no tokens: "
            "make one (lehr token create admin --role admin --local), set LEHR_TOKEN, "
            "or listen on 127.0.0.1"
        )


def run(settings: Settings, listener: socket.socket | None = None) -> None:
    """Run one server process until it is told to stop, on a socket of its own or a given one."""
    check_reach(settings)
    sys.setswitchinterval(_SWITCH_SECONDS)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,  # its records go where all others go
        log_level=settings.log_level,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,  # workers are heard more often, and need not connect anew
        loop="uvloop" if _has("uvloop") else "asyncio",
        http=_protocol(),
        ws="none",
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    server = _UvicornServer(app, config)
    server.run(sockets=None if listener is None else [listener])
    if not server.started:
        raise SystemExit(1)


def _protocol() -> type[asyncio.Protocol] | str:
    if not _has("httptools"):
        return "h11"  # it limits headers by itself
    from lehr_service.protocol import PatientProtocol

    return PatientProtocol


def _has(package: str) -> bool:
    return find_spec(package) is not None
