"""Everything the client raises."""

from __future__ import annotations

from collections.abc import Sequence

from lehr.wire.errors import FieldError


class LehrError(Exception):
    """Base of all errors of lehr's client; ``str(error)`` is written for people."""


class ServerUnreachable(LehrError):
    """No server answered: the connection was refused, cut or timed out."""

    def __init__(self, server: str, cause: str) -> None:
        super().__init__(server, cause)
        self.server = server
        self.cause = cause

    def __str__(self) -> str:
        return f"no lehr server answers at {self.server} ({self.cause})"


class UnexpectedAnswer(LehrError):
    """What answered is not a lehr server of a version this client knows."""


class CorruptCheckpoint(LehrError):
    """The checkpoint's bytes do not have the checksum they were stored with."""


class WaitTimedOut(LehrError, TimeoutError):
    """What was waited for did not happen in the time given."""


class ApiError(LehrError):
    """The server said no.

    ``status`` is the HTTP status, ``code`` the error's name (``study_name_taken``), ``fields`` the
    wrong fields of the request, each with its path.
    """

    def __init__(
        self, status: int, code: str, message: str, fields: Sequence[FieldError] = ()
    ) -> None:
        super().__init__(status, code, message, fields)
        self.status = status
        self.code = code
        self.message = message
        self.fields = tuple(fields)

    def __str__(self) -> str:
        lines = [f"  {f.path}: {f.message}" if f.path else f"  {f.message}" for f in self.fields]
        return "\n".join([self.message, *lines])


class Invalid(ApiError):
    """400 or 422: the request is malformed or holds wrong fields."""


class Unauthorized(ApiError):
    """401 or 403: the token is missing, unknown, or not allowed to do this."""


class NotFound(ApiError):
    """404: there is no such thing."""


class WorkerUnknown(NotFound):
    """The server gave the worker up, or never knew it: register again."""


class Conflict(ApiError):
    """409: not possible in the present state."""


class LeaseLost(Conflict):
    """The attempt holds no lease any more: stop training, nothing it sends is stored."""


class Unavailable(ApiError):
    """429, 502, 503 or 504: try again after ``retry_after`` seconds, where the server named any."""

    retry_after: float | None = None


_BY_CODE: dict[str, type[ApiError]] = {"lease_lost": LeaseLost, "worker_unknown": WorkerUnknown}
_BY_STATUS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    422: Invalid,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def api_error(status: int, code: str, message: str, fields: Sequence[FieldError] = ()) -> ApiError:
    """The error class that fits an answer's code, else its status."""
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, ApiError)
    return kind(status, code, message, fields)
