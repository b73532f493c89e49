"""Lanes: one transaction a batch, restarts and other servers make no difference to a search."""

import asyncio
import threading
from collections import Counter

import pytest

from lehr_service.lanes import Lanes

SAMPLED = {"name": "tpe", "seed": 3, "n_startup_trials": 4}


def worth(params):
    """Some function of the parameters that a search can learn."""
    rate = params.get("sgd.learning_rate") or params["adam.learning_rate"]
    return 1.0 - abs(rate - 0.05)


def run(worker, trials):
    """Run trials one after the other with reports; what was suggested and what was pruned."""
    story = []
    for _ in range(trials):
        lease = worker.claim()
        params = lease["trial"]["params"]
        verdict = "continue"
        for step in range(4):
            verdict = worker.report(lease, step, worth(params) * (step + 1))["verdict"]
            if verdict != "continue":
                break
        else:
            worker.complete(lease)
        story.append((params, verdict))
    return story


FORECAST = {"name": "forecast", "n_min": 3}
PRUNERS = [{"name": n} for n in ("median", "successive_halving", "hyperband")] + [FORECAST]


@pytest.mark.parametrize("pruner", PRUNERS, ids=lambda pruner: pruner["name"])
def test_a_restart_changes_no_suggestion_and_no_verdict(
    serve, create, simulated, postgres, pruner, database_url
):
    one = serve(database_url=postgres())
    create(one.http, sampler=SAMPLED, pruner=pruner)
    unbroken = run(simulated(one.http), 14)

    first = serve(database_url=database_url)
    create(first.http, sampler=SAMPLED, pruner=pruner)
    broken = run(simulated(first.http), 6)
    first.stop()
    second = serve(database_url=database_url)
    broken += run(simulated(second.http), 8)
    assert broken == unbroken
    assert {verdict for _, verdict in unbroken} == {"continue", "prune"}


@pytest.mark.parametrize(
    "pruner", [{"name": "median"}, FORECAST], ids=lambda pruner: pruner["name"]
)
def test_two_servers_in_turn_search_as_one_does(serve, create, simulated, postgres, pruner):
    alone = serve(database_url=postgres())
    create(alone.http, sampler=SAMPLED, pruner=pruner)
    expected = run(simulated(alone.http), 12)

    shared = postgres()
    pair = [serve(database_url=shared) for _ in range(2)]
    create(pair[0].http, sampler=SAMPLED, pruner=pruner)
    workers = [simulated(server.http) for server in pair]
    assert [run(workers[i % 2], 1)[0] for i in range(12)] == expected
    assert {verdict for _, verdict in expected} == {"continue", "prune"}


def test_two_servers_with_eight_workers_hold_max_trials(serve, create, simulated, postgres):
    shared = postgres()
    pair = [serve(database_url=shared) for _ in range(2)]
    create(pair[0].http, limits={"max_trials": 40}, sampler={"name": "random", "seed": 1})
    tokens = []

    def work(server):
        worker = simulated(server.http)
        while lease := worker.claim():
            tokens.append((lease["trial"]["number"], lease["attempt"]))
            for step in range(3):
                worker.report(lease, step, 0.5)
            worker.complete(lease)

    threads = [threading.Thread(target=work, args=(pair[i % 2],)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(tokens) == [(number, 1) for number in range(40)]
    study = pair[1].http.get("/v1/studies/study").json()
    assert (study["state"], study["counts"]["complete"]) == ("completed", 40)
    items = pair[1].http.get("/v1/studies/study/trials?limit=1000").json()["items"]
    assert Counter(trial["steps"] for trial in items) == {3: 40}


def test_lanes_that_are_never_empty_leave_threads_to_the_others(database, study_ids, wait_for):
    ids = study_ids(12)
    answered = asyncio.run(_answers_beside_busy_lanes(database, ids[:8], ids[8:], wait_for))
    assert answered == ids[8:] * 3


async def _answers_beside_busy_lanes(database, busy, others, wait_for):
    lanes, loop = Lanes(database, lease_seconds=30, queue_commands=100), asyncio.get_running_loop()
    over = threading.Event()

    def act(desk):
        """One of a busy lane ends when the next one is there."""
        lane = lanes._lane(desk.study.id)
        if desk.study.id in busy and not over.is_set():
            asyncio.run_coroutine_threadsafe(lanes.submit(desk.study.id, act), loop)
            wait_for(lambda: over.is_set() or lane.queue)
        return desk.study.id

    begun = [asyncio.create_task(lanes.submit(study_id, act)) for study_id in busy]
    answered = []
    try:
        async with asyncio.timeout(60):
            await asyncio.gather(*begun)
            for _ in range(3):
                answered += await asyncio.gather(*(lanes.submit(n, act) for n in others))
    finally:
        over.set()
        await lanes.close()
    return answered


def test_a_server_that_was_down_gives_its_workers_time(serve, create, simulated, tmp_path):
    url = f"sqlite:///{tmp_path / 'lehr.db'}"
    first = serve(database_url=url, lease_seconds=30)
    create(first.http)
    worker = simulated(first.http)
    lease = worker.claim()
    first.stop()
    later = first.clock
    later.advance(3600)
    second = serve(clock=later, database_url=url, lease_seconds=30)
    worker.http = second.http
    assert worker.report(lease, 0, 0.5)["verdict"] == "continue"
    assert worker.heartbeat(lease).json()["stop"] == []
    later.advance(29)
    assert worker.complete(lease)["state"] == "complete"


def test_a_deleted_studys_tokens_fit_no_later_study(serve, create, simulated, database_url):
    server = serve(database_url=database_url)
    create(server.http)
    worker = simulated(server.http)
    lease = worker.claim()
    server.http.post("/v1/studies/study/cancel")
    assert server.http.delete("/v1/studies/study").status_code == 204
    create(server.http)
    again = worker.claim()
    assert again["token"].split("-")[0] != lease["token"].split("-")[0]
    assert worker.send(lease, "complete", value=1.0).status_code == 404
