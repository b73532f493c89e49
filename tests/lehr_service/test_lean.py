"""The short way of a worker's requests: who takes it, and that it answers as the long one does."""

import pytest
from fastapi.routing import APIRoute

from lehr_service.api import attempts, workers
from lehr_service.api.lean import LeanRoute

TESTED = "complete_range_test"


def test_the_busy_endpoints_take_the_short_way():
    routes = [*attempts.router.routes, *workers.router.routes]
    short = {r.name for r in routes if isinstance(r, LeanRoute) and r.is_lean}
    assert short == {"report", "complete", "fail", "register", "heartbeat", "claim", TESTED}


@pytest.fixture
def both(serve, monkeypatch, tmp_path):
    """A server with the short way and one without."""
    lean = serve(database_url=f"sqlite:///{tmp_path / 'lean.db'}")
    usual = serve(database_url=f"sqlite:///{tmp_path / 'usual.db'}")
    asked = LeanRoute.plainly

    def plainly(route, scope, params):
        short = asked(route, scope, params)
        return None if scope["server"][1] == usual.http.base_url.port else short

    monkeypatch.setattr(LeanRoute, "plainly", plainly)
    return lean, usual


def test_the_short_way_goes_past_the_router(serve, create, simulated, monkeypatch):
    server = serve()
    create(server.http)
    worker = simulated(server.http)
    handle, through_the_router = APIRoute.handle, []

    async def noted(route, scope, receive, send):
        through_the_router.append(route.name)
        await handle(route, scope, receive, send)

    monkeypatch.setattr(APIRoute, "handle", noted)
    path = f"/v1/attempts/{worker.claim()['token']}"
    for step in (0, 1):
        server.http.post(f"{path}/reports", json={"reports": [{"step": step, "value": 0.5}]})
    assert through_the_router == []
    server.http.post(f"{path}/reports?wrong=1", json={"reports": [{"step": 2, "value": 0.5}]})
    assert through_the_router == ["report"]


def test_both_ways_say_the_same(both, create, simulated):
    said = []
    for server in both:
        create(server.http)
        worker = simulated(server.http)
        lease = worker.claim()
        path, me = f"/v1/attempts/{lease['token']}", f"/v1/workers/{worker.id}"
        answers = [
            server.http.post(f"{path}/reports", json={"reports": [{"step": 0, "value": 0.5}]}),
            server.http.post(f"{path}/reports", json={"reports": [{"step": "0", "value": 0.5}]}),
            server.http.post(f"{path}/reports", json={"reports": []}),
            server.http.post(f"{path}/reports", json=[]),
            server.http.post(f"{path}/reports", content=b"{", headers=JSON),
            server.http.post(f"{path}/reports", content=b"", headers=JSON),
            server.http.post(f"{path}/reports?x=1", json={"reports": [{"step": 1, "value": 1}]}),
            server.http.post(f"{path}/reports", json={"reports": [{"step": 9, "value": 1}]}),
            server.http.post("/v1/attempts/nobody/reports", json={"reports": []}),
            server.http.post("/v1/attempts/1-00/complete", json={"value": 1.0}),
            server.http.post(f"{path}/complete", json={"value": "x"}),
            server.http.post(f"{path}/complete", json={"value": 0.5, "more": 1}),
            server.http.post(f"{path}/fail", json={"outcome": "no"}),
            server.http.post(f"{me}/claim", json={"request_id": "x"}),
            server.http.post("/v1/workers/zzz/claim", json={"request_id": "x"}),
            server.http.post("/v1/workers/zzz/heartbeat", json={"attempts": []}),
            server.http.post(f"{path}/complete", json={"value": 0.5}),
        ]
        said.append([(a.status_code, told(a.json(), lease, worker)) for a in answers])
    assert said[0] == said[1]
    assert {status for status, _ in said[0]} == {200, 400, 404, 422}


JSON = {"Content-Type": "application/json"}
MOMENTS = ("deadline", "created_at", "started_at", "finished_at")


def told(body, lease, worker):
    """An answer without what differs between two runs."""
    text = str({key: value for key, value in body.items() if key not in MOMENTS})
    return text.replace(lease["token"], "TOKEN").replace(worker.id, "WORKER")
