"""An equal range test is taken over; any other is run."""

import copy

from .bowls import (
    ABLE,
    SPACE,
    TESTED,
    different,
    expected,
    finish,
    listed,
    rates,
    shown,
)


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
