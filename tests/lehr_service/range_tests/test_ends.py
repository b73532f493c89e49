"""How range tests end: lost, handed back, failed, without a suggestion, with their study."""

import pytest

from lehr.range_tests import bounds, cut, growing_rates, spreads

from .bowls import ABLE, SPACE, TWO, curves, different, expected, finish, listed, rates, shown


def test_a_lost_workers_test_runs_again_and_the_zombie_is_refused(server, create, simulated):
    create(server.http, search_space=SPACE)
    dead = simulated(server.http, "dead", abilities=ABLE)
    heir = simulated(server.http, "heir", abilities=ABLE)
    lease = dead.claim()
    server.clock.advance(20)
    assert dead.heartbeat(lease).json()["stop"] == []
    server.clock.advance(20)
    heir.register()
    assert heir.claim() is None
    server.clock.advance(11)
    heir.register()
    taken = heir.claim(wait=10)
    assert (taken["kind"], taken["attempt"]) == ("range_test", 2)
    zombie = dead.send(lease, "range_test", curves=curves(lease, 1e-4))
    assert (zombie.status_code, zombie.json()["error"]["code"]) == (409, "lease_lost")
    assert dead.send(lease, "fail", outcome="error").status_code == 409
    assert heir.heartbeat(lease, taken).json()["stop"] == [lease["token"]]
    assert finish(heir, taken)["bounds"] == expected(taken)
    (test,) = listed(server)
    assert (test["attempts"], test["worker"], test["state"]) == (2, "heir", "complete")


def test_a_test_whose_workers_are_lost_too_often_fails_the_study(
    quick, create, simulated, wait_for
):
    create(quick.http, search_space=TWO, retry={"max_attempts": 2})
    other = simulated(quick.http, "other", abilities=ABLE)
    for _ in range(2):
        simulated(quick.http, abilities=ABLE).claim(wait=5)
        quick.clock.advance(61)
        wait_for(lambda: shown(quick)["range_tests"]["sgd"]["state"] != "running")
    study = shown(quick)
    assert (study["state"], study["reason"]) == (
        "failed",
        "the range test of sgd failed: its worker was lost 2 times (max_attempts)",
    )
    assert [test["state"] for test in listed(quick)] == ["failed", "failed"]
    other.register()
    assert other.claim() is None


def test_a_test_that_is_handed_back_waits_again_and_counts_as_no_loss(quick, create, simulated):
    create(quick.http, search_space=SPACE, retry={"max_attempts": 1})
    worker = simulated(quick.http, abilities=ABLE)
    for attempt in (1, 2, 3):
        lease = worker.claim()
        assert lease["attempt"] == attempt
        answer = worker.send(lease, "fail", outcome="preempted")
        assert (answer.status_code, answer.json()["state"]) == (200, "waiting")
    assert "handed it back" in listed(quick)[0]["message"]
    assert worker.send(lease, "range_test", curves=curves(lease)).status_code == 409


@pytest.mark.parametrize("outcome", ["error", "out_of_memory"])
def test_what_stops_a_test_fails_the_study_and_says_why(quick, create, simulated, outcome):
    create(quick.http, search_space=TWO)
    worker, other = (simulated(quick.http, name, abilities=ABLE) for name in "ab")
    running, lease = worker.claim(), other.claim()
    body = {"outcome": outcome, "message": "ValueError: no such layer\nmore", "traceback": "t"}
    first = other.send(lease, "fail", **body)
    assert first.status_code == 200
    assert other.send(lease, "fail", **body).json() == first.json()
    assert first.json()["state"] == "failed"
    study = shown(quick)
    named = outcome.replace("_", " ")
    assert study["state"] == "failed"
    assert study["reason"] == f"the range test of adam failed: {named}: ValueError: no such layer"
    assert listed(quick)[0]["message"] == "cancelled with its study"
    assert worker.heartbeat(running).json()["stop"] == [running["token"]]
    assert worker.send(running, "range_test", curves=curves(running)).status_code == 409


def test_a_test_that_suggests_nothing_leaves_all_rates_to_the_search(quick, create, simulated):
    worker = simulated(quick.http, abilities=ABLE)
    for way in ("flat", "nan", "diverged"):
        create(quick.http, name=way, **different(parameters={"units": len(way)}))
        lease = worker.claim()
        if way == "diverged":
            answer = worker.send(lease, "fail", outcome="diverged", message="no number")
            assert worker.send(lease, "fail", outcome="diverged").json() == answer.json()
        else:
            loss = 1.0 if way == "flat" else None
            flat = [{"seed": s, "losses": [loss] * 60} for s in lease["seeds"]]
            answer = worker.send(lease, "range_test", curves=flat)
        assert answer.status_code == 200
        test = answer.json()
        assert (test["state"], test["suggestions"]) == ("complete", {})
        assert test["bounds"] == {"low": 1e-6, "high": 1.0}
        reason = shown(quick, way)["reason"]
        assert reason.startswith("the range test of adam: no suggestion: ")
        assert reason.endswith("all rates from 1e-06 to 1 are searched")
        if way == "diverged":
            assert any(rate < 1e-4 for rate in rates(worker, 40))
        quick.http.post(f"/v1/studies/{way}/cancel")


def test_seeds_that_suggest_nothing_do_not_count(quick, create, simulated):
    create(quick.http, search_space=SPACE)
    worker = simulated(quick.http, abilities=ABLE)
    lease = worker.claim()
    sent = curves(lease)
    sent[1]["losses"] = [None] * 60
    test = worker.send(lease, "range_test", curves=sent).json()
    assert [curve["suggestions"] is None for curve in test["curves"]] == [False, True]
    assert test["curves"][1]["losses"] == []
    alone = spreads([cut(growing_rates(1e-6, 1.0, 60), sent[0]["losses"])])
    assert test["bounds"]["low"] == bounds(alone, 1e-6, 1.0).low


@pytest.mark.parametrize(
    ("action", "state"), [("stop", "completed"), ("cancel", "cancelled"), ("pause", "paused")]
)
def test_a_study_ends_with_its_tests_and_a_paused_one_starts_none(
    quick, create, simulated, action, state
):
    create(quick.http, search_space=TWO)
    worker = simulated(quick.http, abilities=ABLE)
    lease = worker.claim()
    assert quick.http.post(f"/v1/studies/study/{action}").json()["state"] == state
    assert worker.claim() is None
    if action == "pause":
        finish(worker, lease)
        quick.http.post("/v1/studies/study/resume")
        assert worker.claim()["optimizer"]["name"] == "adam"
        return
    assert worker.heartbeat(lease).json()["stop"] == [lease["token"]]
    assert worker.send(lease, "range_test", curves=curves(lease)).status_code == 409
    assert {test["message"] for test in listed(quick)} == {"cancelled with its study"}
    assert quick.http.delete("/v1/studies/study").status_code == 204
    assert quick.http.get("/v1/studies/study/range_tests").status_code == 404
