"""Who may what: every route of the application, with every role, and with none."""

import uuid

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import Route

from lehr_service.api.access import TABLE, Access, Least
from lehr_service.app import create_app
from lehr_service.settings import Settings

ROLES = ["viewer", "researcher", "worker", "admin"]
OPEN = {"GET /healthz", "GET /readyz", "GET /sign-in", "POST /sign-in", "GET /static/{name}"}
MEANT = {  # said a second time, by promise: reading, writing, training, the rest
    "viewer": lambda row: row.startswith("GET"),
    "researcher": lambda row: row.startswith("GET") or "/v1/studies" in row,
    "worker": lambda row: "/attempts/" in row or "POST /v1/workers" in row,
    "admin": lambda row: True,
}


def routes_of(app):
    """Rows of all routes of an application, those of included routers with it."""
    waiting, found = list(app.routes), []
    while waiting:
        route = waiting.pop()
        inner = getattr(route, "original_router", None)
        if inner is not None:
            waiting += inner.routes
        else:
            assert isinstance(route, Route), route
            found += [f"{method} {route.path}" for method in route.methods]
    return sorted(found)


ROWS = routes_of(create_app(Settings()))


def test_every_route_has_a_role():
    assert len(ROWS) > 40
    assert [row for row in ROWS if row not in TABLE] == []
    assert {row for row, least in TABLE.items() if least is Least.ANYONE} == OPEN


def test_an_application_with_a_route_of_no_role_does_not_start():
    stranger = APIRoute("/v1/secrets", lambda: None, methods=["GET"])
    with pytest.raises(LookupError, match="GET /v1/secrets is not in the table"):
        Access([stranger])


@pytest.mark.parametrize("role", ROLES)
def test_the_table_is_what_the_roles_mean(role):
    for row, least in TABLE.items():
        if least is Least.ANYONE or row in ("POST /pages/definition", "POST /sign-out"):
            continue
        if least is Least.ADMIN:
            assert least.admits(role) == (role == "admin"), row
        elif least is Least.VIEWER_OR_WORKER:
            assert least.admits(role), row
        elif row == "GET /new":
            assert least.admits(role) == (role in ("researcher", "admin"))
        elif row.startswith("GET /v1/attempts"):
            assert least.admits(role) == (role in ("worker", "admin"))
        elif row.startswith("HEAD"):
            assert least.admits(role) == (role != "worker")
        else:
            assert least.admits(role) == MEANT[role](row), row


@pytest.fixture(scope="module")
def closed(request, tmp_path_factory):
    """A server in a thread, with a token of each role."""
    import threading

    import uvicorn
    from tests.conftest import wait_for

    folder = tmp_path_factory.mktemp("closed")
    settings = Settings(home=folder, token="by environment")
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    http = httpx.Client(base_url=url, headers={"Authorization": "Bearer by environment"})
    tokens = {
        role: http.post("/v1/tokens", json={"name": role, "role": role}).json()["token"]
        for role in ROLES
    }
    yield url, tokens
    http.close()
    server.should_exit = True
    thread.join(20)


def ask(http, row, given=None):
    method, path = row.split()
    for name, value in (given or {}).items():
        path = path.replace(f"{{{name}}}", value)
    path = path.replace("{name}", "style.css" if "static" in path else "nobody")
    path = path.replace("{token}", "1-" + "0" * 32).replace("{worker_id}", "0" * 32)
    path = path.replace("{number}", "0").replace("{action}", "pause").replace("{kind}", "edf")
    path = path.replace("{token_id}", "0" * 16)
    body = {} if method in ("POST", "PATCH") else None
    return http.request(method, path, json=body)


@pytest.mark.parametrize("role", [None, "wrong", *ROLES])
def test_every_route_with_every_role(closed, role):
    url, tokens = closed
    token = {None: None, "wrong": f"lehr_{'0' * 16}_{'0' * 48}"}.get(role, tokens.get(role))
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers) as http:
        for row in ROWS:
            least, status = TABLE[row], ask(http, row).status_code
            assert status < 500, row
            if row == "POST /sign-in":  # wants a token in its body
                assert status == 422
            elif least is Least.ANYONE:
                assert status == 200, row
            elif role in (None, "wrong"):
                assert status == 401, row
            elif least.admits(role):
                assert status not in (401, 403), (row, status)
            else:
                assert status == 403, (row, status)
        for unknown in ("/v1/nothing", "/v1/studies/", "//v1/studies", "/V1/studies", "/admin"):
            expected = 401 if role in (None, "wrong") else 404
            assert http.get(unknown).status_code == expected, unknown


def test_paths_written_otherwise_get_nobody_further(closed):
    url, tokens = closed
    headers = {"Authorization": f"Bearer {tokens['viewer']}"}
    with httpx.Client(base_url=url, headers=headers) as http:
        for path in (
            "/v1/%74okens", "/v1/tokens%2f", "/static/../v1/tokens", "/static/%2e%2e/v1/tokens",
            "/v1/studies/..%2ftokens", "/v1//tokens", "/healthz/../v1/tokens", "/v1/tokens;x",
        ):  # fmt: skip
            target = httpx.URL(url).copy_with(raw_path=path.encode())
            answer = http.get(target)
            assert answer.status_code in (403, 404, 405), path
            assert "created_at" not in answer.text
            assert httpx.get(target).status_code in (401, 404), path


# Workers of their own


class Agent:
    """A worker with a token, which trains nothing."""

    def __init__(self, url, token):
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"})
        answer = self.http.post("/v1/workers", json={"name": "w", "tasks": {"task": {}}})
        assert answer.status_code == 201, answer.text
        self.id = answer.json()["id"]

    def claim(self, worker=None, request=None):
        body = {"request_id": request or str(uuid.uuid4())}
        return self.http.post(f"/v1/workers/{worker or self.id}/claim", json=body)

    def post(self, path, body=None):
        return self.http.post(path, json=body)


@pytest.fixture
def lab(serve, tmp_path, create):
    """A server, a second one on its database, and two workers of two tokens."""
    database_url = f"sqlite:///{tmp_path / 'lab.db'}"
    server = serve(database_url=database_url, token="by environment")
    other = serve(database_url=database_url, token="by environment")
    server.http.headers["Authorization"] = "Bearer by environment"
    create(server.http)
    tokens = [
        server.http.post("/v1/tokens", json={"name": name, "role": "worker"}).json()["token"]
        for name in ("mine", "theirs")
    ]
    agents = [Agent(server.url, token) for token in tokens]
    yield server, other, *agents
    for agent in agents:
        agent.http.close()


def test_a_worker_acts_for_itself_only(lab):
    server, other, mine, theirs = lab
    lease = mine.claim(request="4f6b1a52-6d5c-4c2e-9a55-0a8d1f1f7c11").json()
    attempt, me = f"/v1/attempts/{lease['token']}", f"/v1/workers/{mine.id}"
    report = {"reports": [{"step": 0, "value": 0.5}]}
    with httpx.Client(base_url=other.url, headers=theirs.http.headers) as elsewhere:
        for http in (theirs.http, elsewhere):  # the second server has not seen the claim
            for path, body in (
                (f"{me}/heartbeat", {"attempts": []}),
                (f"{me}/claim", {"request_id": "4f6b1a52-6d5c-4c2e-9a55-0a8d1f1f7c11"}),
                (f"{me}/drain", None),
                (f"{attempt}/reports", report),
                (f"{attempt}/complete", {"value": 1.0}),
                (f"{attempt}/fail", {"outcome": "error"}),
                (f"{attempt}/range_test", {"losses": []}),
            ):
                refused = http.post(path, json=body)
                assert refused.status_code == 403, (path, refused.text)
                assert "registered with another token" in refused.json()["error"]["message"]
            assert http.put(f"{attempt}/checkpoint", content=b"x").status_code == 403
            assert http.get(f"{attempt}/checkpoint").status_code == 403
    trial = server.http.get("/v1/studies/study/trials/0").json()
    assert (trial["state"], trial["steps"]) == ("running", 0)
    assert mine.post(f"{attempt}/reports", report).status_code == 200
    with httpx.Client(base_url=other.url, headers=mine.http.headers) as elsewhere:
        assert elsewhere.post(f"{attempt}/complete", json={"value": 1.0}).status_code == 200
    assert mine.post(f"{me}/drain").status_code == 200


def test_an_admin_may_act_for_all_and_nobody_for_an_admins_worker(lab):
    server, _, mine, theirs = lab
    admins = server.http.post("/v1/workers", json={"name": "a", "tasks": {"task": {}}}).json()["id"]
    assert mine.claim(admins).status_code == 403
    assert server.http.post(f"/v1/workers/{mine.id}/drain").status_code == 200
    body = {"request_id": str(uuid.uuid4())}
    lease = server.http.post(f"/v1/workers/{theirs.id}/claim", json=body).json()
    report = {"reports": [{"step": 0, "value": 0.5}]}
    assert theirs.post(f"/v1/attempts/{lease['token']}/reports", report).status_code == 200


def test_the_owner_of_a_worker_is_looked_up_once(lab, monkeypatch):
    from lehr_service.storage import tokens

    looks, of_attempt, of_worker = [], tokens.of_attempt, tokens.of_worker
    for name, query in (("of_attempt", of_attempt), ("of_worker", of_worker)):
        monkeypatch.setattr(
            tokens, name, lambda c, key, query=query: looks.append(key) or query(c, key)
        )
    _, other, mine, _ = lab
    lease = mine.claim().json()
    path = f"/v1/attempts/{lease['token']}/reports"
    for step in range(3):
        assert mine.post(path, {"reports": [{"step": step, "value": 0.5}]}).status_code == 200
        assert mine.post(f"/v1/workers/{mine.id}/heartbeat", {"attempts": []}).status_code == 200
    assert looks == []
    with httpx.Client(base_url=other.url, headers=mine.http.headers) as elsewhere:
        for _ in range(3):
            elsewhere.post(path, json={"reports": [{"step": 2, "value": 0.5}]})
    assert looks == [lease["token"]]
