"""What the client sends, and how it reads pages, fronts and checkpoints."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import pytest

from lehr import Client
from lehr.errors import (
    CorruptCheckpoint,
    LehrError,
    NotFound,
)
from lehr.wire.trials import Trial
from lehr.wire.workers import Completion

from .scripted_server import NO_WORKERS, TRIAL, Step, refuses, says


def test_fields_that_a_newer_server_adds_are_left_out(play) -> None:
    trial = TRIAL | {"added": {"by": "a newer one"}}
    _, client = play(says(200, {"items": [trial], "next": None, "added": 1}))
    assert [found.number for found in client.trials("s")] == [0]


def test_names_are_quoted_and_absent_parameters_left_out(play) -> None:
    script, client = play(refuses(404))
    with pytest.raises(NotFound):
        client.study("a b/c?d")
    assert script.heard[0][1] == "/v1/studies/a%20b%2Fc%3Fd"


def test_the_environment_names_server_and_token(play, monkeypatch: pytest.MonkeyPatch) -> None:
    script, _ = play(NO_WORKERS, NO_WORKERS)
    monkeypatch.setenv("LEHR_SERVER", script.url.removeprefix("http://") + "/")
    monkeypatch.setenv("LEHR_TOKEN", "from-the-environment")
    with Client() as client:
        assert client.server == script.url
        list(client.workers())
    with Client(token="given") as client:
        list(client.workers())
    sent = [headers["Authorization"] for _, _, headers, _ in script.heard]
    assert sent == ["Bearer from-the-environment", "Bearer given"]


def test_a_file_holds_the_token(play, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script, _ = play(NO_WORKERS, NO_WORKERS)
    monkeypatch.delenv("LEHR_TOKEN", raising=False)
    monkeypatch.setenv("LEHR_SERVER", script.url)
    file = tmp_path / "token"
    monkeypatch.setenv("LEHR_TOKEN_FILE", str(file))
    with pytest.raises(LehrError, match=r"LEHR_TOKEN_FILE: .* cannot be read"):
        Client()
    file.write_text("\n")
    with pytest.raises(LehrError, match="is empty; write the token into it"):
        Client()
    file.write_text("from-a-file\n")
    with Client() as client:
        list(client.workers())
    monkeypatch.setenv("LEHR_TOKEN", "from-the-environment")
    with Client() as client:
        list(client.workers())
    sent = [headers["Authorization"] for _, _, headers, _ in script.heard]
    assert sent == ["Bearer from-a-file", "Bearer from-the-environment"]


def test_a_proxy_of_the_environment_is_not_asked_for_a_server_on_this_machine(
    play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    _, client = play(NO_WORKERS)
    assert list(client.workers()) == []


def test_what_was_not_given_is_not_sent_but_null_is(play) -> None:
    script, client = play(says(200, TRIAL), says(200, TRIAL), refuses(404))
    client.complete("t", Completion())
    client.complete("t", Completion(value=math.nan))
    with pytest.raises(NotFound):
        client.change_study("s", limits={"timeout": None})
    bodies = [json.loads(body) for *_, body in script.heard]
    assert bodies == [{}, {"value": None}, {"limits": {"timeout": None}}]


def test_a_page_follows_the_other_only_as_far_as_needed(play) -> None:
    def page(numbers: range, after: str | None) -> Step:
        return says(200, {"items": [TRIAL | {"number": n} for n in numbers], "next": after})

    script, client = play(page(range(3), "c1"), page(range(3, 6), None), page(range(3), "c1"))
    assert [t.number for t in client.trials("s", state="complete")] == [0, 1, 2, 3, 4, 5]
    assert [path.partition("?")[2] for _, path, *_ in script.heard] == [
        "state=complete&limit=100",
        "state=complete&limit=100&after=c1",
    ]
    assert [t.number for t in client.trials("s", limit=2)] == [0, 1]
    assert len(script.heard) == 3


def test_best_is_a_trial_or_the_pareto_front(play) -> None:
    _, client = play(says(200, TRIAL), says(200, {"items": [TRIAL, TRIAL]}))
    assert isinstance(client.best("s"), Trial)
    front = client.best("s")
    assert isinstance(front, list)
    assert len(front) == 2


def test_a_checkpoint_that_was_changed_on_the_way_is_refused(play) -> None:
    whole = hashlib.sha256(b"weights").hexdigest()
    _, client = play(
        says(200, b"weights", X_Checkpoint_SHA256=whole),
        says(200, b"weighty", X_Checkpoint_SHA256=whole),
        says(200, b"weights"),
        refuses(404, "no_checkpoint"),
        refuses(404, "attempt_unknown"),
    )
    assert client.load_checkpoint("t") == b"weights"
    for _ in range(2):
        with pytest.raises(CorruptCheckpoint):
            client.load_checkpoint("t")
    assert client.load_checkpoint("t") is None
    with pytest.raises(NotFound):
        client.load_checkpoint("t")
