"""Who may what: one row for every route. What is not in the table does not start."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from starlette.routing import BaseRoute, Route, compile_path
from starlette.types import Scope

from lehr.wire.tokens import Role


class Least(Enum):
    """The least role that a request needs; its value are the roles that may."""

    ANYONE = frozenset[Role]()
    """No token is needed."""
    VIEWER = frozenset({Role.VIEWER, Role.RESEARCHER, Role.ADMIN})
    RESEARCHER = frozenset({Role.RESEARCHER, Role.ADMIN})
    WORKER = frozenset({Role.WORKER, Role.ADMIN})
    """Of workers, the one whose token registered the worker that the path names, or whose attempt
    it names."""
    VIEWER_OR_WORKER = frozenset(Role)
    ADMIN = frozenset({Role.ADMIN})

    def admits(self, role: Role) -> bool:
        return role in self.value

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


TABLE: Final[Mapping[str, Least]] = {
    # what the holder of a lease sends
    "POST /v1/attempts/{token}/reports": Least.WORKER,
    "POST /v1/attempts/{token}/complete": Least.WORKER,
    "POST /v1/attempts/{token}/range_test": Least.WORKER,
    "POST /v1/attempts/{token}/fail": Least.WORKER,
    "PUT /v1/attempts/{token}/checkpoint": Least.WORKER,
    "GET /v1/attempts/{token}/checkpoint": Least.WORKER,
    # workers
    "POST /v1/workers": Least.WORKER,
    "GET /v1/workers": Least.VIEWER,
    "POST /v1/workers/{worker_id}/heartbeat": Least.WORKER,
    "POST /v1/workers/{worker_id}/claim": Least.WORKER,
    "POST /v1/workers/{worker_id}/drain": Least.WORKER,  # its own; an admin: any
    # trials
    "GET /v1/studies/{name}/trials": Least.VIEWER,
    "POST /v1/studies/{name}/trials": Least.RESEARCHER,
    # a worker asks whether checkpoints that it finds in a folder are of a finished trial
    "GET /v1/studies/{name}/trials/{number}": Least.VIEWER_OR_WORKER,
    "GET /v1/studies/{name}/trials/{number}/reports": Least.VIEWER,
    "POST /v1/studies/{name}/trials/{number}/stop": Least.RESEARCHER,
    # studies
    "POST /v1/studies": Least.RESEARCHER,
    "GET /v1/studies": Least.VIEWER,
    "GET /v1/studies/{name}": Least.VIEWER,
    "PATCH /v1/studies/{name}": Least.RESEARCHER,
    "POST /v1/studies/{name}/{action}": Least.RESEARCHER,
    "DELETE /v1/studies/{name}": Least.RESEARCHER,
    "GET /v1/studies/{name}/range_tests": Least.VIEWER,
    "GET /v1/studies/{name}/best": Least.VIEWER,
    "GET /v1/studies/{name}/events": Least.VIEWER,
    "GET /v1/studies/{name}/export": Least.VIEWER,
    "GET /v1/studies/{name}/plots/{kind}": Least.VIEWER,
    # tokens
    "POST /v1/tokens": Least.ADMIN,
    "GET /v1/tokens": Least.ADMIN,
    "DELETE /v1/tokens/{token_id}": Least.ADMIN,
    # pages
    "GET /": Least.VIEWER,
    "GET /new": Least.RESEARCHER,
    "GET /studies/{name}": Least.VIEWER,
    "GET /studies/{name}/trials/{number}": Least.VIEWER,
    "GET /studies/{name}/compare": Least.VIEWER,
    "GET /studies/{name}/range-tests": Least.VIEWER,
    "GET /docs": Least.VIEWER,
    "GET /openapi.json": Least.VIEWER,
    "HEAD /openapi.json": Least.VIEWER,
    "GET /workers": Least.VIEWER,
    "GET /tokens": Least.ADMIN,
    "POST /pages/definition": Least.RESEARCHER,
    "GET /sign-in": Least.ANYONE,
    "POST /sign-in": Least.ANYONE,
    "POST /sign-out": Least.VIEWER,
    "GET /static/{name}": Least.ANYONE,
    # for whoever watches the server
    "GET /healthz": Least.ANYONE,
    "GET /readyz": Least.ANYONE,
    "GET /metrics": Least.VIEWER,
}


@dataclass(frozen=True)
class Found:
    """A request's route: as the table names it, what it needs, and the parameters in its path."""

    path: str
    least: Least
    params: Mapping[str, str]
    route: Route


class Access:
    """Finds the row of a request, as the router will: in the order of routes, by their patterns."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        """Raises LookupError for a route that is not in the table."""
        self._by_method: dict[str, list[tuple[re.Pattern[str], Route, Least]]] = {}
        for route in routes:
            if not isinstance(route, Route):
                raise LookupError(f"{route} is no route of one path: it cannot be in the table")
            pattern, _, _ = compile_path(route.path)
            for method in sorted(route.methods or ()):
                row = f"{method} {route.path}"
                if row not in TABLE:
                    raise LookupError(f"{row} is not in the table of api/access.py: who may?")
                self._by_method.setdefault(method, []).append((pattern, route, TABLE[row]))

    def find(self, scope: Scope) -> Found | None:
        """None where no route takes the request; what is answered then depends on nothing."""
        for pattern, route, least in self._by_method.get(scope["method"], ()):
            found = pattern.match(scope["path"])
            if found is not None:
                return Found(route.path, least, found.groupdict(), route)
        return None
