"""Attempts: what the holder of a lease sends, by its token."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from sqlalchemy import Connection

from lehr.wire.range_tests import RangeTest, RangeTestResult
from lehr.wire.trials import Trial
from lehr.wire.workers import CHECKPOINT_HEADER, Completion, Failure, NewReports, Verdict
from lehr_service.api.deps import AttemptToken, Here, answer, refuses
from lehr_service.api.lean import LeanRoute
from lehr_service.domain.attempt import check_attempt, check_kind
from lehr_service.errors import AttemptUnknown, NoCheckpoint
from lehr_service.operations import range_tests
from lehr_service.operations import trials as operations
from lehr_service.operations.dispatch import study_of
from lehr_service.storage import attempts, reports

router = APIRouter(prefix="/v1/attempts/{token}", tags=["attempts"], route_class=LeanRoute)

_REFUSALS = refuses(400, 404, 409)


@router.post("/reports", response_model=Verdict, responses=_REFUSALS)
async def report(token: AttemptToken, new: NewReports, here: Here) -> Response:
    """Report intermediate values of one or more steps; hear whether to go on."""
    reports = new.reports
    act = here.submit_for(token, lambda desk: operations.report(desk, token, reports))
    return answer(await act)


@router.post("/complete", response_model=Trial, responses=_REFUSALS)
async def complete(token: AttemptToken, completion: Completion, here: Here) -> Response:
    """End a full training; without a value it is selected from the reports."""
    act = here.submit_for(token, lambda desk: operations.complete(desk, token, completion))
    return answer(await act)


@router.post("/range_test", response_model=RangeTest, responses=_REFUSALS)
async def complete_range_test(token: AttemptToken, result: RangeTestResult, here: Here) -> Response:
    """End a range test with the losses of each seed; the server draws the conclusions."""
    act = here.submit_for(token, lambda desk: range_tests.complete(desk, token, result))
    return answer(await act)


@router.post("/fail", response_model=Trial | RangeTest, responses=_REFUSALS)
async def fail(token: AttemptToken, failure: Failure, here: Here) -> Response:
    """End an attempt without a result; ``preempted`` hands the trial, or range test, back."""
    act = here.submit_for(token, lambda desk: operations.fail(desk, token, failure))
    return answer(await act)


@router.put(
    "/checkpoint",
    status_code=204,
    responses=refuses(404, 409, 413),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"format": "binary"}}},
        }
    },
)
async def save_checkpoint(
    token: AttemptToken,
    request: Request,
    here: Here,
    sha256: Annotated[
        str | None,
        Header(
            alias=CHECKPOINT_HEADER, max_length=64, description="of the bytes, to find damage by"
        ),
    ] = None,
) -> Response:
    """Store the state of a training, in place of the one before."""
    content = await request.body()
    act = here.submit_for(
        token, lambda desk: operations.save_checkpoint(desk, token, content, sha256)
    )
    return Response(status_code=204, headers={CHECKPOINT_HEADER: await act})


@router.get(
    "/checkpoint",
    responses={200: {"content": {"application/octet-stream": {}}}, **refuses(404, 409)},
)
async def load_checkpoint(token: AttemptToken, here: Here) -> Response:
    """The last stored state of the training of this attempt's trial."""

    def stored(connection: Connection) -> tuple[bytes, str]:
        known = study_of(token) is not None
        attempt = attempts.by_token(connection, token) if known else None
        if attempt is None:
            raise AttemptUnknown
        check_kind(attempt, "trial")
        check_attempt(attempt)
        row = reports.checkpoint(connection, attempt.study_id, attempt.trial)
        if row is None:
            raise NoCheckpoint
        return bytes(row.content), row.sha256

    content, sha256 = await here.read(stored)
    headers = {CHECKPOINT_HEADER: sha256}
    return Response(content, media_type="application/octet-stream", headers=headers)
