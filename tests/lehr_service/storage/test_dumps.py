"""Databases as earlier versions left them: upgraded, everything is there and the search goes on.

``dumps/REVISION-DATABASE.sql`` was written by ``lehr serve`` at that schema and dumped when it had
been killed: a study that is done, one under way (a trial complete, pruned, failed, handed back,
running with a checkpoint, enqueued), from 0002 on one in its range test, from 0004 on tokens
(valid, revoked, one that a worker registered with), from 0005 on modules that it could not use.
``make_dumps.py`` writes them.
"""

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from lehr_service.operations import upkeep
from lehr_service.settings import Settings
from lehr_service.storage import schema
from lehr_service.storage.session import Database

from .make_dumps import PROBLEMS

DUMPS = Path(__file__).parent / "dumps"
REVISIONS = ["0001", "0002", "0003", "0004", "0005"]
WITH_TOKENS, WITH_PROBLEMS = REVISIONS[3:], REVISIONS[4:]


def test_there_is_a_dump_of_every_schema():
    found = {tuple(file.stem.split("-")) for file in DUMPS.glob("*.sql")}
    wanted = {(r, kind) for r in schema.known() for kind in ("sqlite", "postgres")}
    assert found == wanted, "make_dumps.py beside this file writes those of the newest schema"


@pytest.fixture(params=REVISIONS)
def old(request, database_url):
    """The URL of a database with that schema, as the version of its time left it."""
    kind = database_url.partition(":")[0]
    kind = "postgres" if kind.startswith("postgres") else kind
    script = (DUMPS / f"{request.param}-{kind}.sql").read_text()
    if kind == "sqlite":
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(script)
    else:
        with psycopg.connect(database_url) as connection:
            connection.execute(script)
    return database_url


@pytest.fixture
def tokens(request, old):
    """By name; none before 0004."""
    revision = request.node.callspec.params["old"]
    kind = request.node.callspec.params["database_url"]
    first = (DUMPS / f"{revision}-{kind}.sql").read_text().partition("\n")[0]
    return json.loads(first.removeprefix("-- tokens: ")) if first.startswith("-- tokens") else {}


def moment(text):
    return datetime.fromisoformat(text)


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def curve(server, number):
    rows = server.http.get(f"/v1/studies/under-way/trials/{number}/reports").json()
    return [(row["step"], row["value"], row["attempt"]) for row in rows]


def test_what_an_earlier_version_left_is_there_and_goes_on(old, tokens, serve, simulated):
    settings = Settings(database_url=old)
    assert not upkeep.check(settings).is_sound or upkeep.check(settings).schema == schema.head()
    done = upkeep.upgrade(settings)
    assert done.after == schema.head()
    assert upkeep.check(settings).findings == []

    server = serve(database_url=old, lease_seconds=30)
    if tokens:
        server.http.headers.update(bearer(tokens["me"]))
    study = server.http.get("/v1/studies/under-way").json()
    counts = {"waiting": 2, "running": 1, "complete": 1, "pruned": 1, "fail": 1}
    assert (study["state"], study["counts"]) == ("active", counts)
    assert study["best"]["number"] == 0
    items = server.http.get("/v1/studies/under-way/trials").json()["items"]
    found = [(t["state"], t["reason"], t["value"], t["attempts"], t["steps"]) for t in items]
    assert found == [
        ("complete", None, 0.6, 1, 3),
        ("pruned", None, None, 1, 1),
        ("fail", "error", None, 1, 1),
        ("waiting", "its worker handed it back; it will run again", None, 1, 1),
        ("running", None, None, 1, 2),
        ("waiting", None, None, 0, 0),
    ]
    assert curve(server, 0) == [(0, 0.5, 1), (1, 0.7, 1), (2, 0.6, 1)]
    assert curve(server, 4) == [(0, 0.25, 1), (1, 0.35, 1)]
    failed = server.http.get("/v1/studies/under-way/trials/2").json()["history"]
    assert [(a["outcome"], a["message"], a["traceback"]) for a in failed] == [
        ("error", "ValueError: no", "Traceback")
    ]
    done = server.http.get("/v1/studies/done").json()
    assert (done["state"], done["best"]["value"]) == ("completed", 0.5)

    server.clock.advance(3600)  # the worker of then is not heard any more
    worker = simulated(server.http)
    ran = {}
    for _ in range(5):
        lease = worker.claim(wait=20)
        ran[lease["trial"]["number"]] = (lease["attempt"], len(lease["reports"]))
        for step in range(len(lease["reports"]), 3):
            worker.report(lease, step, 0.5)
        worker.complete(lease)
    assert ran == {3: (2, 1), 4: (2, 2), 5: (1, 0), 6: (1, 0), 7: (1, 0)}
    study = server.http.get("/v1/studies/under-way").json()
    assert (study["state"], study["counts"]["complete"]) == ("completed", 6)
    assert upkeep.check(settings).findings == []


def test_the_last_checkpoint_is_there(old):
    settings = Settings(database_url=old)
    upkeep.upgrade(settings)
    database = Database(settings.url)
    with database.read() as connection:
        rows = connection.execute(text("SELECT trial, content FROM checkpoints")).all()
    database.close()
    assert [(trial, bytes(content)) for trial, content in rows] == [(4, b"weights")]


@pytest.mark.parametrize("old", WITH_TOKENS, indirect=True)
def test_tokens_do_what_they_did(old, tokens, serve):
    http = serve(database_url=old, lease_seconds=30).http
    assert http.get("/v1/studies").status_code == 401
    assert http.get("/v1/studies", headers=bearer(tokens["gone"])).status_code == 401
    listed = http.get("/v1/tokens", headers=bearer(tokens["me"])).json()["items"]
    known = {token["name"]: token for token in listed}
    assert {name: token["role"] for name, token in known.items()} == {
        "me": "admin",
        "ada": "researcher",
        "gpus": "worker",
        "gone": "viewer",
        "brief": "viewer",
    }
    assert [name for name, token in known.items() if token["revoked_at"]] == ["gone"]
    assert [name for name, token in known.items() if token["expires_at"]] == ["brief"]
    made, ends = (moment(known["brief"][key]) for key in ("created_at", "expires_at"))
    assert (ends - made).days == 30
    assert http.get("/v1/tokens", headers=bearer(tokens["ada"])).status_code == 403
    act = "/v1/studies/under-way/pause"
    assert http.post(act, headers=bearer(tokens["ada"])).json()["state"] == "paused"


@pytest.mark.parametrize("old", WITH_TOKENS, indirect=True)
def test_a_worker_is_still_its_tokens(old, tokens, serve):
    http = serve(database_url=old, lease_seconds=30).http
    (worker,) = http.get("/v1/workers", headers=bearer(tokens["me"])).json()["items"]
    beat = {"url": f"/v1/workers/{worker['id']}/heartbeat", "json": {"attempts": []}}
    another = {"name": "another", "role": "worker", "expires_in": None}
    made = http.post("/v1/tokens", json=another, headers=bearer(tokens["me"])).json()["token"]
    assert http.post(**beat, headers=bearer(made)).status_code == 403
    assert http.post(**beat, headers=bearer(tokens["gpus"])).status_code == 200


@pytest.mark.parametrize("old", WITH_PROBLEMS, indirect=True)
def test_modules_that_a_worker_cannot_use_are_shown(old, tokens, serve):
    http = serve(database_url=old, lease_seconds=30).http
    (worker,) = http.get("/v1/workers", headers=bearer(tokens["me"])).json()["items"]
    assert worker["problems"] == PROBLEMS
