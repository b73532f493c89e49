"""Range tests come first: who is leased them, and what is searched when they are over."""

import threading
import uuid

import pytest

from lehr.range_tests import growing_rates

from .bowls import ABLE, SPACE, TWO, bowl, curves, expected, finish, listed, rates, shown


def test_a_range_test_comes_first_and_its_bounds_are_searched(server, create, simulated):
    create(server.http, search_space=SPACE, limits={"max_trials": 31})
    worker = simulated(server.http, "tester", abilities=ABLE)
    lease = worker.claim()
    assert {key: lease[key] for key in lease.keys() - {"token", "deadline"}} == {
        "kind": "range_test",
        "attempt": 1,
        "study": "study",
        "task": "task",
        "optimizer": {"name": "adam", "beta_1": 0.95},
        "parameters": {"batch_size": 32, "units": 8},
        "start": 1e-6,
        "end": 1.0,
        "updates": 60,
        "seeds": [0, 1],
    }
    assert worker.claim() is None
    assert simulated(server.http, "other", abilities=ABLE).claim() is None
    assert shown(server)["reason"] == "its range tests come first: 0 of 1 are complete"
    running = server.http.get("/v1/workers").json()["items"][1]
    assert running["abilities"] == ["range_test"]
    assert running["running"] == [
        {"study": "study", "trial": None, "range_test": "adam", "attempt": 1, "steps": 0}
    ]

    done = finish(worker, lease)
    assert done == listed(server)[0]
    assert (done["optimizer"], done["state"], done["message"]) == ("adam", "complete", None)
    assert (done["attempts"], done["worker"], done["reused_from"]) == (1, "tester", None)
    assert done["bounds"] == expected(lease)
    assert [curve["seed"] for curve in done["curves"]] == [0, 1]
    assert done["curves"][0]["losses"] == bowl(lease, 0.01)
    assert done["curves"][0]["learning_rates"] == pytest.approx(growing_rates(1e-6, 1.0, 60))
    suggested = [curve["suggestions"]["steepest"] for curve in done["curves"]]
    assert done["suggestions"]["steepest"]["low"] == min(suggested)
    study = shown(server)
    assert study["reason"] is None
    assert study["range_tests"] == {
        "adam": {"state": "complete", "message": None, "bounds": expected(lease)}
    }

    found = rates(worker, 30)
    search = expected(lease)
    assert len(found) > 5
    assert all(search["low"] <= rate <= search["high"] for rate in found)
    assert max(found) / min(found) > 3, "they are spread within the bounds"
    assert set(worker.claim()) & {"kind"} == set()


def test_a_claim_that_waits_gets_a_trial_when_the_test_is_over(quick, create, simulated):
    create(quick.http, search_space=SPACE)
    worker, plain = simulated(quick.http, abilities=ABLE), simulated(quick.http, "plain")
    lease, claimed = worker.claim(), []
    waiting = threading.Thread(target=lambda: claimed.append(plain.claim(wait=20)))
    waiting.start()
    finish(worker, lease)
    waiting.join(10)
    assert claimed[0]["trial"]["number"] == 0


def test_workers_that_know_trials_only_are_not_leased_tests(quick, create, simulated):
    plain = simulated(quick.http, "plain")
    created = create(quick.http, search_space=SPACE)
    said = "its range tests come first, and no worker that is here runs any of 'task'"
    assert created["reason"] == said
    assert plain.claim() is None
    create(quick.http, name="another")
    assert plain.claim()["study"] == "another"
    simulated(quick.http, "elsewhere", tasks={"other": {}}, abilities=ABLE)
    assert shown(quick)["reason"] == said
    able = simulated(quick.http, "able", abilities=ABLE)
    assert shown(quick)["reason"] == "its range tests come first: 0 of 1 are complete"
    finish(able, able.claim())
    assert {plain.claim()["study"] for _ in range(4)} == {"study", "another"}


def test_tests_of_one_study_run_side_by_side(quick, create, simulated):
    create(quick.http, search_space=TWO, limits={"max_parallel": 2})
    first, second = (simulated(quick.http, name, abilities=ABLE) for name in "ab")
    one, two = first.claim(), second.claim()
    assert [lease["optimizer"]["name"] for lease in (one, two)] == ["sgd", "adam"]
    finish(second, two, lowest=1e-4)
    assert shown(quick)["reason"] == "its range tests come first: 1 of 2 are complete"
    assert first.claim() is None
    finish(first, one, lowest=0.1)
    ends = {test["optimizer"]: test["bounds"] for test in listed(quick)}
    assert ends == {"sgd": expected(one, 0.1), "adam": expected(two, 1e-4)}
    for _ in range(12):
        params = first.run_one()["params"]
        name = params["optimizer"]
        assert ends[name]["low"] <= params[f"{name}.learning_rate"] <= ends[name]["high"]


def test_max_parallel_holds_for_tests(quick, create, simulated):
    create(quick.http, search_space=TWO, limits={"max_parallel": 1})
    first, second = (simulated(quick.http, name, abilities=ABLE) for name in "ab")
    lease = first.claim()
    assert second.claim() is None
    finish(first, lease)
    assert second.claim()["optimizer"]["name"] == "adam"


def test_the_same_request_and_the_same_result_are_answered_the_same(server, create, simulated):
    create(server.http, search_space=SPACE)
    worker, request = simulated(server.http, abilities=ABLE), str(uuid.uuid4())
    lease, again = worker.claim(request), worker.claim(request)
    assert lease["token"] == again["token"]
    assert finish(worker, lease) == finish(worker, lease)
    assert finish(worker, lease, lowest=1e-4)["bounds"] == expected(lease)


def test_a_result_that_is_not_whole_is_refused(quick, create, simulated):
    create(quick.http, search_space=SPACE)
    worker = simulated(quick.http, abilities=ABLE)
    lease = worker.claim()
    flat = [1.0] * 60
    for sent, path in (
        ([(0, flat)], "curves"),
        ([(0, flat), (0, flat)], "curves"),
        ([(0, flat), (1, flat), (2, flat)], "curves"),
        ([(0, flat), (1, flat[1:])], "curves.1.losses"),
        ([], "curves"),
        ([(0, ["low"] * 60)], "curves.0.losses.0"),
    ):
        body = [{"seed": seed, "losses": losses} for seed, losses in sent]
        answer = worker.send(lease, "range_test", curves=body)
        assert answer.status_code == 422
        assert answer.json()["error"]["fields"][0]["path"] == path
        assert listed(quick)[0]["state"] == "running"
    finish(worker, lease)


def test_trials_and_range_tests_are_not_mixed_up(quick, create, simulated):
    create(quick.http, search_space=SPACE)
    worker = simulated(quick.http, abilities=ABLE)
    lease = worker.claim()
    url = f"/v1/attempts/{lease['token']}/checkpoint"
    refused = [
        worker.send(lease, "reports", reports=[{"step": 0, "value": 1.0}]),
        worker.send(lease, "complete", value=1.0),
        quick.http.put(url, content=b"state"),
        quick.http.get(url),
    ]
    finish(worker, lease)
    trial = worker.claim()
    refused.append(worker.send(trial, "range_test", curves=curves(lease)))
    assert [(a.status_code, a.json()["error"]["code"]) for a in refused] == [
        (409, "wrong_kind")
    ] * 5
    details = quick.http.get("/v1/studies/study/trials/0").json()
    assert len(details["history"]) == 1
    assert worker.complete(trial, value=0.5)["state"] == "complete"


def test_an_ability_that_nobody_knows_is_refused(quick):
    body = {"name": "w", "tasks": {"task": {}}, "abilities": ["range_tests"]}
    answer = quick.http.post("/v1/workers", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["fields"][0]["path"] == "abilities.0"
