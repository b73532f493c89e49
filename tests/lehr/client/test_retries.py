"""What is sent again after a failure, how often, and after what wait."""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest

from lehr import Client
from lehr.errors import (
    ApiError,
    NotFound,
    ServerUnreachable,
    Unavailable,
)
from lehr.wire.workers import Completion, Failure, NewReport, Registration

from .scripted_server import (
    BUSY,
    NO_WORKERS,
    Script,
    Step,
    Time,
    breaks_off,
    hangs_up,
    refuses,
    says,
)


def test_a_read_is_sent_again_after_503(play, clock: Time) -> None:
    script, client = play(BUSY, BUSY, NO_WORKERS)
    assert list(client.workers()) == []
    assert len(script.heard) == 3
    assert len(clock.slept) == 2


@pytest.mark.parametrize("cut", [hangs_up, breaks_off])
def test_a_read_is_sent_again_after_a_cut_connection(play, cut: Step) -> None:
    script, client = play(cut, NO_WORKERS)
    assert list(client.workers()) == []
    assert len(script.heard) == 2


@pytest.mark.parametrize("status", [429, 502, 504])
def test_proxies_that_are_busy_are_asked_again(play, status: int) -> None:
    script, client = play(says(status, b"<html>"), NO_WORKERS)
    assert list(client.workers()) == []
    assert len(script.heard) == 2


def test_retry_after_is_honoured(play, clock: Time) -> None:
    later = says(503, {"error": {"code": "unavailable", "message": "later"}}, Retry_After="7")
    _, client = play(later, NO_WORKERS)
    list(client.workers())
    assert 7.0 < clock.slept[0] < 7.3


@pytest.mark.parametrize("failure", [BUSY, hangs_up], ids=["busy", "hangs_up"])
def test_the_next_server_is_asked_at_once_and_kept(play, clock: Time, failure: Step) -> None:
    (first, _), (second, _) = play(failure), play(NO_WORKERS, NO_WORKERS)
    with Client(f"{first.url}, {second.url}", sleep=clock.sleep, now=clock.now) as client:
        client._connection._used = 0
        assert [list(client.workers()) for _ in range(2)] == [[], []]
        assert client.server == second.url
    assert (len(first.heard), len(second.heard), clock.slept) == (1, 2, [])


def test_where_every_server_fails_there_is_a_wait_between_rounds(play, clock: Time) -> None:
    (first, _), (second, _) = play(BUSY, NO_WORKERS), play(BUSY, NO_WORKERS)
    with Client(f"{first.url},{second.url}", sleep=clock.sleep, now=clock.now) as client:
        assert list(client.workers()) == []
    assert len(clock.slept) == 1
    assert len(first.heard) + len(second.heard) == 3


def test_what_may_not_happen_twice_goes_to_one_server_only(play, clock: Time) -> None:
    (first, _), (second, _) = play(hangs_up), play(hangs_up)
    with (
        Client(f"{first.url},{second.url}", sleep=clock.sleep, now=clock.now) as client,
        pytest.raises(ServerUnreachable),
    ):
        client.register(Registration(name="w", tasks={"t": {}}))
    assert len(first.heard) + len(second.heard) == 1


def test_waits_double_with_jitter_up_to_ten_seconds(play, clock: Time) -> None:
    _, client = play(*[BUSY] * 40, retry_seconds=120)
    with pytest.raises(Unavailable, match="later"):
        list(client.workers())
    bounds = [min(0.2 * 2**n, 10.0) for n in range(len(clock.slept))]
    assert all(b / 2 <= s <= b for s, b in zip(clock.slept, bounds, strict=True))
    assert len(set(clock.slept)) == len(clock.slept)
    assert 105 < clock.seconds <= 120


def test_a_sleep_that_is_interrupted_ends_the_retries(play) -> None:
    script, _ = play(BUSY, NO_WORKERS)
    stop = threading.Event()
    stop.set()
    with Client(script.url, sleep=stop.wait) as client, pytest.raises(Unavailable):
        list(client.workers())
    assert len(script.heard) == 1


@pytest.mark.parametrize("failure", [BUSY, hangs_up, breaks_off])
@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.enqueue("s", {}),
        lambda c: c.pause("s"),
        lambda c: c.stop_trial("s", 0),
        lambda c: c.delete_study("s"),
    ],
)
def test_what_may_not_happen_twice_is_sent_once(play, failure: Step, call) -> None:
    script, client = play(failure)
    with pytest.raises((Unavailable, ServerUnreachable)):
        call(client)
    assert len(script.heard) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.create_study({}, validate_only=True),
        lambda c: c.claim("w", uuid4()),
        lambda c: c.heartbeat("w", []),
        lambda c: c.report("t", [NewReport(step=0, value=1.0)]),
        lambda c: c.complete("t", Completion()),
        lambda c: c.fail("t", Failure(outcome="error")),
        lambda c: c.save_checkpoint("t", b"x"),
        lambda c: c.load_checkpoint("t"),
        lambda c: c.change_study("s", weight=2.0),
        lambda c: c.drain("w"),
    ],
)
def test_what_may_happen_twice_is_sent_again_unchanged(play, call) -> None:
    script, client = play(hangs_up, BUSY, refuses(404))
    with pytest.raises(NotFound):
        call(client)
    assert len(script.heard) == 3
    assert script.heard[0][3] == script.heard[1][3] == script.heard[2][3]


def test_a_refused_connection_is_tried_again_even_for_what_may_not_happen_twice(
    play, clock: Time
) -> None:
    script = Script()
    url = script.url
    script.server_close()
    with (
        Client(url, retry_seconds=5, sleep=clock.sleep, now=clock.now) as client,
        pytest.raises(ServerUnreachable, match=f"no lehr server answers at {url} .*refused"),
    ):
        client.enqueue("s", {})
    assert len(clock.slept) > 3


def test_other_refusals_are_not_tried_again(play) -> None:
    script, client = play(refuses(500))
    with pytest.raises(ApiError):
        list(client.workers())
    assert len(script.heard) == 1
