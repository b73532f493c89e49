"""The ways in which the service refuses, each with its status and code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from lehr.wire.base import Path
from lehr.wire.errors import MOST_FIELDS, ErrorAnswer, ErrorBody, FieldError


class ServiceError(Exception):
    """Base: an answer that is not a success."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(self, message: str, fields: Sequence[tuple[Path, str]] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields

    def answer(self) -> ErrorAnswer:
        fields = [
            FieldError(path=".".join(map(str, path)), message=text)
            for path, text in self.fields[:MOST_FIELDS]
        ]
        return ErrorAnswer(error=ErrorBody(code=self.code, message=self.message, fields=fields))


class NotFound(ServiceError):
    """There is no such thing."""

    status, code = 404, "not_found"


class StudyUnknown(NotFound):
    code = "study_unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no study {name!r}")


class StudyDeleted(NotFound):
    """It was there when the request came."""

    code = "study_unknown"

    def __init__(self) -> None:
        super().__init__("the study was deleted")


class TrialUnknown(NotFound):
    code = "trial_unknown"

    def __init__(self, study: str, number: int) -> None:
        super().__init__(f"study {study!r} has no trial {number}")


class WorkerUnknown(NotFound):
    """The worker was never here, or was given up as lost: it registers again."""

    code = "worker_unknown"

    def __init__(self, worker_id: str) -> None:
        super().__init__(f"no worker {worker_id!r} is registered; register (again)")


class AttemptUnknown(NotFound):
    code = "attempt_unknown"

    def __init__(self) -> None:
        super().__init__("no attempt has this token")


class NoCompleteTrial(NotFound):
    code = "no_complete_trial"

    def __init__(self, study: str) -> None:
        super().__init__(f"no trial of study {study!r} is complete yet")


class NoCheckpoint(NotFound):
    code = "no_checkpoint"

    def __init__(self) -> None:
        super().__init__("the trial has no checkpoint")


class Conflict(ServiceError):
    """Not in this state."""

    status, code = 409, "conflict"


class StudyNameTaken(Conflict):
    code = "study_name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"another study is named {name!r}; choose another name, or delete that study",
            [(("name",), "is taken by a study with another definition")],
        )


class InvalidTransition(Conflict):
    code = "invalid_transition"


class StudyActive(Conflict):
    code = "study_active"

    def __init__(self, name: str, state: str) -> None:
        super().__init__(f"study {name!r} is {state}; cancel it before deleting it")


class LimitReached(Conflict):
    code = "limit_reached"


class LeaseLost(Conflict):
    """The attempt holds no lease any more; nothing it sends is stored."""

    code = "lease_lost"

    def __init__(self, outcome: str) -> None:
        super().__init__(f"this attempt ended as {outcome}; stop training, nothing is stored")


class WrongKind(Conflict):
    """The attempt is one at a trial, or at a range test, and this is for the other."""

    code = "wrong_kind"

    def __init__(self, kind: str) -> None:
        super().__init__(
            "this attempt runs a range test: send its losses to /v1/attempts/TOKEN/range_test"
            if kind == "range_test"
            else "this attempt trains a trial: it has reports and a completion"
        )


class Malformed(ServiceError):
    status, code = 400, "malformed"


class Unauthorized(ServiceError):
    status, code = 401, "unauthorized"

    NEEDED = "a valid token is needed: set LEHR_TOKEN, or send Authorization: Bearer TOKEN"

    def __init__(self, message: str = NEEDED) -> None:
        super().__init__(message)


class Forbidden(ServiceError):
    status, code = 403, "forbidden"


class ForeignPage(Forbidden):
    def __init__(self) -> None:
        super().__init__("a page of another site must not change anything here")


class ForeignName(Forbidden):
    """A page of another site may have given its own name this machine's address."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"a server without tokens answers to localhost and 127.0.0.1, not to {host!a:.80}; "
            "to reach it by that name, make a token: lehr token create"
        )


class RoleMissing(Forbidden):
    def __init__(self, name: str, role: str, needed: str) -> None:
        super().__init__(f"this needs the role {needed}; the token {name!r} has {role}")


class OthersWorker(Forbidden):
    def __init__(self) -> None:
        super().__init__("this worker was registered with another token; only that one acts for it")


class TooManyRequests(ServiceError):
    """Nothing was done; the same request may be sent again later."""

    status, code = 429, "too_many_requests"

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = max(1, math.ceil(seconds))


class TokenUnknown(NotFound):
    code = "token_unknown"

    def __init__(self, token_id: str) -> None:
        super().__init__(f"there is no token with the id {token_id!r:.80}")


class LastAdmin(Conflict):
    code = "last_admin"

    def __init__(self) -> None:
        super().__init__(
            "this is the last admin token: make another one first, or revoke it on the server's "
            "machine with: lehr token revoke --local"
        )


class HeadersTooLarge(ServiceError):
    status, code = 431, "headers_too_large"

    def __init__(self, count: int, size: int) -> None:
        super().__init__(f"a request may have {count} headers, of {size} bytes together")


class TooLarge(ServiceError):
    status, code = 413, "too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit} bytes")


class WrongMediaType(ServiceError):
    status, code = 415, "wrong_media_type"

    def __init__(self, wanted: str) -> None:
        super().__init__(f"send the body as {wanted}")


class Invalid(ServiceError):
    """The body is well-formed, but what it asks for is not possible."""

    status, code = 422, "invalid"


class Unavailable(ServiceError):
    """Nothing was stored; the same request may be sent again."""

    status, code = 503, "unavailable"
    retry_after_seconds: ClassVar[int] = 1
