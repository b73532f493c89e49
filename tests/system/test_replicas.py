"""Two server processes on one PostgreSQL, eight workers: limits and leases hold."""

import os
import signal
import threading
import uuid
from pathlib import Path

import httpx
import pytest

from .conftest import Lab, digits

pytestmark = pytest.mark.system


class Worker(threading.Thread):
    """A worker that trains nothing; it notes when it held which trial."""

    def __init__(self, url, clock):
        super().__init__()
        self._http = httpx.Client(base_url=url, timeout=30)
        self._clock = clock
        self.held, self.errors = [], []

    def post(self, path, **body):
        answer = self._http.post(path, json=body)
        assert answer.status_code in (200, 201, 204), answer.text
        return answer.json() if answer.content else None

    def run(self):
        try:
            self.work()
        except Exception as error:
            self.errors.append(error)
        finally:
            self._http.close()

    def work(self):
        me = self.post("/v1/workers", name=self.name, tasks={"digits_mlp": {}})["id"]
        while lease := self.post(f"/v1/workers/{me}/claim", request_id=str(uuid.uuid4())):
            start, path = next(self._clock), f"/v1/attempts/{lease['token']}"
            for step in range(6):
                value = ((lease["trial"]["number"] * 7 + step) % 10) / 10
                report = {"step": step, "value": value}
                if self.post(f"{path}/reports", reports=[report])["verdict"] != "continue":
                    break
            else:
                self.post(f"{path}/complete")
            self.held.append((lease["trial"]["number"], lease["attempt"], start, next(self._clock)))


class Clock:
    """Counts moments, one after the other, for all threads."""

    def __init__(self):
        self._lock, self._now = threading.Lock(), 0

    def __next__(self):
        with self._lock:
            self._now += 1
            return self._now


def test_two_server_processes_and_eight_workers(postgres, tmp_path, wait_for):
    database, labs = postgres(), []
    try:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            labs.append(Lab(tmp_path / name, database))
            labs[-1].start("server", "serve")
        for here in labs:
            wait_for(here.is_ready)
        limits = {"max_trials": 60, "max_parallel": 5}
        labs[0].post("/v1/studies", **digits(limits=limits))
        clock = Clock()
        workers = [Worker(labs[i % 2].url, clock) for i in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(120)
        assert [worker.errors for worker in workers] == [[]] * 8
        # max_parallel may leave a worker without a trial before the end: let one finish the rest.
        last = Worker(labs[1].url, clock)
        last.start()
        last.join(60)

        held = sorted(entry for worker in [*workers, last] for entry in worker.held)
        assert [(number, attempt) for number, attempt, _, _ in held] == [(n, 1) for n in range(60)]
        ends = [(start, 1) for *_, start, _ in held] + [(end, -1) for *_, end in held]
        running = 0
        for _, change in sorted(ends):
            running += change
            assert running <= 5
        study = labs[1].study()
        assert (study["state"], sum(study["counts"].values())) == ("completed", 60)
    finally:
        for here in labs:
            here.stop()


def test_replicas_on_one_port_outlive_one_of_them(postgres, tmp_path, wait_for):
    lab = Lab(tmp_path, postgres(), LEHR_REPLICAS="2")
    try:
        supervisor = lab.start("server", "serve")
        wait_for(lab.is_ready)
        lab.post("/v1/studies", **digits(limits={"max_trials": 30}))
        replicas = wait_for(lambda: len(found := children(supervisor.pid)) == 2 and found)
        clock = Clock()
        workers = [Patient(lab.url, clock) for _ in range(6)]
        for worker in workers:
            worker.start()
        wait_for(lambda: next(clock) and any(worker.held for worker in workers))
        os.kill(replicas[0], signal.SIGKILL)
        for worker in workers:
            worker.join(120)
        assert [worker.errors for worker in workers] == [[]] * 6
        held = sorted(number for worker in workers for number, *_ in worker.held)
        assert sorted(set(held)) == list(range(30))
        assert lab.study()["state"] == "completed"
        wait_for(lambda: len(set(children(supervisor.pid)) - {replicas[0]}) == 2)
        supervisor.terminate()
        supervisor.wait(30)
        assert not any(Path(f"/proc/{replica}").exists() for replica in children(supervisor.pid))
    finally:
        lab.stop()


class Patient(Worker):
    """A worker that asks again where its connection breaks."""

    def post(self, path, **body):
        while True:
            try:
                return super().post(path, **body)
            except httpx.TransportError:
                continue


def children(process):
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]
