"""Whether the server runs, and whether it can serve."""

from __future__ import annotations

from fastapi import APIRouter

from lehr_service.api.deps import Here
from lehr_service.errors import Unavailable

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(here: Here) -> dict[str, str]:
    """The database answers and has this version's schema."""
    if not await here.read(lambda _: here.database.is_ready()):
        raise Unavailable("the database has another schema than this version needs")
    return {"status": "ready"}
