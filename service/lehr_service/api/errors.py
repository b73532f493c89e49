"""Every refusal in the one form of ``lehr.wire.errors``."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from lehr.wire.errors import MOST_FIELDS, ErrorAnswer, ErrorBody, found_wrong
from lehr_service.errors import Invalid, Malformed, ServiceError, TooManyRequests, Unavailable
from lehr_service.storage.faults import FileGone, because, told

log = logging.getLogger(__name__)

_CODES = {400: "malformed", 404: "not_found", 405: "method_not_allowed"}


def respond(error: ServiceError, headers: dict[str, str] | None = None) -> Response:
    """The answer to a refused request."""
    headers = dict(headers or {})
    if isinstance(error, Unavailable | TooManyRequests):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = error.answer().model_dump_json()
    return Response(body, error.status, headers, media_type="application/json")


def _response(status: int, code: str, message: str, headers: dict[str, str]) -> Response:
    body = ErrorAnswer(error=ErrorBody(code=code, message=message)).model_dump_json()
    return Response(body, status, headers, media_type="application/json")


def invalid(errors: list[Any]) -> ServiceError:
    """What pydantic found wrong with a request."""
    if any(error["type"] == "json_invalid" for error in errors):
        return Malformed("the body is not valid JSON")
    fields = found_wrong(errors[:MOST_FIELDS])
    named = ", ".join(".".join(map(str, path)) or "body" for path, _ in fields)
    others = len(errors) - MOST_FIELDS
    return Invalid(f"not valid: {named}{f' and {others} more' if others > 0 else ''}", fields)


def _service_error(error: Exception) -> Response:
    return respond(error if isinstance(error, ServiceError) else ServiceError("internal error"))


def _validation_error(error: Exception) -> Response:
    errors = list(error.errors()) if isinstance(error, RequestValidationError) else []
    return respond(invalid(errors))


def _http_exception(error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return respond(ServiceError("internal error"))
    code = _CODES.get(error.status_code, "refused")
    return _response(error.status_code, code, str(error.detail), dict(error.headers or {}))


def _database_error(error: Exception) -> Response:
    log.warning("the database refused: %s", told(error))
    return respond(Unavailable(f"the database does not answer at the moment{because(error)}"))


def unexpected(error: Exception) -> Response:
    """The answer where the server itself is wrong."""
    log.error("an unexpected error", exc_info=error)
    return respond(ServiceError("an unexpected error; the server's log says more"))


_ANSWERS: Final[dict[type[Exception], Callable[[Exception], Response]]] = {
    ServiceError: _service_error,
    RequestValidationError: _validation_error,
    HTTPException: _http_exception,
    DBAPIError: _database_error,
    PoolTimeout: _database_error,
    FileGone: _database_error,
}


async def answered(call: Callable[[], Awaitable[Response]]) -> Response:
    """What an endpoint answers, or the answer to what it raises. Raises what nobody foresaw."""
    try:
        return await call()
    except tuple(_ANSWERS) as error:
        return next(make(error) for kind, make in _ANSWERS.items() if isinstance(error, kind))


def install(app: FastAPI) -> None:
    """Make the application answer every error in the one form."""

    def handler(make: Callable[[Exception], Response]) -> Callable[..., Awaitable[Response]]:
        async def handle(_request: Request, error: Exception) -> Response:
            return make(error)

        return handle

    for kind, make in _ANSWERS.items():
        app.add_exception_handler(kind, handler(make))
