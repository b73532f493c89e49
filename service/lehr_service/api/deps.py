"""What endpoints share: the parts of the running server, reading threads, answers."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Request, Response
from pydantic import AfterValidator, BaseModel
from sqlalchemy import Connection
from starlette.types import Scope

from lehr.wire.base import all_of
from lehr.wire.errors import ErrorAnswer
from lehr.wire.workers import HeartbeatAnswer
from lehr_service.api.cached import Cached
from lehr_service.api.changes import Changes
from lehr_service.api.identity import Keyring, Owners, Principal, who_sent
from lehr_service.api.together import Together
from lehr_service.batches import Clock
from lehr_service.errors import (
    AttemptUnknown,
    Invalid,
    StudyDeleted,
    StudyUnknown,
    Unavailable,
    WorkerUnknown,
)
from lehr_service.lanes import Lanes
from lehr_service.metrics import Metrics
from lehr_service.operations.census import Census
from lehr_service.operations.desk import Desk
from lehr_service.operations.dispatch import Candidates, Opening, choose_studies, opening, study_of
from lehr_service.operations.heartbeats import Beat, hear
from lehr_service.operations.ledger import Claim
from lehr_service.settings import Settings
from lehr_service.storage.session import Database
from lehr_service.suggestions import Suggestions
from lehr_service.writes import Writes

T = TypeVar("T")

_LONG_WAIT_SECONDS = 60.0


@dataclass
class Server:
    """The parts of a running server."""

    settings: Settings
    database: Database
    lanes: Lanes
    changes: Changes
    clock: Clock
    readers: ThreadPoolExecutor
    long_readers: ThreadPoolExecutor
    writes: Writes
    suggestions: Suggestions
    metrics: Metrics
    keyring: Keyring
    owners: Owners
    claims: dict[tuple[str, str], asyncio.Task[Any]] = field(default_factory=dict)
    readiness: Cached[str | None] = field(default_factory=lambda: Cached(1.0))
    census: Cached[Census] = field(default_factory=lambda: Cached(2.0))

    def __post_init__(self) -> None:
        self.choices = Together(self._choose)
        self.openings = Together(self._look)
        self.beats = Together(self._hear)

    async def _choose(self, claims: list[Claim]) -> list[Candidates | None]:
        """Which studies to ask for each claim; see ``choose_studies``."""
        chosen = await self.read(lambda connection: choose_studies(connection, claims))
        return [chosen[claim] for claim in claims]

    async def _look(self, worker_ids: list[str]) -> list[Opening]:
        """What there is to do now, the same for all who wait; see ``opening``."""
        found = await self.read(opening)
        return [found for _ in worker_ids]

    async def _hear(self, beats: list[Beat]) -> list[HeartbeatAnswer | None]:
        """What to say to each worker; see ``hear``."""
        now = self.clock()
        deadline = now + self.settings.lease_seconds
        try:
            return await self.write(partial(hear, beats=beats, now=now, deadline=deadline))
        except Exception:
            self.lanes.spare_workers()  # that nobody could note that they live is not their fault
            raise

    async def read(self, query: Callable[[Connection], T], *, is_long: bool = False) -> T:
        """Run a query in a thread of its own view of the database.

        What takes seconds, as a whole study does, waits for others of its kind, and only for them.
        Raises Unavailable where no thread was free for too long.
        """

        wait = _LONG_WAIT_SECONDS if is_long else self.settings.database_wait_seconds
        last = time.monotonic() + wait
        context = copy_context()  # for the log

        def run() -> T:
            with self.database.read() as connection:
                return query(connection)

        def in_time() -> T:
            if time.monotonic() > last:
                raise Unavailable("the database is too slow at the moment")
            return context.run(run)

        threads = self.long_readers if is_long else self.readers
        return await asyncio.get_running_loop().run_in_executor(threads, in_time)

    async def write(self, act: Callable[[Connection], T]) -> T:
        """Run a write that needs no lane, and answer after its commit."""
        return await self.writes.submit(act)

    async def submit_for(self, token: str, act: Callable[[Desk], T]) -> T:
        """Run an act in the lane of the study that an attempt's token belongs to."""
        study_id = study_of(token)
        if study_id is None:
            raise AttemptUnknown
        try:
            return await self.lanes.submit(study_id, act)
        except StudyDeleted:
            raise AttemptUnknown from None


def server_of(scope: Scope) -> Server:
    """The server that a request has reached."""
    found: Server = scope["app"].state.server
    return found


async def server(request: Request) -> Server:
    """Async, like all dependencies here: FastAPI runs others in a thread, at twice the cost."""
    return server_of(request.scope)


async def sender(request: Request) -> Principal:
    return who_sent(request.scope)


def answer(model: BaseModel, status: int = 200) -> Response:
    """A model as JSON, serialised once."""
    return Response(model.model_dump_json(), status, media_type="application/json")


def _study_name(name: str) -> str:
    """A name that no study can have is unknown, and never reaches the database."""
    if not re.fullmatch(r"[a-z0-9._-]{1,100}", name):
        raise StudyUnknown(name)
    return name


def _worker_id(worker_id: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{32}", worker_id):
        raise WorkerUnknown(worker_id)
    return worker_id


async def no_unknown_query(request: Request) -> None:
    """Refuse query parameters that the endpoint does not have; a misspelt filter is no filter."""
    if not request.scope["query_string"]:
        return
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    unknown = sorted(request.query_params.keys() - known)
    if unknown:
        takes = f"known are {all_of(sorted(known))}" if known else "there are none here"
        message = f"unknown query parameter; {takes}"
        raise Invalid(f"not valid: {', '.join(unknown)}", [((n,), message) for n in unknown])


Here = Annotated[Server, Depends(server)]
Who = Annotated[Principal, Depends(sender)]
StudyName = Annotated[
    str, Path(description="the study's name", examples=["digits"]), AfterValidator(_study_name)
]
TrialNumber = Annotated[
    int, Path(ge=0, le=2**31 - 1, description="the trial's number, from 0", examples=[17])
]
WorkerId = Annotated[
    str,
    Path(description="as it was told when it registered"),
    AfterValidator(_worker_id),
]
AttemptToken = Annotated[str, Path(description="the lease's token")]


_ANYWHERE = (401, 403, 422, 429, 431, 503)
# FastAPI builds a validator for every model of every route, before the first answer: one will do.
_SCHEMA = {"$ref": f"#/components/schemas/{ErrorAnswer.__name__}"}
_REFUSAL: dict[str, Any] = {"content": {"application/json": {"schema": _SCHEMA}}}


def refuses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of an endpoint, for the OpenAPI document."""
    answers: dict[int | str, dict[str, Any]] = dict.fromkeys((*statuses, *_ANYWHERE), _REFUSAL)
    return answers | {422: {"model": ErrorAnswer}}
