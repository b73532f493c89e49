"""What a worker does with the lease of a range test, with real trainer processes."""

from __future__ import annotations

import os
import signal

import pytest
from tests.lehr_worker.fake_server import FakeServer
from tests.lehr_worker.working import Gate, Work, ends_well


def test_losses_of_every_seed_are_sent_and_the_worker_goes_on(
    server: FakeServer, work: Work
) -> None:
    work()
    server.offer_range_test()
    (call,) = server.wait_for(lambda: server.of("range_test"))
    curves = call.body["curves"]
    assert [curve["seed"] for curve in curves] == [0, 1, 2]
    assert curves[1]["losses"] == [1 + 1 / (i + 1) for i in range(19)] + [None]
    ends_well(server)
    assert not server.of("fail")


def test_heartbeats_speak_for_a_range_test(server: FakeServer, work: Work, gate: Gate) -> None:
    work()
    server.offer_range_test(gate=gate.path)
    assert gate.pid
    server.wait_for(lambda: any("range" in c.body["attempts"] for c in server.of("heartbeat")))
    count = len(server.of("heartbeat"))
    server.wait_for(lambda: len(server.of("heartbeat")) > count + 2)
    gate.open("all")
    server.wait_for(lambda: server.of("range_test"))


def test_a_range_test_whose_lease_is_lost_sends_nothing(
    server: FakeServer, work: Work, gate: Gate
) -> None:
    work()
    server.offer_range_test(gate=gate.path)
    assert gate.pid
    server.live.discard("range")
    server.wait_for(lambda: any("range" in c.body["attempts"] for c in server.of("heartbeat")))
    count = len(server.of("heartbeat"))
    server.wait_for(lambda: len(server.of("heartbeat")) > count + 1)
    gate.open("all")
    ends_well(server)
    assert not [c for c in server.calls if "/range/" in c.path]


@pytest.mark.parametrize(
    ("given", "outcome", "said"),
    [
        ({"raises": "no such layer"}, "error", "RuntimeError: no such layer"),
        ({"hungry": True}, "out_of_memory", "does not fit"),
    ],
)
def test_what_stops_it_is_told(
    server: FakeServer, work: Work, given: dict[str, object], outcome: str, said: str
) -> None:
    work()
    server.offer_range_test(**given)
    (failed,) = server.wait_for(lambda: server.of("fail"))
    assert failed.body["outcome"] == outcome
    assert said in failed.body["message"]
    ends_well(server)


def test_a_trainer_that_is_killed_fails_it(server: FakeServer, work: Work, gate: Gate) -> None:
    work()
    server.offer_range_test(gate=gate.path)
    os.kill(gate.pid, signal.SIGKILL)
    (failed,) = server.wait_for(lambda: server.of("fail"))
    assert failed.body["message"].startswith("the trainer died: SIGKILL")


@pytest.mark.parametrize(("given", "hand_back_seconds"), [({"polls": 1}, 60.0), ({}, 0.3)])
def test_a_worker_that_leaves_hands_it_back(
    server: FakeServer, work: Work, gate: Gate, given: dict[str, int], hand_back_seconds: float
) -> None:
    """Between two seeds, or with its trainer killed where that takes too long."""
    worker = work(drain_seconds=0.0, hand_back_seconds=hand_back_seconds)
    server.offer_range_test(gate=gate.path, **given)
    assert gate.pid
    if given:
        gate.open(0)
    worker.leave()
    assert worker.left() == 0
    (failed,) = server.of("fail")
    assert failed.body["outcome"] == "preempted"
    assert not server.of("range_test")


def test_an_outage_delays_the_result_and_loses_nothing(
    server: FakeServer, work: Work, gate: Gate
) -> None:
    work()
    server.offer_range_test(gate=gate.path)
    assert gate.pid
    server.change(mode="down")
    gate.open("all")
    refused = server.refused
    server.wait_for(lambda: server.refused > refused + 2)
    server.change(mode="up")
    server.wait_for(lambda: server.of("range_test"))


def test_a_refused_result_ends_as_an_error(server: FakeServer, work: Work) -> None:
    server.change(deny={"range_test": 422})
    work()
    server.offer_range_test()
    (failed,) = server.wait_for(lambda: server.of("fail"))
    assert "the server refused what the worker sent" in failed.body["message"]
    ends_well(server)
