"""Server processes as an operator sees them: metrics of replicas, logs, backups under load."""

import json
import sqlite3
import subprocess
import threading
import uuid
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from .conftest import LEHR, Lab, digits

pytestmark = pytest.mark.system


class Worker:
    """A worker that trains nothing."""

    def __init__(self, url):
        self.http = httpx.Client(base_url=url, timeout=60)
        self.id = self.post("/v1/workers", name="w", tasks={"digits_mlp": {}})["id"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.close()

    def post(self, path, **body):
        answer = self.http.post(path, json=body)
        assert answer.status_code in (200, 201, 204), answer.text
        return answer.json() if answer.content else None

    def claim(self, wait=0):
        return self.post(f"/v1/workers/{self.id}/claim", request_id=str(uuid.uuid4()), wait=wait)

    def run_one(self):
        lease = self.claim()
        path = f"/v1/attempts/{lease['token']}"
        for step in range(3):
            self.post(f"{path}/reports", reports=[{"step": step, "value": 0.5}])
        self.post(f"{path}/complete")


def test_replicas_count_together_and_log_as_json(postgres, tmp_path, wait_for):
    """Whichever of them is scraped, it speaks for all."""
    lab = Lab(tmp_path, postgres(), LEHR_REPLICAS="2", LEHR_SAMPLER_PROCESSES="0")
    lab.start("server", "serve", "--log-format", "json", "--log-level", "debug")
    try:
        wait_for(lab.is_ready)
        for _ in range(12):  # each over a connection of its own, so that both answer some
            asked = {"X-Request-ID": "mine-1"}
            answer = httpx.get(f"{lab.url}/v1/studies", headers=asked, timeout=30)
            assert (answer.status_code, answer.headers["X-Request-ID"]) == (200, "mine-1")
        wanted = 'lehr_http_request_seconds_count{method="GET",route="/v1/studies",status="200"} 12'
        for _ in range(4):
            assert wanted in httpx.get(f"{lab.url}/metrics", timeout=30).text
    finally:
        lab.stop()
    lines = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines()]
    assert {"time", "level", "logger", "message"} <= set.intersection(*map(set, lines))
    assert any(line["logger"] == "uvicorn.error" for line in lines)
    mine = [line for line in lines if line.get("request") == "mine-1"]
    assert [line["route"] for line in mine] == ["/v1/studies"] * 12


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_under_load_is_whole(lab, tmp_path, database_url):
    here = lab(LEHR_SAMPLER_PROCESSES="0")
    here.post("/v1/studies", **digits(sampler={"name": "random"}, limits={}))
    over = threading.Event()

    def work():
        with Worker(here.url) as worker:
            while not over.is_set():
                worker.run_one()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for i in range(2):
            target = tmp_path / f"copy{i}.db"
            done = subprocess.run(
                [LEHR, "db", "backup", str(target), "--database-url", database_url, "--json"],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["bytes"] == target.stat().st_size
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert not list(tmp_path.glob(".copy*"))
    checked = subprocess.run(
        [LEHR, "db", "check", "--database-url", f"sqlite:///{target}", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    assert json.loads(checked.stdout)["findings"] == []
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("SELECT count(*) FROM reports").fetchone()[0] > 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_samplers_start_with_the_server(lab, wait_for):
    """Not with the first claim, which would have to wait for them."""
    here = lab(LEHR_SAMPLER_PROCESSES="2")
    children = Path(f"/proc/{here.server.pid}/task/{here.server.pid}/children")

    def samplers():
        lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children.read_text().split()]
        return sum(b"lehr_service.operations.suggesting" in line for line in lines)

    wait_for(lambda: samplers() == 2)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_lost_workers_trial_runs_again(lab):
    """Real time, a short lease; how soon is measured in tests/bench/restart.py."""
    here = lab(LEHR_LEASE_SECONDS="2", LEHR_HEARTBEAT_SECONDS="1", LEHR_SAMPLER_PROCESSES="0")
    here.post("/v1/studies", **digits(limits={"max_trials": 1}))
    with Worker(here.url) as one, Worker(here.url) as other:
        lost = one.claim()
        again = other.claim(wait=60)  # alive by its claim, which waits
    assert again["trial"]["number"] == lost["trial"]["number"] == 0
    assert (lost["attempt"], again["attempt"]) == (1, 2)
    log = (here.folder / "server.log").read_text()
    assert "a worker was not heard of before its deadline" in log
