"""Pictures of a study, as Plotly figures."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from lehr_service.api.deps import Here, StudyName, refuses
from lehr_service.api.studies import found
from lehr_service.errors import Invalid
from lehr_service.operations import plots
from lehr_service.operations.plots import Kind, View

router = APIRouter(prefix="/v1/studies/{name}/plots", tags=["plots"])

_EXAMPLE = {"data": [{"type": "scatter", "x": [0, 1], "y": [0.5, 0.9]}], "layout": {}}


@router.get(
    "/{kind}",
    response_model=dict[str, Any],
    responses={
        200: {
            "description": "a Plotly figure",
            "content": {"application/json": {"example": _EXAMPLE}},
        },
        **refuses(404),
    },
)
async def plot(
    name: StudyName,
    kind: Kind,
    here: Here,
    metric: Annotated[
        str | None, Query(max_length=100, description="the objective to show, by default the first")
    ] = None,
    params: Annotated[
        str | None,
        Query(max_length=4000, description="parameters to show, such as optimizer,schedule"),
    ] = None,
    trials: Annotated[
        str | None, Query(max_length=4000, description="numbers of trials to show, such as 3,14")
    ] = None,
) -> Response:
    """A figure for Plotly: ``plotly.io.from_json``, or ``Plotly.newPlot`` in a browser.

    Large studies are shown by a sample that has the best trials; the title says so. A figure of a
    study with nothing to show yet says what is missing.
    """
    chosen = tuple(part for part in (params or "").split(",") if part)
    view = View(metric, chosen, _numbers(trials))

    def drawn(connection: Any) -> str:
        return plots.figure(connection, found(connection, name), kind, view, here.clock())

    body = await here.read(drawn, is_long=True)
    return Response(body, media_type="application/json")


def _numbers(text: str | None) -> tuple[int, ...]:
    parts = [part for part in (text or "").split(",") if part]
    if not all(part.isdecimal() and len(part) < 10 for part in parts):
        message = "must be numbers of trials with commas between, such as 3,14"
        raise Invalid("not valid: trials", [(("trials",), message)])
    return tuple(map(int, parts))
