"""Server processes and databases of a benchmark's run; all end with it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from measure import cpu_seconds
from places import Places

LEHR = Path(sys.executable).with_name("lehr")


class Bench:
    """Databases and processes of one run; all end with it."""

    def __init__(self, options: argparse.Namespace, stack: ExitStack) -> None:
        self.options = options
        self.command = str(LEHR)
        self.places = stack.enter_context(Places(options.postgres))

    @contextmanager
    def process(self, *command: str, url: str = "", **more: str) -> Iterator[tuple[str, int]]:
        """A server process and its address, once it listens and has nothing left to start."""
        port = free_port()
        clean = {k: v for k, v in os.environ.items() if not k.startswith("LEHR_")}
        home = tempfile.mkdtemp(prefix="lehr-bench-")
        settings = {"LEHR_PORT": str(port), "LEHR_HOME": home, "LEHR_DATABASE_URL": url}
        filled = [part.replace("{port}", str(port)) for part in command]
        log = open(Path(home, "log"), "wb")  # noqa: SIM115
        server = subprocess.Popen(
            filled, env=clean | settings | more, stdout=log, stderr=log, start_new_session=True
        )
        try:
            await_port(server, port, Path(home, "log"))
            await_rest(server.pid)
            yield f"http://127.0.0.1:{port}", server.pid
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            log.close()
            if self.options.logs:
                print(Path(home, "log").read_text()[-3000:], file=sys.stderr)
            shutil.rmtree(home, ignore_errors=True)

    def lehr(self, url: str, *serve: str) -> AbstractContextManager[tuple[str, int]]:
        """lehr's server on a database."""
        return self.process(self.command, "serve", *serve, *self.options.serve, url=url)

    def python(self, script: str, *given: str) -> AbstractContextManager[tuple[str, int]]:
        """A server that a script of the benchmark starts."""
        return self.process(sys.executable, script, *given)

    def alone(self, script: Path, **what: Any) -> dict[str, Any]:
        """What a script that runs a whole search by itself wrote to the file ``result``."""
        home = Path(tempfile.mkdtemp(prefix="lehr-"))  # short: sockets lie in it
        result, log = home / "result", home / "log"
        told = json.dumps(what | {"home": str(home), "result": str(result)})
        with log.open("wb") as output:
            search = subprocess.Popen(
                [sys.executable, script, told],
                cwd=home,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            search.wait(self.options.seconds + 120)
            return dict(json.loads(result.read_text()))
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise RuntimeError(f"{error!r:.100}: {log.read_text()[-1500:]}") from None
        finally:
            if search.poll() is None:
                os.killpg(search.pid, signal.SIGKILL)
                search.wait()
            shutil.rmtree(home, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def await_port(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")


def await_rest(process: int, most: float = 20.0) -> None:
    """Wait until a process and its children use less than a tenth of a core for half a second."""
    deadline, before = time.monotonic() + most, -1.0
    while time.monotonic() < deadline and (now := cpu_seconds(process)) - before > 0.05:
        before = now
        time.sleep(0.5)
