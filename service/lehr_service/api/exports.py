"""A study as a file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse
from sqlalchemy import Connection
from starlette.background import BackgroundTask

from lehr_service.api.deps import Here, StudyName, refuses
from lehr_service.api.studies import found, view
from lehr_service.operations import exports
from lehr_service.operations.exports import ENDINGS, MEDIA_TYPES, Format

router = APIRouter(prefix="/v1/studies/{name}/export", tags=["studies"])


@router.get(
    "",
    response_class=FileResponse,
    responses={
        200: {
            "description": "the file",
            "content": {
                MEDIA_TYPES["csv"]: {"example": "number,state,reason,value,...\n0,complete,,0.93"},
                MEDIA_TYPES["json"]: {"example": {"study": {}, "trials": [{"reports": []}]}},
                MEDIA_TYPES["optuna"]: {"schema": {"type": "string", "format": "binary"}},
            },
        },
        **refuses(404),
    },
)
async def export(
    name: StudyName,
    here: Here,
    format: Annotated[  # the query's name is the contract's
        Format, Query(description="csv: a row a trial; json: all there is; optuna: a database file")
    ] = "json",
) -> Response:
    """The study with its trials; ``optuna`` is an SQLite file for ``optuna.load_study``."""

    def written(connection: Connection) -> Path:
        study = found(connection, name)
        handle, path = tempfile.mkstemp(prefix="lehr-export-")
        os.close(handle)
        try:
            shown = view(connection, study, here.clock())
            exports.write(connection, study, shown, format, Path(path))
        except BaseException:
            Path(path).unlink()
            raise
        return Path(path)

    path = await here.read(written, is_long=True)
    return FileResponse(
        path,
        media_type=MEDIA_TYPES[format],
        filename=f"{name}.{ENDINGS[format]}",
        background=BackgroundTask(path.unlink),
    )
