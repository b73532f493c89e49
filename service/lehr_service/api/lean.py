"""A route for the few endpoints that workers call all the time.

FastAPI resolves dependencies, reads headers and validates anew in each request, which costs more
than what these endpoints do. Here a request that is plainly in order goes straight to its endpoint;
any other goes FastAPI's own way, and hears there what is wrong with it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, get_type_hints

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError

from lehr_service.api.identity import who_sent
from lehr_service.errors import ServiceError

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

PARSED = "lehr.json"  # in the scope: the body as the guard has read it


class LeanRoute(APIRoute):
    """For an endpoint that takes path parameters, one body model, the running server, and who."""

    def get_route_handler(self) -> Handler:
        usual = super().get_route_handler()
        body_name, model = self._body()
        if body_name is None:
            return usual
        hints = get_type_hints(self.endpoint, include_extras=True)
        names = self.param_convertors.keys()
        paths = {name: TypeAdapter(hints[name]).validator.validate_python for name in names}
        validate, endpoint = TypeAdapter(model).validator.validate_python, self.endpoint
        asks_who = "who" in hints

        async def handle(request: Request) -> Response:
            scope = request.scope
            try:
                if scope["query_string"]:
                    return await usual(request)
                given = {n: check(scope["path_params"][n]) for n, check in paths.items()}
                body = validate(scope[PARSED])
                if asks_who:
                    given["who"] = who_sent(scope)
            except (KeyError, ServiceError, ValidationError):
                return await usual(request)
            answered: Response = await endpoint(
                **given, **{body_name: body}, here=request.app.state.server
            )
            return answered

        return handle

    def _body(self) -> tuple[str | None, Any]:
        for name, parameter in inspect.signature(self.endpoint, eval_str=True).parameters.items():
            kind = parameter.annotation
            if inspect.isclass(kind) and issubclass(kind, BaseModel):
                return name, kind
        return None, None
