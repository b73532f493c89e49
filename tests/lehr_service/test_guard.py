"""What is refused before it is looked at, what every answer carries, and what is recorded."""

import json
import logging
import re
import socket
from http.client import HTTPResponse
from itertools import product

import httpx
import pytest

from lehr_service import protocol
from lehr_service.api.audit import without_secrets

HTML = {"Accept": "text/html"}
SECRET = "correct horse battery"


@pytest.fixture
def guarded(serve):
    server = serve(token=SECRET)
    server.http.headers["Authorization"] = f"Bearer {SECRET}"
    return server


# Headers of requests


def test_headers_have_a_limit(serve):
    http = serve().http
    assert http.get("/v1/studies", headers={"X-Long": "x" * 30_000}).status_code == 200
    many = {f"X-{number}": "1" for number in range(90)}
    assert http.get("/v1/studies", headers=many).status_code == 200
    for headers in ({"X-Long": "x" * 33_000}, {f"X-{n}": "1" for n in range(101)}):
        refused = http.get("/v1/studies", headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (431, "headers_too_large")
    assert http.get(f"/v1/studies?{'x' * 33_000}").status_code == 431
    assert http.get(f"/v1/studies/{'x' * 33_000}").status_code == 431


@pytest.fixture
def unfinished(serve, monkeypatch):
    """A connection to a server that has less patience than usual."""
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.3)
    server = serve()
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        yield server, connection


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        (f"GET /v1/studies?{'x' * 70_000} HTTP/1.1", 431, "headers_too_large"),
        ("BREW /v1/studies HTCPCP/1.0", 400, "malformed"),
    ],
)
def test_what_the_parser_does_not_take_is_refused_in_the_one_form(serve, line, status, code):
    host, port = serve().url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(f"{line}\r\nHost: {host}\r\n\r\n".encode())
        answer = HTTPResponse(connection)
        answer.begin()
        assert (answer.status, json.load(answer)["error"]["code"]) == (status, code)


def test_headers_that_never_end_are_cut_off(unfinished):
    server, connection = unfinished
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
    try:
        for _ in range(100):
            connection.sendall(b"x" * 8192)
    except OSError:
        pass  # it was cut off while it was still sending
    else:
        head, body = connection.recv(1000).split(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 431 Request Header Fields Too Large")
        assert json.loads(body)["error"]["code"] == "headers_too_large"
    assert server.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"])
def test_a_connection_that_says_nothing_is_closed(unfinished, sent):
    server, connection = unfinished
    connection.sendall(sent)
    assert connection.recv(100) == b""
    assert server.http.get("/healthz").status_code == 200


POST = b"POST /v1/studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"Content-Length: 100\r\n\r\n",
        POST + CHUNKED + b"1\r\n{\r\n",
    ],
)
def test_a_body_that_does_not_go_on_is_not_waited_for(unfinished, monkeypatch, sent):
    server, connection = unfinished
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.3)
    connection.sendall(sent)
    assert connection.recv(1000) == b""
    assert server.http.get("/healthz").status_code == 200


def test_a_body_may_take_as_long_as_a_slow_line_takes(unfinished, monkeypatch):
    _, connection = unfinished
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "BODY_BYTES_A_SECOND", 1)
    connection.sendall(POST + b"Content-Length: 40\r\n\r\n" + b" " * 38)
    connection.settimeout(2)
    with pytest.raises(TimeoutError):
        connection.recv(1000)
    connection.sendall(b"{}")
    assert connection.recv(1000).startswith(b"HTTP/1.1 422")


def test_large_bodies_pass_the_header_limit(unfinished):
    server, _ = unfinished
    text = "x" * 500_000
    answer = server.http.post("/pages/definition", json={"text": text})
    assert answer.status_code == 422
    for _ in range(3):
        assert server.http.get("/healthz").status_code == 200


def test_who_is_not_known_sends_little(guarded):
    body = b'{"token": "' + b"x" * 5000 + b'"}'
    json = {"Content-Type": "application/json"}
    assert httpx.post(f"{guarded.url}/sign-in", content=body, headers=json).status_code == 413


def test_names_that_are_not_this_machines_are_refused_while_there_are_no_tokens(serve):
    server = serve()
    port = server.url.rpartition(":")[2]
    for host, expected in (
        ("localhost", 200), ("127.0.0.1", 200), (f"localhost:{port}", 200), ("[::1]:80", 200),
        ("lab.localhost", 200), ("evil.example", 403), (f"evil.example:{port}", 403),
        ("127.0.0.1.evil.example", 403), ("localhost.evil.example", 403), ("10.0.0.1", 403),
    ):  # fmt: skip
        answer = server.http.get("/v1/studies", headers={"Host": host})
        assert answer.status_code == expected, host
    assert server.http.get("/healthz", headers={"Host": "evil.example"}).status_code == 200
    closed = serve(token=SECRET)
    named = {"Host": "lab.example", "Authorization": f"Bearer {SECRET}"}
    assert closed.http.get("/v1/studies", headers=named).status_code == 200


# What answers carry


def test_every_answer_carries_what_keeps_browsers_careful(guarded, create):
    create(guarded.http)
    for path in ("/v1/studies", "/nothing", "/healthz", "/", "/static/style.css", "/openapi.json"):
        answer = guarded.http.get(path)
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"], path
        assert len(answer.headers.get_list("cache-control")) == 1
        assert ("no-store" in answer.headers["cache-control"]) == ("static" not in path)
        assert "strict-transport-security" not in answer.headers, "there is no TLS here"
    for path in ("/", "/tokens", "/sign-in", "/workers", "/new", "/studies/none", "/studies/study"):
        answer = guarded.http.get(path, headers=HTML)
        policy = answer.headers["content-security-policy"]
        for part in ("default-src 'none'", "script-src 'self';", "frame-ancestors 'none'"):
            assert part in policy, path
        drawn = path == "/studies/study"
        assert ("unsafe-inline" in policy) == drawn, path
        assert answer.headers["referrer-policy"] == "same-origin"
        assert not re.search(r"<script>|<style|\son\w+=|\sstyle=", answer.text), path


def test_pages_offer_what_their_reader_may(guarded):
    def page(role, path="/"):
        body = {"name": role, "role": role}
        token = guarded.http.post("/v1/tokens", json=body).json()["token"]
        headers = {**HTML, "Authorization": f"Bearer {token}"}
        return httpx.get(f"{guarded.url}{path}", headers=headers)

    links = {role: set(re.findall(r'<a href="(/\w*)"', page(role).text)) for role in
             ("viewer", "researcher", "admin")}  # fmt: skip
    assert "/new" not in links["viewer"]
    assert "/new" in links["researcher"]
    assert "/tokens" not in links["researcher"]
    assert {"/new", "/tokens"} <= links["admin"]
    refused = page("viewer", "/tokens")
    assert (refused.status_code, refused.headers["content-type"][:9]) == (403, "text/html")
    assert "this needs the role admin" in refused.text


def test_workers_do_not_sign_in(guarded):
    body = {"name": "w", "role": "worker"}
    token = guarded.http.post("/v1/tokens", json=body).json()["token"]
    refused = httpx.post(f"{guarded.url}/sign-in", json={"token": token})
    assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
    assert "of a worker" in refused.json()["error"]["message"]


# What is recorded


def test_every_write_is_recorded_with_who_and_what(guarded, create, simulated, caplog, definition):
    caplog.set_level(logging.DEBUG, "lehr.audit")
    http = guarded.http
    made = http.post("/v1/tokens", json={"name": "ann\nroot", "role": "researcher"})
    assert made.status_code == 422
    made = http.post("/v1/tokens", json={"name": "ann", "role": "researcher"}).json()
    http.headers["Authorization"] = f"Bearer {made['token']}"
    create(http)
    http.patch("/v1/studies/study", json={"weight": 2})
    http.post("/v1/studies/study/no%0Aroot%20(admin)")
    http.delete(f"/v1/tokens/{made['token']}")
    http.get("/v1/studies/study")
    httpx.post(f"{guarded.url}/v1/studies/study/pause")
    http.headers["Authorization"] = f"Bearer {SECRET}"
    worker = simulated(http)
    lease = worker.claim()
    worker.report(lease, 0, 0.5)
    worker.complete(lease, value=0.5)
    records = [r for r in caplog.records if r.name == "lehr.audit"]
    told = [(r.who, r.role, r.method, r.path, r.study, r.status) for r in records]
    assert told == [
        ("LEHR_TOKEN", "admin", "POST", "/v1/tokens", None, 422),
        ("LEHR_TOKEN", "admin", "POST", "/v1/tokens", None, 201),
        ("ann", "researcher", "POST", "/v1/studies", None, 201),
        ("ann", "researcher", "PATCH", "/v1/studies/study", "study", 200),
        ("ann", "researcher", "POST", "/v1/studies/study/no%0Aroot%20(admin)", "study", 422),
        ("ann", "researcher", "DELETE", f"/v1/tokens/lehr_{made['id']}_*", None, 403),
        ("nobody", None, "POST", "/v1/studies/study/pause", "study", 401),
        ("LEHR_TOKEN", "admin", "POST", "/v1/workers", None, 201),
        ("LEHR_TOKEN", "admin", "POST", f"/v1/workers/{worker.id}/claim", None, 200),
        ("LEHR_TOKEN", "admin", "POST", "/v1/attempts/*/reports", None, 200),
        ("LEHR_TOKEN", "admin", "POST", "/v1/attempts/*/complete", None, 200),
    ]  # fmt: skip
    routine = [r.path for r in records if r.levelno == logging.DEBUG]
    assert routine == [f"/v1/workers/{worker.id}/claim", "/v1/attempts/*/reports"]
    assert {r.address for r in records} == {"127.0.0.1"}
    assert all("\n" not in r.getMessage() for r in records)


def test_without_tokens_the_machine_is_recorded(serve, create, caplog):
    caplog.set_level(logging.INFO, "lehr.audit")
    create(serve().http)
    (record,) = (r for r in caplog.records if r.name == "lehr.audit")
    assert (record.who, record.role, record.token_id) == ("loopback", "admin", None)


def test_no_token_is_in_any_log(guarded, create, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the test's own client
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    made = guarded.http.post("/v1/tokens", json={"name": "n", "role": "admin"}).json()["token"]
    secret = made.rpartition("_")[2]
    wrong = f"lehr_{'a' * 16}_{'b' * 48}"
    url = guarded.url
    with httpx.Client(base_url=url) as http:
        for token in (made, SECRET, wrong):
            sent = {"Authorization": f"Bearer {token}"}, {"Cookie": f"lehr_token={token}"}, {}
            for method, headers in product(("GET", "POST", "PUT", "DELETE"), sent):
                for path in ("/v1/studies", f"/v1/attempts/{token}/reports", f"/v1/tokens/{token}"):
                    http.request(method, f"{path}?token={token}", headers=headers)
                    http.request(method, f"{path}?{token}", headers=headers)
            http.post("/sign-in", json={"token": token})
            http.cookies.clear()
    assert len(caplog.records) > 50
    assert secret not in caplog.text
    assert "b" * 48 not in caplog.text
    audited = [r for r in caplog.records if r.name == "lehr.audit"]
    assert SECRET not in str([vars(r) for r in audited if "attempts" in r.path])


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v1/attempts/1-abc/reports", "/v1/attempts/*/reports"),
        ("//v1//attempts/1-abc", "//v1//attempts/*"),
        (f"/x/lehr_{'a' * 16}_{'b' * 20}", f"/x/lehr_{'a' * 16}_*"),
        ("/a\r\nb\x1b[0m", "/a%0D%0Ab%1B%5B0m"),
        ("/v1/studies/a.b-c_d", "/v1/studies/a.b-c_d"),
    ],
)
def test_paths_are_recorded_without_secrets_on_one_line(path, shown):
    assert without_secrets(path) == shown
