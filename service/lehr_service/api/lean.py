"""A route for the few endpoints that workers call all the time.

FastAPI finds the route, resolves dependencies, reads headers and validates anew in each request,
which costs more than what these endpoints do. A request that is plainly in order goes from the
guard straight to its endpoint; any other goes FastAPI's own way, and hears there what is wrong.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, get_type_hints

from fastapi import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.types import Scope

from lehr_service.api.deps import server_of
from lehr_service.api.identity import who_sent
from lehr_service.errors import ServiceError

PARSED = "lehr.json"  # in the scope: the body as the guard has read it

Call = Callable[[], Awaitable[Response]]


class LeanRoute(APIRoute):
    """For an endpoint that takes path parameters, one body model, the running server, and who."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        hints = get_type_hints(endpoint, include_extras=True)
        names = self.param_convertors.keys()
        self._paths = {n: TypeAdapter(hints[n]).validator.validate_python for n in names}
        self._asks_who = "who" in hints
        self._body = _body_of(endpoint)

    @property
    def is_lean(self) -> bool:
        """Whether there is a short way to the endpoint; it must take a body."""
        return self._body is not None

    def plainly(self, scope: Scope, params: Mapping[str, str]) -> Call | None:
        """The endpoint's call for a request with these path parameters; None: it is not plain."""
        if self._body is None or scope["query_string"]:
            return None
        name, validate = self._body
        try:
            given = {n: check(params[n]) for n, check in self._paths.items()}
            given[name] = validate(scope[PARSED])
            if self._asks_who:
                given["who"] = who_sent(scope)
        except (KeyError, ServiceError, ValidationError):
            return None
        scope["route"], scope["path_params"] = self, params
        endpoint, here = self.endpoint, server_of(scope)
        return lambda: endpoint(**given, here=here)


def _body_of(endpoint: Callable[..., Any]) -> tuple[str, Callable[[Any], Any]] | None:
    """The parameter that takes the body, and what checks it."""
    for name, parameter in inspect.signature(endpoint, eval_str=True).parameters.items():
        kind = parameter.annotation
        if inspect.isclass(kind) and issubclass(kind, BaseModel):
            return name, TypeAdapter(kind).validator.validate_python
    return None
