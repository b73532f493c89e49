"""Range tests within a study, over HTTP, on both databases: they come first and narrow the search.

Workers here measure made-up losses: bowls whose lowest point the test chooses.
"""

import copy
import math
import threading
import uuid

import pytest

from lehr.range_tests import bounds, cut, growing_rates, spreads

ABLE = ("range_test",)
TESTED = {"range_test": {"updates": 60, "seeds": 2}}
SPACE = {
    "optimizer": {
        "sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": True}},
        "adam": {"learning_rate": TESTED, "beta_1": 0.95},
    },
    "parameters": {"batch_size": [16, 32, 64], "units": 8},
}
TWO = {"optimizer": {name: {"learning_rate": TESTED} for name in ("sgd", "adam")}}


@pytest.fixture
def server(serve, database_url):
    return serve(database_url=database_url, lease_seconds=30, heartbeat_seconds=10)


@pytest.fixture
def quick(serve):
    """A server on SQLite, where the database makes no difference."""
    return serve(lease_seconds=30, heartbeat_seconds=10)


def bowl(lease, lowest):
    """Losses that fall towards a rate, and rise beyond it."""
    grown = growing_rates(lease["start"], lease["end"], lease["updates"])
    return [2.3 - 1.8 * math.exp(-(math.log10(rate / lowest) ** 2)) for rate in grown]


def curves(lease, lowest=0.01):
    """A bowl for each seed, each a little further to the right."""
    return [{"seed": s, "losses": bowl(lease, lowest * 2**s)} for s in lease["seeds"]]


def expected(lease, lowest=0.01):
    """The bounds that follow from ``curves``."""
    grown = growing_rates(lease["start"], lease["end"], lease["updates"])
    found = spreads([cut(grown, curve["losses"]) for curve in curves(lease, lowest)])
    search = bounds(found, lease["start"], lease["end"])
    return {"low": search.low, "high": search.high}


def finish(worker, lease, lowest=0.01):
    answer = worker.send(lease, "range_test", curves=curves(lease, lowest))
    assert answer.status_code == 200, answer.text
    return answer.json()


def shown(server, name="study"):
    return server.http.get(f"/v1/studies/{name}").json()


def listed(server, name="study"):
    answer = server.http.get(f"/v1/studies/{name}/range_tests")
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def rates(worker, trials, optimizer="adam"):
    """The learning rates of this optimizer among so many new trials."""
    params = [worker.run_one()["params"] for _ in range(trials)]
    name = f"{optimizer}.learning_rate"
    return [point[name] for point in params if name in point]


def different(**changes):
    space = copy.deepcopy(SPACE)
    space["optimizer"]["adam"] |= changes.pop("adam", {})
    space["parameters"] |= changes.pop("parameters", {})
    return {"search_space": space} | changes


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


def test_bounds_outlive_the_server(serve, database_url, create, simulated):
    """Two studies that differ in name only, one of them across restarts, sample the same."""
    server = serve(database_url=database_url)
    tpe = {"name": "tpe", "seed": 7, "n_startup_trials": 4}
    create(server.http, search_space=SPACE, sampler=tpe)
    worker = simulated(server.http, abilities=ABLE)
    finish(worker, worker.claim())
    first = listed(server)
    sampled = [worker.run_one(0.01 * n)["params"] for n in range(4)]
    server.stop()
    server = serve(database_url=database_url)
    worker = simulated(server.http, abilities=ABLE)
    assert listed(server) == first
    sampled += [worker.run_one(0.01 * n)["params"] for n in range(4, 12)]
    assert server.http.post("/v1/studies/study/cancel").status_code == 200
    create(server.http, name="unbroken", search_space=SPACE, sampler=tpe)
    assert [worker.run_one(0.01 * n)["params"] for n in range(12)] == sampled


def test_another_server_searches_within_the_bounds(serve, postgres, create, simulated):
    """Also one whose mirror is from before they were known."""
    database = postgres()
    one, two = serve(database_url=database), serve(database_url=database)
    create(one.http, search_space=SPACE)
    given = {"optimizer": "adam", "adam.learning_rate": 0.9}
    for server in (one, two):
        answer = server.http.post("/v1/studies/study/trials", json={"params": given})
        assert answer.status_code == 201
    worker = simulated(one.http, abilities=ABLE)
    lease = worker.claim()
    finish(worker, lease, lowest=1e-4)
    elsewhere = simulated(two.http)
    assert [elsewhere.run_one()["params"]["adam.learning_rate"] for _ in range(2)] == [0.9, 0.9]
    search = expected(lease, 1e-4)
    found = rates(elsewhere, 20) + rates(worker, 20)
    assert len(found) > 10
    assert all(search["low"] <= rate <= search["high"] for rate in found)


@pytest.mark.parametrize("name", ["tpe", "cmaes", "nsga2"])
def test_rates_that_are_given_run_as_given_whatever_the_sampler(quick, create, simulated, name):
    """Before the test, and after it; a sampler sees those beside the bounds at the bound."""
    sampler = {"name": name, "seed": 7}
    sampler |= {"population_size": 2} if name.startswith("nsga") else {}
    sampler |= {"n_startup_trials": 2} if name == "tpe" else {}
    only = {"optimizer": {"adam": {"learning_rate": TESTED, "beta_2": {"low": 0.9, "high": 0.99}}}}
    create(quick.http, search_space=only, sampler=sampler)
    worker = simulated(quick.http, abilities=ABLE)

    def enqueue(rate):
        body = {"params": {"adam.learning_rate": rate}}
        assert quick.http.post("/v1/studies/study/trials", json=body).status_code == 201

    enqueue(1)
    lease = worker.claim()
    assert lease["kind"] == "range_test", "a test comes before what was enqueued"
    enqueue(1e-6)
    finish(worker, lease)
    enqueue(0.9)
    given = [worker.claim() for _ in range(3)]
    assert [t["trial"]["params"]["adam.learning_rate"] for t in given] == [1.0, 1e-6, 0.9]
    assert [t["optimizer"]["learning_rate"] for t in given] == [1.0, 1e-6, 0.9]
    for index, trial in enumerate(given):
        worker.complete(trial, value=index / 10)
    search = expected(lease)
    assert all(search["low"] <= rate <= search["high"] for rate in rates(worker, 8))


def test_an_equal_test_is_taken_over(server, create, simulated):
    create(server.http, search_space=SPACE)
    worker = simulated(server.http, "first", abilities=ABLE)
    lease = worker.claim()
    done = finish(worker, lease)
    server.http.post("/v1/studies/study/cancel")

    space = copy.deepcopy(SPACE)
    space["optimizer"]["adam"] |= {"beta_2": 0.999}  # Keras's default
    space["parameters"]["batch_size"] = {"low": 16, "high": 64, "log": True, "int": True}
    second = create(server.http, name="second", search_space=space)
    assert (second["reason"], second["range_tests"]["adam"]["state"]) == (None, "complete")
    assert listed(server, "second") == [done | {"reused_from": "study", "attempts": 0}]
    plain = simulated(server.http, "plain")
    found = rates(plain, 20)
    search = expected(lease)
    assert found
    assert all(search["low"] <= rate <= search["high"] for rate in found)

    assert server.http.delete("/v1/studies/study").status_code == 204
    assert listed(server, "second")[0]["curves"] == done["curves"]
    create(server.http, name="third", search_space=SPACE)
    assert listed(server, "third")[0]["reused_from"] == "study"


def test_another_test_is_run(quick, create, simulated):
    create(quick.http, search_space=SPACE)
    worker = simulated(quick.http, tasks={"task": {}, "other": {}}, abilities=ABLE)
    finish(worker, worker.claim())
    quick.http.post("/v1/studies/study/cancel")
    options = TESTED["range_test"]
    for index, changes in enumerate(
        (
            different(adam={"beta_1": 0.9}),
            different(adam={"learning_rate": {"range_test": options | {"end": 10}}}),
            different(adam={"learning_rate": {"range_test": options | {"seeds": 3}}}),
            different(adam={"learning_rate": {"range_test": options | {"updates": 61}}}),
            different(adam={"learning_rate": {"range_test": options | {"reuse": False}}}),
            different(parameters={"batch_size": 64}),
            different(task="other"),
        )
    ):
        name = f"study-{index}"
        create(quick.http, name=name, **changes)
        lease = worker.claim()
        assert (lease["kind"], lease["study"]) == ("range_test", name)
        quick.http.post(f"/v1/studies/{name}/cancel")


def test_what_was_measured_last_is_taken_over(quick, create, simulated):
    create(quick.http, search_space=SPACE)
    worker = simulated(quick.http, abilities=ABLE)
    finish(worker, worker.claim())
    anew = {"learning_rate": {"range_test": TESTED["range_test"] | {"reuse": False}}}
    create(quick.http, name="second", **different(adam=anew))
    lease = worker.claim()
    while "kind" not in lease:
        lease = worker.claim()
    quick.clock.advance(1)
    worker.heartbeat(lease)
    finish(worker, lease, lowest=1e-4)
    create(quick.http, name="third", search_space=SPACE)
    (test,) = listed(quick, "third")
    assert (test["reused_from"], test["bounds"]) == ("second", expected(lease, 1e-4))


def test_a_study_that_waits_takes_over_what_another_one_measures(quick, create, simulated):
    create(quick.http, search_space=SPACE)
    worker, plain = simulated(quick.http, abilities=ABLE), simulated(quick.http, "plain")
    lease = worker.claim()
    create(quick.http, name="second", search_space=SPACE)
    assert plain.claim() is None
    finish(worker, lease)
    leases = [plain.claim() for _ in range(4)]
    assert {lease["study"] for lease in leases} == {"study", "second"}
    assert listed(quick, "second")[0]["reused_from"] == "study"


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


def test_a_study_without_tests_has_none(quick, create):
    create(quick.http)
    assert listed(quick) == []
    assert shown(quick)["range_tests"] == {}


def test_validation_alone_says_that_nobody_can_test(quick, definition, simulated):
    simulated(quick.http)
    body = definition(search_space=SPACE)
    answer = quick.http.post("/v1/studies?validate_only=true", json=body)
    assert "no worker that is here runs any" in answer.json()["reason"]
    assert quick.http.get("/v1/studies").json()["items"] == []


def test_an_ability_that_nobody_knows_is_refused(quick):
    body = {"name": "w", "tasks": {"task": {}}, "abilities": ["range_tests"]}
    answer = quick.http.post("/v1/workers", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["fields"][0]["path"] == "abilities.0"
