"""Every refusal in the one form of ``lehr.wire.errors``."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from lehr.wire.errors import ErrorAnswer, ErrorBody, found_wrong
from lehr_service.errors import Invalid, Malformed, ServiceError, TooManyRequests, Unavailable
from lehr_service.storage.session import FileGone, told

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
    fields = found_wrong(errors)
    named = ", ".join(".".join(map(str, path)) or "body" for path, _ in fields)
    return Invalid(f"not valid: {named}", fields)


async def _service_error(_request: Request, error: Exception) -> Response:
    return respond(error if isinstance(error, ServiceError) else ServiceError("internal error"))


async def _validation_error(_request: Request, error: Exception) -> Response:
    errors = list(error.errors()) if isinstance(error, RequestValidationError) else []
    return respond(invalid(errors))


async def _http_exception(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return respond(ServiceError("internal error"))
    code = _CODES.get(error.status_code, "refused")
    return _response(error.status_code, code, str(error.detail), dict(error.headers or {}))


async def _database_error(_request: Request, error: Exception) -> Response:
    log.warning("the database refused: %s", told(error))
    return respond(Unavailable("the database does not answer at the moment"))


def unexpected(error: Exception) -> Response:
    """The answer where the server itself is wrong."""
    log.error("an unexpected error", exc_info=error)
    return respond(ServiceError("an unexpected error; the server's log says more"))


def install(app: FastAPI) -> None:
    """Make the application answer every error in the one form."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(PoolTimeout, _database_error)
    app.add_exception_handler(FileGone, _database_error)
