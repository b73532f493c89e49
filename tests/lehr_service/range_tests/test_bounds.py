"""Bounds that range tests found narrow the search on every server; given rates run as given."""

import pytest

from .bowls import ABLE, SPACE, TESTED, expected, finish, listed, rates


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
