"""The keeper of leases against a scripted server."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from tests.lehr_worker.fake_server import Call, FakeServer
from tests.lehr_worker.working import until

from lehr.client import Client
from lehr.wire.workers import Registration
from lehr_worker.leases import Keeper


class Holder:
    """Notes that its lease was lost."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.lost: list[str] = []

    def lose(self, reason: str) -> None:
        self.lost.append(reason)


@pytest.fixture
def leaving() -> threading.Event:
    return threading.Event()


@pytest.fixture
def keeper(server: FakeServer, leaving: threading.Event) -> Iterator[Keeper]:
    server.heartbeat_seconds = 0.05
    with Client(server.url, retry_seconds=0.0, timeout=5.0) as client:
        keeper = Keeper(client, Registration(name="kept", tasks={"light": {}}), leaving)
        keeper.register()
        keeper.start()
        yield keeper
        keeper.end()


def test_one_heartbeat_speaks_for_all_attempts(server: FakeServer, keeper: Keeper) -> None:
    server.live |= {"a", "b"}
    with keeper.holding(Holder("a")), keeper.holding(Holder("b")):
        server.wait_for(lambda: {"attempts": ["a", "b"]} in [c.body for c in _beats(server)])
    count = len(_beats(server))
    server.wait_for(lambda: len(_beats(server)) > count + 1)
    assert _beats(server)[-1].body == {"attempts": []}


def test_only_the_attempt_that_lost_its_lease_is_told(server: FakeServer, keeper: Keeper) -> None:
    server.live.add("kept")
    kept, lost = Holder("kept"), Holder("lost")
    with keeper.holding(kept), keeper.holding(lost):
        until(lambda: lost.lost)
    assert not kept.lost


@pytest.mark.parametrize("mode", ["down", "busy"])
def test_an_outage_ends_nothing(
    server: FakeServer, keeper: Keeper, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.live.add("a")
    holder = Holder("a")
    with keeper.holding(holder):
        server.wait_for(lambda: _beats(server))
        server.change(mode=mode)
        server.wait_for(lambda: server.refused > 3)
        count = len(_beats(server))
        server.change(mode="up")
        server.wait_for(lambda: len(_beats(server)) > count + 1)
    assert not holder.lost
    assert caplog.text.count("no answer to the heartbeat") == 1  # said once, not at each try


def test_answers_that_make_no_sense_end_nothing(server: FakeServer, keeper: Keeper) -> None:
    server.change(deny={"heartbeat": 500})
    denied = server.denied
    server.wait_for(lambda: server.denied > denied + 1)
    count = len(_beats(server))
    server.change(deny={})
    server.wait_for(lambda: len(_beats(server)) > count)


def test_a_worker_that_is_not_known_registers_again_once(
    server: FakeServer, keeper: Keeper
) -> None:
    first = keeper.worker_id
    server.wait_for(lambda: _beats(server))
    with server.news:
        server.workers.clear()
    server.wait_for(lambda: len(server.of("workers")) == 2)
    keeper.register_again(first)  # a claim that was told the same comes too late
    assert len(server.of("workers")) == 2
    server.wait_for(lambda: keeper.worker_id in _beats(server)[-1].path)


def test_the_server_may_ask_the_worker_to_leave(
    server: FakeServer, keeper: Keeper, leaving: threading.Event
) -> None:
    assert not leaving.is_set()
    server.change(draining=True)
    assert leaving.wait(10)


def test_ending_does_not_wait_for_the_next_heartbeat(server: FakeServer) -> None:
    server.heartbeat_seconds = 3600.0
    with Client(server.url, retry_seconds=0.0) as client:
        keeper = Keeper(client, Registration(name="kept", tasks={"light": {}}), threading.Event())
        keeper.register()
        keeper.start()
        server.wait_for(lambda: _beats(server))
        keeper.end()  # would hang


def _beats(server: FakeServer) -> list[Call]:
    return server.of("heartbeat")
