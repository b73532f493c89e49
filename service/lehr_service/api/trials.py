"""Trials of a study: lists, details, reports, enqueued points, stop."""

from __future__ import annotations

from fastapi import APIRouter, Query, Response
from pydantic import TypeAdapter
from sqlalchemy import Connection

from lehr.wire.trials import Enqueued, Report, TrialDetails, TrialPage, TrialState
from lehr.wire.trials import Trial as TrialView
from lehr_service.api import paging
from lehr_service.api.deps import Here, StudyName, TrialNumber, answer, refuses
from lehr_service.api.studies import Cursor, Limit, Revision, found
from lehr_service.domain.study import Study
from lehr_service.domain.trial import Trial
from lehr_service.errors import TrialUnknown
from lehr_service.operations import trials as operations
from lehr_service.operations.views import report_view, trial_details, trial_view
from lehr_service.storage import attempts, reports, trials, workers
from lehr_service.storage.trials import OrderBy

router = APIRouter(prefix="/v1/studies/{name}/trials", tags=["trials"])

_REPORTS = TypeAdapter(list[Report])


def found_trial(connection: Connection, study: Study, number: int) -> Trial:
    """Raises TrialUnknown."""
    trial = trials.get(connection, study.id, number)
    if trial is None:
        raise TrialUnknown(study.name, number)
    return trial


def page_of(
    connection: Connection,
    study: Study,
    *,
    state: TrialState | None,
    order_by: OrderBy,
    limit: int,
    after: str | None,
    since_revision: int | None = None,
) -> TrialPage:
    """Trials of a study from a cursor on. Raises Invalid for what is no cursor."""
    key = None if after is None else paging.decode(after, 2)
    rows = trials.page(
        connection,
        study.id,
        state=state,
        since_revision=since_revision,
        order_by=order_by,
        after=None if key is None else (key[0], int(key[1] or 0)),
        limit=limit + 1,
    )
    last = rows[limit - 1] if len(rows) > limit else None
    return TrialPage(
        items=[trial_view(study.name, trial) for trial in rows[:limit]],
        next=None if last is None else paging.encode(last.value, last.number),
    )


def _found(connection: Connection, name: str, number: int) -> tuple[Study, Trial]:
    study = found(connection, name)
    return study, found_trial(connection, study, number)


@router.get("", response_model=TrialPage, responses=refuses(404))
async def list_trials(
    name: StudyName,
    here: Here,
    state: TrialState | None = None,
    since_revision: Revision | None = None,
    order_by: OrderBy = "number",
    limit: Limit = 100,
    after: Cursor | None = None,
) -> Response:
    """Trials of a study; with ``since_revision`` only those that changed after it."""

    def page(connection: Connection) -> TrialPage:
        return page_of(
            connection,
            found(connection, name),
            state=state,
            order_by=order_by,
            limit=limit,
            after=after,
            since_revision=since_revision,
        )

    return answer(await here.read(page))


@router.post("", status_code=201, response_model=TrialView, responses=refuses(400, 404, 409))
async def enqueue_trial(name: StudyName, point: Enqueued, here: Here) -> Response:
    """Add a waiting trial with some or all parameters given; it is tried before suggestions."""
    study = await here.read(lambda c: found(c, name))
    params = point.params
    view = await here.lanes.submit(study.id, lambda desk: operations.enqueue(desk, params))
    return answer(view, 201)


@router.get("/{number}", response_model=TrialDetails, responses=refuses(404))
async def show_trial(name: StudyName, number: TrialNumber, here: Here) -> Response:
    """One trial with all of its attempts."""

    def details(connection: Connection) -> TrialDetails:
        study, trial = _found(connection, name, number)
        history = attempts.history(connection, study.id, number)
        names = workers.names(connection, [attempt.worker_id for attempt in history])
        return trial_details(study, trial, history, names)

    return answer(await here.read(details))


@router.get("/{number}/reports", response_model=list[Report], responses=refuses(404))
async def list_reports(
    name: StudyName,
    number: TrialNumber,
    here: Here,
    attempt: int | None = Query(
        default=None, ge=1, le=2**31 - 1, description="only what this attempt reported"
    ),
) -> Response:
    """A trial's reports by step: the latest attempt's where several reported a step."""

    def curve(connection: Connection) -> list[Report]:
        study, _ = _found(connection, name, number)
        rows = reports.curve(connection, study.id, number, attempt)
        return [report_view(row) for row in rows]

    body = _REPORTS.dump_json(await here.read(curve))
    return Response(body, media_type="application/json")


@router.post("/{number}/stop", response_model=TrialView, responses=refuses(404, 409))
async def stop_trial(name: StudyName, number: TrialNumber, here: Here) -> Response:
    """Cancel a trial; its attempt, if it runs, hears the verdict ``stop``."""
    study, _ = await here.read(lambda c: _found(c, name, number))
    return answer(await here.lanes.submit(study.id, lambda desk: operations.stop(desk, number)))
