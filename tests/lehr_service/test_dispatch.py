"""Which study gets the next worker, and what a claim waits for."""

import sqlite3
import threading
import uuid
from collections import Counter
from contextlib import closing

import pytest

from lehr_service.api import deps
from lehr_service.operations import dispatch
from lehr_service.storage import studies


@pytest.fixture
def server(serve):
    return serve()


def shares(worker, claims):
    """How many of so many trials, run one after the other, each study gets."""
    return Counter(worker.run_one()["study"] for _ in range(claims))


def test_one_worker_serves_studies_by_weight(server, create, simulated):
    create(server.http, name="light", weight=1)
    create(server.http, name="heavy", weight=3)
    assert shares(simulated(server.http), 40) == {"light": 10, "heavy": 30}


def test_running_trials_are_shared_by_weight(server, create, simulated):
    create(server.http, name="light", weight=1)
    create(server.http, name="heavy", weight=3)
    worker = simulated(server.http)
    assert Counter(worker.claim()["study"] for _ in range(16)) == {"light": 4, "heavy": 12}


def test_a_new_study_does_not_make_up_for_its_absence(server, create, simulated):
    create(server.http, name="old")
    worker = simulated(server.http)
    shares(worker, 20)
    create(server.http, name="new")
    assert shares(worker, 10) == {"old": 5, "new": 5}


def test_a_worker_gets_only_tasks_it_offers(server, create, simulated):
    created = create(server.http, task="other")
    assert "other" in created["reason"]
    assert simulated(server.http).claim() is None
    able = simulated(server.http, "able", tasks={"other": {}})
    assert able.claim() is not None
    assert server.http.get("/v1/studies/study").json()["reason"] is None


def test_parameters_are_held_against_the_tasks_schema(server, definition, simulated):
    schema = {
        "properties": {"units": {"type": "integer", "minimum": 1}},
        "additionalProperties": False,
    }
    simulated(server.http, tasks={"task": schema})
    wrong = definition()
    wrong["search_space"]["parameters"] = {"units": [0, 16], "depth": 3}
    answer = server.http.post("/v1/studies", json=wrong)
    paths = [field["path"] for field in answer.json()["error"]["fields"]]
    assert paths == ["search_space.parameters.units", "search_space.parameters.depth"]
    right = definition()
    right["search_space"]["parameters"] = {"units": [8, 16]}
    assert server.http.post("/v1/studies", json=right).status_code == 201


def test_a_claim_waits_until_there_is_work(server, create, simulated):
    worker, claimed = simulated(server.http), []
    waiting = threading.Thread(target=lambda: claimed.append(worker.claim(wait=30)))
    waiting.start()
    create(server.http)
    waiting.join(10)
    assert claimed[0]["study"] == "study"


def test_one_request_sent_twice_at_once_is_one_lease(server, create, simulated):
    worker, request, claimed = simulated(server.http), str(uuid.uuid4()), []
    threads = [
        threading.Thread(target=lambda: claimed.append(worker.claim(request, wait=30)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    create(server.http)
    for thread in threads:
        thread.join(10)
    assert len({lease["token"] for lease in claimed}) == 1
    assert server.http.get("/v1/studies/study").json()["counts"]["running"] == 1


def test_a_draining_worker_gets_nothing_and_hears_of_it(server, create, simulated):
    worker = simulated(server.http)
    assert server.http.post(f"/v1/workers/{worker.id}/drain").json()["state"] == "draining"
    create(server.http)
    assert worker.claim(wait=30) is None
    assert worker.heartbeat().json()["drain"] is True


def test_an_unknown_worker_is_told_to_register(server, create):
    create(server.http)
    url = f"/v1/workers/{uuid.uuid4().hex}"
    body = {"request_id": str(uuid.uuid4())}
    for answer in (server.http.post(f"{url}/claim", json=body), server.http.post(f"{url}/drain")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "worker_unknown")


@pytest.mark.parametrize(
    "reference", ["http://127.0.0.1:1/schema", "#/nowhere", "#/allOf/x", "http://["]
)
def test_a_schema_that_does_not_stand_alone_is_refused(server, reference):
    tasks = {"task": {"properties": {"units": {"$ref": reference}}}}
    answer = server.http.post("/v1/workers", json={"name": "worker", "tasks": tasks})
    assert answer.status_code == 422
    assert answer.json()["error"]["fields"][0]["path"] == "tasks.task"


def test_a_schema_may_refer_to_its_own_definitions(server, definition, simulated):
    schema = {
        "$defs": {"Units": {"type": "integer", "minimum": 1}},
        "properties": {"units": {"$ref": "#/$defs/Units"}},
        "required": ["depth"],
    }
    simulated(server.http, tasks={"task": schema})
    study = definition()
    study["search_space"]["parameters"] = {"units": 0}
    assert server.http.post("/v1/studies", json=study).status_code == 422
    study["search_space"]["parameters"] = {"units": 3}
    assert server.http.post("/v1/studies", json=study).status_code == 201


def test_a_misspelt_query_is_refused(server):
    answer = server.http.get("/v1/studies?sate=paused")
    assert answer.json()["error"]["fields"] == [
        {
            "path": "sate",
            "message": "unknown query parameter; known are after, limit and state",
        }
    ]


def test_a_token_of_no_study_is_unknown(server):
    url = f"/v1/attempts/999-{'0' * 32}/complete"
    assert server.http.post(url, json={}).json()["error"]["code"] == "attempt_unknown"


def test_a_claim_that_waits_keeps_an_idle_worker(serve, create, simulated):
    server = serve(lease_seconds=1, heartbeat_seconds=0.5)
    worker = simulated(server.http)
    assert worker.claim(wait=2.5) is None
    create(server.http)
    assert worker.claim() is not None


def test_a_clock_that_is_set_back_makes_no_wait_longer(serve, create, simulated, wait_for):
    server = serve()
    create(server.http, task="another")
    worker = simulated(server.http)
    watch = {"wait": 1, "since_revision": 1000}
    waits = {
        "claim": lambda: worker.claim(wait=1),
        "study": lambda: server.http.get("/v1/studies/study", params=watch).status_code,
    }
    found = {}
    threads = [
        threading.Thread(target=lambda n=name: found.update({n: waits[n]()})) for name in waits
    ]
    for thread in threads:
        thread.start()
    waiting = server.app.state.server.changes._waiting
    wait_for(lambda: len(waiting) == 2)
    server.clock.advance(-3600)
    for thread in threads:
        thread.join(20)
    assert found == {"claim": None, "study": 200}


def test_a_claim_that_waits_keeps_no_lease(serve, create, simulated, wait_for):
    server = serve(lease_seconds=1, heartbeat_seconds=0.5)
    create(server.http, limits={"max_parallel": 1})
    worker, heir = simulated(server.http), simulated(server.http, "heir")
    assert worker.claim() is not None
    waiting = threading.Thread(
        target=lambda: worker.http.post(
            f"/v1/workers/{worker.id}/claim", json={"request_id": str(uuid.uuid4()), "wait": 20}
        )
    )
    waiting.start()
    taken = heir.claim(wait=10)
    waiting.join(25)
    assert (taken["trial"]["number"], taken["attempt"]) == (0, 2)


def test_a_schema_that_fails_in_use_forbids_nothing(server, definition, simulated):
    rule = {"items": {"$ref": "#/nowhere"}}  # looked at only where the value is a list
    simulated(server.http, tasks={"task": {"properties": {"x": rule}}})
    study = definition()
    study["search_space"]["parameters"] = {"x": [["a"], "b"]}
    assert server.http.post("/v1/studies", json=study).status_code == 201


def test_a_claim_that_is_sent_twice_at_once_has_one_lease(server, create, simulated, monkeypatch):
    """One sending is answered between the other's choice of a study and that study's turn."""
    for name in ("one", "two"):
        create(server.http, name=name)
    worker, request = simulated(server.http), str(uuid.uuid4())
    first = worker.claim(request)
    with server.app.state.server.database.read() as connection:
        ids = {name: studies.by_name(connection, name).id for name in ("one", "two")}
    chosen = [ids["two"], ids["one"]] if first["study"] == "one" else [ids["one"], ids["two"]]
    candidates = dispatch.Candidates(chosen)
    monkeypatch.setattr(deps, "choose_studies", lambda _, claims: dict.fromkeys(claims, candidates))
    again = worker.claim(request)
    assert (again["study"], again["token"]) == (first["study"], first["token"])
    counts = [server.http.get(f"/v1/studies/{name}").json()["counts"] for name in ids]
    assert sum(count["running"] for count in counts) == 1


def test_claims_that_come_together_are_looked_up_together(
    serve, create, simulated, wait_for, tmp_path
):
    file = tmp_path / "lehr.db"
    server = serve(database_url=f"sqlite:///{file}", database_wait_seconds=60)
    create(server.http, sampler={"name": "random"})
    lane = server.app.state.server.lanes._lane(1)
    workers = [simulated(server.http) for _ in range(8)]
    said, leases = [], []
    with server.app.state.server.database.write() as connection:  # SQLite's only one
        connection.connection.driver_connection.set_trace_callback(said.append)
    said.clear()
    claims = [
        threading.Thread(target=lambda worker=worker: leases.append(worker.claim(wait=20)))
        for worker in workers
    ]
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        claims[0].start()
        wait_for(lambda: lane.running and not lane.queue)  # it is at the lock
        for claim in claims[1:]:
            claim.start()
        wait_for(lambda: len(lane.queue) == len(claims) - 1)
        other.execute("ROLLBACK")
    for claim in claims:
        claim.join(30)
    assert sorted(lease["trial"]["number"] for lease in leases) == list(range(8))
    for table in ("attempts", "workers"):
        looks = [s for s in said if s.startswith("SELECT") and f"FROM {table} " in s]
        assert len(looks) == 2, looks
    # Those that came while the lock was waited for are of its turn.
    assert said.count("COMMIT") == 1
