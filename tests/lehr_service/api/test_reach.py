"""Where a server listens without a token, and what is refused without one."""

import pytest

from lehr_service.app import check_reach
from lehr_service.bootstrap import LocalTokens
from lehr_service.settings import Settings

from .calls import CALLS, STUDIES, code

# Tokens


def test_without_the_token_nothing_is_read_or_written(serve, database_url, definition, simulated):
    http = serve(database_url=database_url, token="secret-token").http
    calls = [line.split() for line in CALLS.split("\n")[1:-1]]
    requests = [(m, path) for ms, path in calls if path.startswith("/v1") for m in ms.split(",")]
    wrong = [None, "", "secret-token", "Bearer", "Bearer secret-toke", "Bearer secret-token2"]
    wrong += ["Bearer  secret-token", "Basic secret-token", "Bearer \xe9"]
    for method, path in requests:
        for token in wrong if path == STUDIES else [None, "Bearer wrong-token"]:
            headers = {} if token is None else {"authorization": token.encode("latin-1")}
            body = definition() if path == STUDIES and method == "POST" else {}
            answer = http.request(method, path, json=body, headers=headers)
            assert code(answer) == (401, "unauthorized"), (method, path, token)
            assert answer.headers["www-authenticate"] == "Bearer"
    assert http.get("/healthz").status_code == http.get("/readyz").status_code == 200
    http.headers["authorization"] = "Bearer secret-token"
    assert http.get(STUDIES).json()["items"] == []
    assert http.post(STUDIES, json=definition()).status_code == 201
    assert simulated(http).run_one(0.5)["state"] == "complete"


def test_a_wrong_token_is_refused_before_the_body_is_looked_at(serve):
    http = serve(token="secret-token", body_bytes=100).http
    for body in (b"[" * 100, b"x" * 1000):
        assert http.post(STUDIES, content=body).status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", ""])
def test_beyond_loopback_a_token_is_needed(host, tmp_path):
    with pytest.raises(SystemExit, match="there are no tokens"):
        check_reach(Settings(host=host, home=tmp_path))
    for given in ({"token": "secret-token"}, {"insecure": True}):
        check_reach(Settings(host=host, home=tmp_path, **given))
    with LocalTokens(Settings(home=tmp_path)) as tokens:
        tokens.create_token("me", "admin")
    check_reach(Settings(host=host, home=tmp_path))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_no_token_is_needed(host, tmp_path):
    check_reach(Settings(host=host, home=tmp_path / "not made"))
    assert not (tmp_path / "not made").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"token": "short"},
        {"port": 70_000},
        {"lease_seconds": 10, "heartbeat_seconds": 10},
        {"body_bytes": 0},
        {"prot": 1},
    ],
)
def test_settings_that_are_wrong(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        Settings(**changes)
