"""Real processes: `lehr serve` and `lehr work` as a user starts them, spoken to over REST only."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

LEHR = Path(sys.executable).with_name("lehr")


class Lab:
    """A server and its workers, with logs in a folder."""

    def __init__(self, folder: Path, database_url: str, **settings: str) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=self.url, timeout=30)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("LEHR_")},
            "LEHR_DATABASE_URL": database_url,
            "LEHR_HOME": str(folder / "home"),
            "LEHR_PORT": str(port),
            "LEHR_SERVER": self.url,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            **settings,
        }

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{name}.log").open("ab")
        process = subprocess.Popen([LEHR, *command], env=self._environment, stdout=log, stderr=log)
        log.close()
        self._processes.append(process)
        return process

    def is_ready(self) -> bool:
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def study(self, name: str = "digits") -> Any:
        return self.get(f"/v1/studies/{name}")

    def trials(self, name: str = "digits") -> Any:
        return self.get(f"/v1/studies/{name}/trials?limit=1000")["items"]

    def post(self, path: str, **body: Any) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def stop(self) -> None:
        self.http.close()
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def logs(self) -> str:
        texts = (f"--- {p.name}\n{p.read_text()[-4000:]}" for p in self.folder.glob("*.log"))
        return "\n".join(texts)


@pytest.fixture
def wait_for(wait_for: Callable[..., Any]) -> Callable[..., Any]:
    """Patient: several TensorFlows may be starting on a busy machine."""

    def patiently(condition: Callable[[], Any], seconds: float = 300.0) -> Any:
        return wait_for(condition, seconds)

    return patiently


@pytest.fixture
def lab(
    tmp_path: Path, database_url: str, wait_for: Callable[..., Any]
) -> Iterator[Callable[..., Lab]]:
    """Starts a server: ``lab(LEHR_LEASE_SECONDS="3", ...)``."""
    labs: list[Lab] = []

    def start(**settings: str) -> Lab:
        started = Lab(tmp_path, database_url, **settings)
        labs.append(started)
        started.server = started.start("server", "serve")
        wait_for(started.is_ready)
        return started

    yield start
    for started in labs:
        started.stop()
        print(started.logs())  # noqa: T201 - pytest shows it where a test fails


def digits(**changes: Any) -> dict[str, Any]:
    """A study on the bundled digits."""
    return {
        "name": "digits",
        "task": "digits_mlp",
        "objective": {"metric": "val_accuracy", "direction": "maximize"},
        "search_space": {
            "optimizer": {
                "momentum": {"learning_rate": {"low": 0.001, "high": 0.3, "log": True}},
                "adam": {"learning_rate": {"low": 0.0001, "high": 0.03, "log": True}},
            },
            "schedule": {
                "constant": {},
                "exponential": {
                    "decay_steps": {"epochs": 1},
                    "decay_rate": {"low": 0.5, "high": 0.99},
                },
                "cosine": {},
            },
        },
        "training": {"epochs": 6, "seed": 7},
        "sampler": {"name": "tpe", "seed": 7, "n_startup_trials": 4},
        "pruner": {"name": "median", "n_startup_trials": 3, "n_warmup_steps": 2},
        "limits": {"max_trials": 10},
    } | changes


@pytest.fixture(name="digits")
def digits_fixture() -> Callable[..., dict[str, Any]]:
    return digits
