"""Each refusal and each wrong answer becomes an error that says what to do."""

from __future__ import annotations

import math
import pickle

import pytest

from lehr import Client
from lehr.errors import (
    ApiError,
    Conflict,
    Invalid,
    LeaseLost,
    LehrError,
    NotFound,
    Unauthorized,
    UnexpectedAnswer,
    WorkerUnknown,
)
from lehr.wire.errors import FieldError

from .scripted_server import refuses, says


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "malformed", Invalid),
        (422, "invalid", Invalid),
        (401, "unauthorized", Unauthorized),
        (403, "forbidden", Unauthorized),
        (404, "study_unknown", NotFound),
        (404, "worker_unknown", WorkerUnknown),
        (409, "study_name_taken", Conflict),
        (409, "lease_lost", LeaseLost),
        (413, "too_large", ApiError),
        (500, "internal", ApiError),
    ],
)
def test_each_refusal_has_its_class(play, status: int, code: str, kind: type[ApiError]) -> None:
    _, client = play(refuses(status, code, "the reason"))
    with pytest.raises(kind) as raised:
        client.pause("s")
    assert type(raised.value) is kind
    assert (raised.value.status, raised.value.code) == (status, code)
    assert str(raised.value) == "the reason"


def test_errors_survive_pickling() -> None:
    error = Invalid(422, "invalid", "not valid", [FieldError(path="a.b", message="required")])
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) == "not valid\n  a.b: required"


def test_something_else_than_lehr_is_named(play) -> None:
    _, client = play(
        says(200, b"<html>hello</html>"),
        says(302, Location="/elsewhere"),
        says(404, b"<html>nothing\nhere</html>"),
    )
    with pytest.raises(UnexpectedAnswer, match="is it a lehr server"):
        client.study("s")
    with pytest.raises(UnexpectedAnswer, match="answered 302"):
        client.study("s")
    with pytest.raises(NotFound, match="answered 404: <html>nothing here</html>"):
        client.study("s")


@pytest.mark.parametrize("server", ["ftp://x", "http://", "http://[::1"])
def test_a_url_that_is_none_is_refused_at_once(server: str) -> None:
    with pytest.raises(LehrError, match="is not a server's URL"):
        Client(server)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_no_path_can_hold_is_refused(name: str) -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(LehrError, match="not a name"):
        client.study(name)


def test_a_body_that_json_cannot_hold_is_refused_before_it_is_sent() -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(LehrError, match="JSON"):
        client.enqueue("s", {"x": math.nan})
