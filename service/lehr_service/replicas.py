"""Several server processes that share one port: ``lehr serve --replicas n``."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from types import FrameType

from lehr import logs
from lehr_service.app import check_reach, prepare, run
from lehr_service.metrics import SHARED
from lehr_service.settings import Settings

log = logging.getLogger(__name__)

_RESTART_SECONDS = 1.0
_STOP_SECONDS = 15.0


def serve(settings: Settings) -> None:
    """Run the server, in as many processes as the settings say, until it is told to stop."""
    logs.configure(settings.log_format, settings.log_level)
    prepare(settings)
    check_reach(settings)
    if settings.replicas == 1:
        _listening(settings).close()  # better a sentence now than uvicorn's error in its log
        run(settings)
        return
    Supervisor(settings).run()


class Supervisor:
    """Holds the listening socket, and starts each replica again that ends before it should."""

    def __init__(self, settings: Settings) -> None:
        self._environment = dict(os.environ)
        self._settings = settings.model_copy(update={"replicas": 1})
        self._count = settings.replicas
        self._leaving = threading.Event()

    def run(self) -> None:
        with (
            tempfile.TemporaryDirectory(prefix="lehr-metrics-") as shared,
            _listening(self._settings) as listener,
        ):
            self._environment[SHARED] = shared  # where replicas put their metrics together
            before = {
                number: signal.signal(number, self._leave)
                for number in (signal.SIGTERM, signal.SIGINT)
            }
            processes = [self._start(listener) for _ in range(self._count)]
            try:
                while not self._leaving.wait(_RESTART_SECONDS):
                    processes = [
                        p if p.poll() is None else self._again(listener) for p in processes
                    ]
            finally:
                _stop(processes)
                for number, handler in before.items():
                    signal.signal(number, handler)

    def _leave(self, _signal: int, _frame: FrameType | None) -> None:
        self._leaving.set()

    def _again(self, listener: socket.socket) -> subprocess.Popen[bytes]:
        log.warning("a replica ended; it is started again")
        return self._start(listener)

    def _start(self, listener: socket.socket) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "lehr_service.replicas"],
            stdin=subprocess.PIPE,
            env=self._environment,
            pass_fds=[listener.fileno()],
            start_new_session=True,  # a Ctrl-C is this process's, which passes it on
        )
        told = {"fd": listener.fileno(), "settings": self._settings.model_dump(mode="json")}
        if process.stdin is not None:  # it stays open: its end tells the replica to leave
            process.stdin.write(json.dumps(told).encode() + b"\n")
            process.stdin.flush()
        return process


def _listening(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        where, why = f"{settings.host}:{settings.port}", os.strerror(error.errno or 0).lower()
        do = "; choose another with --port" if error.errno == errno.EADDRINUSE else ""
        raise SystemExit(f"cannot listen on {where}: {why}{do}") from error


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _replica() -> None:
    told = json.loads(sys.stdin.readline())
    threading.Thread(target=_leave_with_supervisor, daemon=True).start()
    settings = Settings(**told["settings"])
    logs.configure(settings.log_format, settings.log_level)
    run(settings, socket.socket(fileno=told["fd"]))


def _leave_with_supervisor() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    _replica()
