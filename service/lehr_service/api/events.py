"""The event stream of a study: server-sent events that go on where the reader left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

from lehr.wire.studies import Study as StudyView
from lehr_service.api.deps import Here, Server, StudyName, refuses
from lehr_service.api.studies import found, view
from lehr_service.domain.study import Study
from lehr_service.errors import Invalid
from lehr_service.operations import events
from lehr_service.operations.events import BEGINNING, Event, Position
from lehr_service.storage import studies

router = APIRouter(prefix="/v1/studies/{name}/events", tags=["events"])

_PAUSE_SECONDS = 0.1  # so that a reader of a busy study gets batches, not single events
_SILENCE_SECONDS = 15.0  # after so long a comment shows both ends that the other is there
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_EXAMPLE = (
    'id: 1-7-0-3-1-0\nevent: report\ndata: {"study": "fashion-cnn", "trial": 3, "step": 0, ...}\n\n'
)


@router.get(
    "",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "events, until the study is finished",
            "content": {"text/event-stream": {"example": _EXAMPLE}},
        },
        204: {"description": "the study is finished, and its last event was read before"},
        **refuses(404),
    },
)
async def stream(
    name: StudyName,
    here: Here,
    since_revision: Annotated[
        int, Query(ge=-1, le=2**31 - 1, description="leave out what happened up to then")
    ] = -1,
    last_event_id: Annotated[
        str | None, Header(description="the id of the last event that was read")
    ] = None,
) -> Response:
    """Every report, each trial and the study as they change, as server-sent events.

    Events are ``report``, ``trial`` and ``study``; each has an id, and with the last one in
    ``Last-Event-ID`` a reader goes on, on any server of the database, with nothing missing and
    nothing twice. Without it, all that happened in the study so far comes first.
    """
    study = await here.read(lambda c: found(c, name))
    position = _position(study, last_event_id, since_revision)
    if study.state.is_finished and position >= Position(study.revision):
        return Response(status_code=204)
    body = _stream(here, study, position)
    return StreamingResponse(body, media_type="text/event-stream", headers=_HEADERS)


def _position(study: Study, last_event_id: str | None, since_revision: int) -> Position:
    if last_event_id is None:
        return Position(since_revision)
    read = events.read_id(last_event_id)
    if read is None:
        message = "must be the id of an event of this stream"
        raise Invalid("not valid: Last-Event-ID", [(("Last-Event-ID",), message)])
    study_id, position = read
    return position if study_id == study.id else BEGINNING  # another study had its name


async def _stream(here: Server, study: Study, position: Position) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    quiet_since = time.monotonic()
    with here.changes.watch(study.id) as watch:
        while not here.changes.ended:
            now, batch = await here.read(partial(_batch, here, study.id, position))
            if now is None:
                return
            for event in batch:
                position = event.position
                yield _text(now, event)
            if batch and position < Position(now.revision):
                continue
            if now.state.is_finished:
                return
            if batch:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since >= _SILENCE_SECONDS:
                quiet_since = time.monotonic()
                yield ": still here\n\n"
            await asyncio.sleep(_PAUSE_SECONDS)
            await watch.wait(_SILENCE_SECONDS)


def _batch(
    here: Server, study_id: int, after: Position, connection: Connection
) -> tuple[Study | None, list[Event]]:
    study = studies.by_id(connection, study_id)
    if study is None or Position(study.revision) <= after:
        return study, []

    def show(connection: Connection, study: Study) -> StudyView:
        return view(connection, study, here.clock())

    return study, events.following(connection, study, after, show)


def _text(study: Study, event: Event) -> str:
    identity, data = events.id_of(study, event.position), event.data.model_dump_json()
    return f"id: {identity}\nevent: {event.name}\ndata: {data}\n\n"
