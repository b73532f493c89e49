"""Servers of one database: who waits at one hears what happens at another; back pressure."""

import socket
import threading

import pytest
import uvicorn

from lehr_service import app
from lehr_service.api import changes
from lehr_service.replicas import Supervisor
from lehr_service.replicas import serve as run
from lehr_service.settings import Settings


@pytest.fixture
def patient(monkeypatch):
    """Waits end by being told only: looking again by the clock would take longer than a test."""
    monkeypatch.setattr(changes, "ALONE_SECONDS", 300.0)
    monkeypatch.setattr("lehr_service.api.replicas.ALONE_SECONDS", 300.0)
    monkeypatch.setattr("lehr_service.api.replicas.HEARING_SECONDS", 300.0)


def waiting_claim(worker):
    found = []
    thread = threading.Thread(target=lambda: found.append(worker.claim(wait=60)))
    thread.start()
    return thread, found


def hears(server):
    return server.app.state.server.changes.poll_seconds == 300.0


def test_a_claim_that_waits_at_one_server_hears_of_a_study_made_at_another(
    serve, create, simulated, postgres, patient, wait_for
):
    shared = postgres()
    pair = [serve(database_url=shared) for _ in range(2)]
    thread, found = waiting_claim(simulated(pair[0].http))
    wait_for(lambda: pair[0].app.state.server.claims)
    create(pair[1].http)
    thread.join(30)
    assert found[0]["trial"]["number"] == 0


def test_room_made_at_one_server_is_heard_of_at_another(
    serve, create, simulated, postgres, patient, wait_for
):
    shared = postgres()
    pair = [serve(database_url=shared) for _ in range(2)]
    create(pair[0].http, limits={"max_parallel": 1})
    busy = simulated(pair[1].http)
    lease = busy.claim()
    thread, found = waiting_claim(simulated(pair[0].http))
    wait_for(lambda: pair[0].app.state.server.claims)
    busy.complete(lease, value=0.5)
    thread.join(30)
    assert found[0]["trial"]["number"] == 1


def test_a_draining_worker_that_waits_is_answered_wherever_it_is_drained(
    serve, simulated, postgres, patient, wait_for
):
    shared = postgres()
    pair = [serve(database_url=shared) for _ in range(2)]
    worker = simulated(pair[0].http)
    thread, found = waiting_claim(worker)
    wait_for(lambda: pair[0].app.state.server.claims)
    assert pair[1].http.post(f"/v1/workers/{worker.id}/drain").status_code == 200
    thread.join(30)
    assert found == [None]


def test_sqlite_has_one_server_process(tmp_path):
    with pytest.raises(ValueError, match="several replicas need PostgreSQL"):
        Settings(home=tmp_path, replicas=2)
    with pytest.raises(ValueError, match="set port"):
        Settings(database_url="postgresql://x/y", replicas=2, port=0)


TAKEN = "cannot listen on 127.0.0.1:.*: address already in use; choose another with --port"


def test_a_port_that_is_taken_is_said(tmp_path, postgres):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=TAKEN):
            run(Settings(home=tmp_path, port=port))
        with pytest.raises(SystemExit, match=TAKEN):
            Supervisor(Settings(database_url=postgres(), replicas=2, port=port)).run()


def test_the_server_runs_on_uvloop_and_httptools(monkeypatch, tmp_path):
    seen = []

    class Seen(app._UvicornServer):
        def run(self, sockets=None):
            seen.append(self.config)
            self.started = True

    monkeypatch.setattr(app, "_UvicornServer", Seen)
    app.run(Settings(home=tmp_path, port=0))
    (config,) = seen
    config.load()
    bases = config.http_protocol_class.__mro__
    assert [base.__name__ for base in bases[:2]] == ["PatientProtocol", "HttpToolsProtocol"]
    assert isinstance(config, uvicorn.Config)
    assert config.loop == "uvloop"


def test_too_many_requests_under_way_are_told_to_come_back(serve, simulated, wait_for):
    server = serve(open_requests=2)
    workers = [simulated(server.http) for _ in range(2)]
    threads = [waiting_claim(worker)[0] for worker in workers]
    wait_for(lambda: len(server.app.state.server.claims) == 2)
    refused = server.http.get("/v1/studies")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.json()["error"]["code"] == "unavailable"
    server.app.state.server.changes.end()
    for thread in threads:
        thread.join(30)
    assert server.http.get("/v1/studies").status_code == 200


def test_lanes_forget_the_longest_idle_beyond_their_bound(serve, create, simulated):
    server = serve(mirror_trials=5)
    worker = simulated(server.http)
    for name in ("one", "two", "three"):
        create(server.http, name=name, limits={"max_trials": 6})
    for _ in range(9):  # in turn, as shares are equal
        worker.run_one()
    lanes = server.app.state.server.lanes._lanes
    assert sum(lane.known.size for lane in lanes.values()) <= 5
    for _ in range(9):
        assert worker.run_one() is not None
    for name in ("one", "two", "three"):
        assert server.http.get(f"/v1/studies/{name}").json()["state"] == "completed"
