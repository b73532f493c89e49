"""Bodies that are malformed, of another kind, or too large."""

import pytest

from .refusals import JSON, STUDIES, body_of, is_empty, refusal

MALFORMED = {
    "no JSON": (b"name: x", "line 1, column 1"),
    "cut off": (b'{"name": "x"', "line 1, column"),
    "two values": (b"{} {}", "Extra data"),
    "lists 100,000 deep": (b"[" * 100_000, "nested deeper than 32"),
    "closed lists 33 deep": (b"[" * 33 + b"]" * 33, "nested deeper than 32"),
    "objects 10,000 deep": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested deeper than 32"),
    "an integer of 5,000 digits": (b'{"weight": ' + b"9" * 5000 + b"}", "too many digits"),
    "a key twice": (b'{"name": "a", "task": "b", "name": "c"}', "'name' is given twice"),
    "a key twice, inside": (b'{"labels": {"a": "1", "a": "2"}}', "'a' is given twice"),
    "a key twice, by its escape": (b'{"name": "a", "n\\u0061me": "c"}', "given twice"),
    "NUL": (b'{"name": "a\\u0000b"}', "NUL characters"),
    "NUL in a key": (b'{"labels": {"\\u0000": "a"}}', "NUL characters"),
    "a lone surrogate": (b'{"name": "\\ud800"}', "lone surrogates"),
    "a lone surrogate in capitals": (b'{"name": "\\uDFFF"}', "lone surrogates"),
    "a lone surrogate, raw": (b'{"name": "\xed\xa0\x80"}', "not UTF-8 at byte 10"),
    "Latin-1": (b'{"name": "\xe9"}', "not UTF-8"),
    "UTF-16": ('{"name": "a"}'.encode("utf-16"), "not UTF-8"),
    "a raw NUL": (b'{"name": "\x00"}', "not valid JSON"),
}


def test_malformed_bodies_are_refused(http):
    for url in (STUDIES, "/v1/workers", f"/v1/workers/{'0' * 32}/claim"):
        for body, says in MALFORMED.values():
            error = refusal(http.post(url, content=body, headers=JSON), 400)
            assert error.code == "malformed"
            assert says in error.message
    assert is_empty(http)


def test_text_that_can_be_stored_is_stored_as_it_is(http, create):
    labels = {"päir": "\U0001f600", "newline": "a\nb", "quotes": "\"'\\", "escape": "\\u0000"}
    create(http, labels=labels)
    assert http.get(f"{STUDIES}/study").json()["definition"]["labels"] == labels


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"5", b'"text"', b"true"])
def test_a_body_that_is_no_mapping(quick, body):
    for url in (STUDIES, "/v1/workers"):
        (field,) = refusal(quick.post(url, content=body, headers=JSON), 422).fields
        assert field.path == ""
        assert field.message in ("required", "must be a mapping")
    assert is_empty(quick)


def test_of_very_many_wrong_fields_some_are_named(http, create, simulated):
    create(http)
    lease = simulated(http).claim()
    many = {f"field{number}": 1 for number in range(1000)}
    error = refusal(http.post(STUDIES, json=many), 422)
    assert len(error.fields) == 100
    assert error.message.startswith("not valid: ")
    assert error.message.endswith(" more")
    assert (
        len(refusal(http.post(f"{STUDIES}/study/trials", json={"params": many}), 422).fields) == 100
    )
    wrong = [{"step": -1, "value": "x"}] * 1000
    answer = http.post(f"/v1/attempts/{lease['token']}/reports", json={"reports": wrong})
    assert [field.path for field in refusal(answer, 422).fields] == [
        "reports.0.step",
        "reports.0.value",
    ]


def test_a_text_for_the_editor_that_would_take_long_to_read(serve):
    answer = serve().http.post("/pages/definition", json={"text": "#" * 100_001})
    assert "more than 100,000 characters" in refusal(answer, 422).message


def test_a_body_of_another_media_type(quick, definition):
    body = body_of(definition)
    for kind in (None, "text/plain", "application/x-yaml", "application/jsonp"):
        answer = quick.post(STUDIES, content=body, headers={"content-type": kind} if kind else {})
        assert refusal(answer, 415).code == "wrong_media_type"
    assert is_empty(quick)
    charset = {"content-type": "Application/JSON; charset=utf-8"}
    assert quick.post(STUDIES, content=body, headers=charset).status_code == 201


def test_a_body_that_is_too_large(quick, definition):
    fits = body_of(definition).ljust(100_000)
    over = fits + b" "

    def chunks():
        yield over[:50_000]
        yield over[50_000:]

    for content in (over, chunks()):
        error = refusal(quick.post(STUDIES, content=content, headers=JSON), 413)
        assert (error.code, "100000 bytes" in error.message) == ("too_large", True)
    assert is_empty(quick)
    assert quick.post(STUDIES, content=fits, headers=JSON).status_code == 201


def test_a_checkpoint_that_is_too_large(serve, create, simulated):
    http = serve(checkpoint_bytes=1000).http
    create(http)
    url = f"/v1/attempts/{simulated(http).claim()['token']}/checkpoint"
    assert refusal(http.put(url, content=b"x" * 1001), 413).code == "too_large"
    assert http.get(url).status_code == 404
    assert http.put(url, content=b"x" * 1000).status_code == 204
