"""Tokens: made, used, revoked; and that nothing happens without one."""

import contextlib
import sqlite3
import threading

import httpx
import pytest

from lehr.wire.tokens import Role
from lehr_service.api import answers
from lehr_service.domain.tokens import digest, id_of, new_token
from lehr_service.errors import LastAdmin
from lehr_service.operations import tokens as operations
from lehr_service.storage import tokens
from lehr_service.storage.session import Database

ADMIN = {"name": "me", "role": "admin"}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def made(server, **wanted):
    """A token's answer, made by whoever the server's client is."""
    answer = server.http.post("/v1/tokens", json=wanted)
    assert answer.status_code == 201, answer.text
    return answer.json()


def close(server):
    """Make its first token, an admin's, which its client carries from then on."""
    server.http.headers.update(bearer(made(server, **ADMIN)["token"]))
    return server


@pytest.fixture
def closed(serve):
    return close(serve())


def test_a_token_is_random_and_only_its_hash_is_kept():
    tokens = [new_token("a", Role.VIEWER, 0.0, None) for _ in range(100)]
    texts = {text for _, text in tokens}
    assert len(texts) == 100
    for token, text in tokens:
        secret = text.rpartition("_")[2]
        assert len(bytes.fromhex(secret)) * 8 >= 160
        assert id_of(text) == token.id
        assert (token.digest, token.fits(text)) == (digest(text), True)
        assert secret not in repr(token)
        assert not token.fits(text[:-1] + ("0" if text[-1] != "0" else "1"))


def test_however_long_it_takes_who_makes_the_first_token_or_ends_the_own_hears_of_it(
    serve, monkeypatch
):
    """Though neither would be let in again."""
    monkeypatch.setattr(answers, "FRESH_SECONDS", 0.0)
    server = serve()
    mine = made(server, **ADMIN)
    server.http.headers.update(bearer(mine["token"]))
    other = made(server, **ADMIN)
    assert server.http.delete(f"/v1/tokens/{mine['id']}").status_code == 204
    assert server.http.get("/v1/tokens").status_code == 401
    assert server.http.get("/v1/tokens", headers=bearer(other["token"])).status_code == 200


@pytest.mark.parametrize("text", ["", "lehr_", "lehr_1_2", f"lehr_{'a' * 16}_{'A' * 48}", "x" * 70])
def test_other_texts_are_no_tokens(text):
    assert id_of(text) is None


def test_the_first_token_closes_the_server_and_is_shown_once(serve, tmp_path):
    server = serve(database_url=f"sqlite:///{tmp_path / 'lehr.db'}")
    http = server.http
    assert http.get("/v1/studies").status_code == 200
    refused = http.post("/v1/tokens", json={"name": "w", "role": "worker"})
    assert refused.status_code == 422
    assert refused.json()["error"]["fields"][0]["path"] == "role"
    answer = http.post("/v1/tokens", json=ADMIN)
    assert answer.headers["cache-control"] == "no-store"
    text = answer.json()["token"]
    assert http.get("/v1/studies").status_code == 401
    assert http.post("/v1/tokens", json=ADMIN).status_code == 401
    http.headers.update(bearer(text))
    listed = http.get("/v1/tokens")
    assert text not in listed.text
    assert [(t["name"], t["role"], t["revoked_at"]) for t in listed.json()["items"]] == [
        ("me", "admin", None)
    ]
    with contextlib.closing(sqlite3.connect(tmp_path / "lehr.db")) as file:
        rows = file.execute("SELECT * FROM tokens").fetchall()
    assert text.rpartition("_")[2] not in str(rows)
    assert digest(text) in str(rows)


def test_a_revoked_token_is_refused_and_cannot_come_back(closed, wait_for):
    viewer = made(closed, name="eve", role="viewer")
    mine = bearer(viewer["token"])
    assert httpx.get(f"{closed.url}/v1/studies", headers=mine).status_code == 200
    for _ in range(2):
        assert closed.http.delete(f"/v1/tokens/{viewer['id']}").status_code == 204
        refused = httpx.get(f"{closed.url}/v1/studies", headers=mine)
        assert (refused.status_code, "'eve' was revoked" in refused.text) == (401, True)
    listed = closed.http.get("/v1/tokens").json()["items"]
    assert [t["revoked_at"] is not None for t in listed] == [True, False]
    for unknown in ("0" * 16, "me", "a" * 101, "%00", "..%2f"):
        assert closed.http.delete(f"/v1/tokens/{unknown}").status_code in (404, 422), unknown


def test_a_token_ends_when_it_expires(closed):
    short = made(closed, name="short", role="viewer", expires_in="1h")
    mine = bearer(short["token"])
    closed.clock.advance(3590)
    assert httpx.get(f"{closed.url}/v1/studies", headers=mine).status_code == 200
    closed.clock.advance(20)
    refused = httpx.get(f"{closed.url}/v1/studies", headers=mine)
    assert (refused.status_code, "'short' has expired" in refused.text) == (401, True)


def test_a_wrong_wish_names_the_field(closed):
    for wanted, path in (
        ({"name": "", "role": "viewer"}, "name"),
        ({"name": "x" * 101, "role": "viewer"}, "name"),
        ({"name": "line\nfeed", "role": "viewer"}, "name"),
        ({"name": "x", "role": "owner"}, "role"),
        ({"name": "x", "role": "viewer", "expires_in": "soon"}, "expires_in"),
        ({"name": "x", "role": "viewer", "expires_in": -1}, "expires_in"),
        ({"name": "x", "role": "viewer", "token": "mine"}, "token"),
        ({"role": "viewer"}, "name"),
    ):
        refused = closed.http.post("/v1/tokens", json=wanted)
        assert refused.status_code == 422
        assert [f["path"] for f in refused.json()["error"]["fields"]] == [path]
    assert len(closed.http.get("/v1/tokens").json()["items"]) == 1


def test_the_last_admin_stays_unless_there_is_one_by_environment(serve, tmp_path):
    url = f"sqlite:///{tmp_path / 'lehr.db'}"
    closed = close(serve(database_url=url))
    (mine,) = closed.http.get("/v1/tokens").json()["items"]
    refused = closed.http.delete(f"/v1/tokens/{mine['id']}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "last_admin")
    other = serve(database_url=url, token="by environment")
    other.http.headers.update(bearer("by environment"))
    assert other.http.delete(f"/v1/tokens/{mine['id']}").status_code == 204
    assert other.http.get("/v1/studies").status_code == 200


def test_two_admins_cannot_revoke_each_other(database_url):
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    database = Database(url)
    database.migrate()
    made = [new_token(name, Role.ADMIN, 0.0, None)[0] for name in ("one", "other")]
    refused = []

    def revoke(token):
        try:
            with database.write() as connection:
                operations.revoke(connection, token.id, 1.0, keep_an_admin=True)
        except LastAdmin as error:
            refused.append(error)

    with database.write() as connection:
        for token in made:
            tokens.add(connection, token)
    thread = threading.Thread(target=revoke, args=(made[1],))
    with database.write() as connection:
        operations.revoke(connection, made[0].id, 1.0, keep_an_admin=True)
        thread.start()
        thread.join(0.5)
    thread.join(20)
    database.close()
    assert len(refused) == 1


def test_a_revocation_holds_on_every_server_soon_and_a_new_token_at_once(
    serve, database_url, wait_for
):
    closed, other = close(serve(database_url=database_url)), serve(database_url=database_url)
    for _ in range(5):  # the other server knows the tokens of a moment ago
        worker = made(closed, name="w", role="viewer")
        mine = bearer(worker["token"])
        assert other.http.get("/v1/studies", headers=mine).status_code == 200
    closed.http.delete(f"/v1/tokens/{worker['id']}")
    wait_for(lambda: other.http.get("/v1/studies", headers=mine).status_code == 401, 10)


def test_no_query_for_a_request(closed, monkeypatch):
    looks, every = [], tokens.every
    monkeypatch.setattr(tokens, "every", lambda c: looks.append(1) or every(c))
    with httpx.Client(base_url=closed.url, headers=closed.http.headers) as http:
        for _ in range(100):
            assert http.get("/openapi.json").status_code == 200
    assert len(looks) < 50


def test_who_watches_hears_that_the_database_is_gone(closed, monkeypatch):
    """By the tokens of before; nobody else is let in, and nothing else is answered."""
    viewer, worker = made(closed, name="v", role="viewer"), made(closed, name="w", role="worker")
    closed.http.get("/metrics", headers=bearer(viewer["token"]))

    def gone(_connection):
        raise sqlite3.OperationalError

    monkeypatch.setattr(tokens, "every", gone)
    closed.app.state.server.keyring._read_at = float("-inf")
    said = {
        "viewer": closed.http.get("/metrics", headers=bearer(viewer["token"])).status_code,
        "worker": closed.http.get("/metrics", headers=bearer(worker["token"])).status_code,
        "wrong": closed.http.get("/metrics", headers=bearer("lehr_1_2")).status_code,
        "studies": closed.http.get("/v1/studies", headers=bearer(viewer["token"])).status_code,
    }
    assert said == {"viewer": 200, "worker": 403, "wrong": 401, "studies": 503}


def test_the_last_use_is_noted(closed, wait_for):
    worker = made(closed, name="w", role="viewer")
    assert worker["last_used_at"] is None
    httpx.get(f"{closed.url}/v1/studies", headers=bearer(worker["token"]))

    def noted():
        listed = closed.http.get("/v1/tokens").json()["items"]
        return next(t for t in listed if t["id"] == worker["id"])["last_used_at"]

    assert wait_for(noted) >= worker["created_at"]


class Reader(threading.Thread):
    """Reads the event stream of a study until it ends."""

    def __init__(self, url, headers=None):
        super().__init__(daemon=True)
        self.url, self.headers, self.told = url, headers, []

    def run(self):
        url = f"{self.url}/v1/studies/study/events"
        with httpx.stream("GET", url, headers=self.headers, timeout=60) as events:
            for line in events.iter_lines():
                self.told.append(line)


def test_what_goes_on_ends_with_its_token(closed, create, wait_for):
    """An event stream, and an answer that is waited for, begun before the revocation."""
    create(closed.http)
    viewer = made(closed, name="eve", role="viewer")
    mine, waited = bearer(viewer["token"]), []
    reader = Reader(closed.url, mine)

    def wait():
        query = {"wait": 3, "since_revision": 10_000}
        url = f"{closed.url}/v1/studies/study"
        waited.append(httpx.get(url, params=query, headers=mine, timeout=30))

    waiter = threading.Thread(target=wait)
    waiter.start()
    reader.start()
    wait_for(lambda: any(line.startswith("event: ") for line in reader.told))
    closed.http.delete(f"/v1/tokens/{viewer['id']}")
    number = iter(range(100_000))

    def is_over():
        labels = {"secret": f"change-{next(number)}"}
        assert closed.http.patch("/v1/studies/study", json={"labels": labels}).status_code == 200
        return not reader.is_alive()

    wait_for(is_over, 20)
    assert f"change-{next(number) - 1}" not in "\n".join(reader.told)
    waiter.join(20)
    assert waited[0].status_code == 401


def test_an_open_stream_ends_when_the_server_is_closed(serve, create, wait_for):
    server = serve()
    create(server.http)
    reader = Reader(server.url)
    reader.start()
    wait_for(lambda: reader.told)
    close(server)

    def is_over():
        server.http.patch("/v1/studies/study", json={"labels": {"x": str(len(reader.told))}})
        return not reader.is_alive()

    wait_for(is_over, 20)


def test_a_server_whose_tokens_were_all_deleted_stays_closed_beyond_loopback(serve, tmp_path):
    server = serve(database_url=f"sqlite:///{tmp_path / 'lehr.db'}", host="0.0.0.0")
    assert server.http.get("/v1/studies").status_code == 401
    assert server.http.post("/v1/tokens", json=ADMIN).status_code == 401
    insecure = serve(host="0.0.0.0", insecure=True)
    assert insecure.http.get("/v1/studies").status_code == 200
