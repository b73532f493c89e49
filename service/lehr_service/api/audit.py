"""Who wrote what: one record for every request that may change something, on ``lehr.audit``.

The routine of workers that train (heartbeats, claims, reports, checkpoints) is on level DEBUG, as
the database keeps all of it; everything else is on INFO. No token is ever in a record.
"""

from __future__ import annotations

import logging
import re
from typing import Final
from urllib.parse import quote

from starlette.types import Scope

from lehr_service.api.access import Found
from lehr_service.api.identity import Principal
from lehr_service.api.rates import address_of

log = logging.getLogger("lehr.audit")

SAFE: Final = ("GET", "HEAD", "OPTIONS")
_ROUTINE: Final = frozenset(
    {
        "/v1/workers/{worker_id}/heartbeat",
        "/v1/workers/{worker_id}/claim",
        "/v1/attempts/{token}/reports",
        "/v1/attempts/{token}/checkpoint",
    }
)
_SECRETS: Final = (
    (re.compile(r"^(/+v1/+attempts/+)[^/]+"), r"\1*"),
    (re.compile(r"(lehr_[0-9a-f]{1,16})_[0-9a-f]+"), r"\1_*"),
)


def note(scope: Scope, found: Found | None, who: Principal | None, status: int) -> None:
    """Record a request that was answered with a status, unless it could only read."""
    if scope["method"] in SAFE:
        return
    level = logging.DEBUG if found is not None and found.path in _ROUTINE else logging.INFO
    if not log.isEnabledFor(level):
        return
    facts = {
        "who": "nobody" if who is None else who.name,
        "role": None if who is None else who.role.value,
        "token_id": None if who is None else who.token_id,
        "address": address_of(scope.get("client")),
        "method": scope["method"],
        "path": without_secrets(scope["path"]),
        "study": None if found is None else found.params.get("name"),
        "status": status,
    }
    text = "%(who)s (%(role)s) %(method)s %(path)s: %(status)s"
    log.log(level, text, {**facts, "who": quote(facts["who"], safe=" ")}, extra=facts)


def without_secrets(path: str) -> str:
    """A path without the tokens in it, on one line whatever it holds."""
    for pattern, harmless in _SECRETS:
        path = pattern.sub(harmless, path)
    return quote(path, safe="/*:@!$&'()+,;=~")
