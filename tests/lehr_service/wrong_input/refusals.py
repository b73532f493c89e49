"""The one form of errors, and that nothing was stored."""

import json

from lehr.wire.errors import ErrorAnswer

JSON = {"content-type": "application/json"}
STUDIES = "/v1/studies"


def refusal(answer, *statuses):
    """The error of an answer, which must be in the one form."""
    assert answer.status_code in statuses, f"{answer.status_code} {answer.text[:500]}"
    assert answer.headers["content-type"] == "application/json"
    error = ErrorAnswer.model_validate_json(answer.content).error
    assert error.code
    assert error.message
    return error


def body_of(definition, **changes):
    return json.dumps(definition(**changes)).encode()


def is_empty(http):
    lists = [http.get(STUDIES).json(), http.get("/v1/workers").json()]
    return all(found["items"] == [] for found in lists)
