"""The service against what a user would take instead, on one objective without training time.

    .venv/bin/python tests/bench/service.py [--contenders lehr-sqlite,optuna-sqlite] [--workers 16]
        [--trials 300] [--sampler tpe|random] [--repeat 3] [--plot FILE]
    .venv/bin/python tests/bench/service.py --sizes 100,1000,10000     costs of large studies
    .venv/bin/python tests/bench/service.py --soak 600 | --herd 1000   many workers at once

20 reports a trial, six parameters, TPE and the median pruner unless said. Workers of lehr are
tasks of this process that speak HTTP/1.1 over sockets; Optuna's are processes. All share the
machine with what they measure. CPU is that of the server and its helpers for lehr, of the workers
for Optuna (and of the proxy); a database server's is not counted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import lehr_load
import many
import optuna_load
import sizes
from lehr_load import Http, Tally
from measure import Row, cpu_seconds, draw, machine, table
from objective import definition
from places import Places

HERE = Path(__file__).parent
LEHR = Path(sys.executable).with_name("lehr")


class Bench:
    """Databases and processes of one run; all end with it."""

    def __init__(self, options: argparse.Namespace, stack: ExitStack) -> None:
        self.options = options
        self.command = str(LEHR)
        self.places = stack.enter_context(Places(options.postgres))

    @contextmanager
    def process(self, *command: str, url: str = "", **more: str) -> Iterator[tuple[str, int]]:
        """A server process and its address, from when it answers ``/healthz`` or any path."""
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


def lehr(kind: str, *serve: str) -> Callable[[Bench, Row], Row]:
    """lehr on SQLite or PostgreSQL, its workers simulated."""

    def run(bench: Bench, row: Row) -> Row:
        options = bench.options
        with bench.process(
            str(LEHR), "serve", *serve, *options.serve, url=bench.places.url(kind)
        ) as (url, pid):

            async def load() -> tuple[Tally, float, float]:
                http = await Http.connect(url)
                body = definition("bench", {"name": options.sampler, **options.ask}, None)
                status, answer = await http.post("/v1/studies", body)
                if status != 201:
                    raise RuntimeError(f"creating the study: {status} {answer}")
                tally = Tally(options.trials, options.seconds)
                used, begin = cpu_seconds(pid), time.perf_counter()
                works = [lehr_load.work([url], i, tally) for i in range(row.workers)]
                await lehr_load.until_over(tally, works)
                seconds = time.perf_counter() - begin
                http.close()
                return tally, seconds, cpu_seconds(pid) - used

            tally, row.seconds, row.cpu = run_async(load())
        row.trials, row.claims, row.reports = tally.trials, tally.claims, tally.reports
        row.errors = tally.errors
        if tally.first_error:
            print(f"  {tally.first_error:.300}", file=sys.stderr)
        return row

    return run


def optuna(kind: str, database: str) -> Callable[[Bench, Row], Row]:
    """Optuna's workers on a storage they share."""

    def run(bench: Bench, row: Row) -> Row:
        options = bench.options
        where = bench.places.url(database, driver=True)
        with ExitStack() as stack:
            if kind == "grpc":
                script = str(HERE / "grpc_proxy.py")
                started = stack.enter_context(
                    bench.process(sys.executable, script, where, "{port}")
                )
                where, pid = started[0].removeprefix("http://"), started[1]
                before = cpu_seconds(pid)
            optuna_load.prepare(kind, where, options.sampler)
            row = optuna_load.run(
                row, kind, where, options.sampler, options.trials, options.seconds
            )
            if kind == "grpc":
                row.cpu += cpu_seconds(pid) - before
        return row

    return run


def ceiling(path: str, database: str | None) -> Callable[[Bench, Row], Row]:
    """FastAPI alone: what a request costs that is not lehr's doing; counted as reports."""

    def run(bench: Bench, row: Row) -> Row:
        where = [] if database is None else [bench.places.url(database)]
        script = str(HERE / "ceilings.py")
        with bench.process(sys.executable, script, "{port}", *where) as (url, pid):

            async def load() -> tuple[Tally, float]:
                tally = Tally(1, bench.options.ceiling_seconds)
                used = cpu_seconds(pid)
                await lehr_load.until_over(
                    tally, [lehr_load.flood(url, path, tally) for _ in range(row.workers)]
                )
                return tally, cpu_seconds(pid) - used

            begin = time.perf_counter()
            tally, row.cpu = run_async(load())
            row.seconds = time.perf_counter() - begin
        row.reports, row.errors = tally.reports, tally.errors
        return row

    return run


CONTENDERS: dict[str, Callable[[Bench, Row], Row]] = {
    "lehr-sqlite": lehr("sqlite"),
    "lehr-postgres": lehr("postgres"),
    "lehr-2-replicas": lehr("postgres", "--replicas", "2"),
    "optuna-sqlite": optuna("rdb", "sqlite"),
    "optuna-postgres": optuna("rdb", "postgres"),
    "optuna-journal": optuna("journal", "file"),
    "optuna-grpc-sqlite": optuna("grpc", "sqlite"),
    "optuna-grpc-postgres": optuna("grpc", "postgres"),
    "fastapi-noop": ceiling("/noop", None),
    "fastapi-insert-sqlite": ceiling("/insert", "sqlite"),
    "fastapi-insert-postgres": ceiling("/insert", "postgres"),
}


def run_async(main: Any) -> Any:
    import uvloop

    return uvloop.run(main)


def compare(bench: Bench) -> None:
    """All contenders in turn, repeat after repeat, so that a noisy minute hits all of them."""
    print("not measured: KerasTuner's chief, Vizier, Ray Tune, Syne Tune (no driver here yet)")
    options = bench.options
    rows: dict[tuple[str, int], list[Row]] = {}
    for _ in range(options.repeat):
        for workers in options.workers:
            for name in options.contenders:
                row = CONTENDERS[name](bench, Row(name, workers))
                rows.setdefault((name, workers), []).append(row)
                shown = ", ".join(f"{k} {v:,.2f}" for k, v in row.figures().items())
                print(f"{name} W={workers}: {shown}", file=sys.stderr, flush=True)
    ordered = sorted(
        rows.values(), key=lambda r: (r[0].workers, options.contenders.index(r[0].contender))
    )
    print(table(ordered, options.base))
    if options.plot:
        draw(ordered, options.plot)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _names(text: str) -> list[str]:
    names = list(CONTENDERS) if text == "all" else text.split(",")
    if unknown := set(names) - set(CONTENDERS):
        raise argparse.ArgumentTypeError(f"unknown: {unknown}; known are {', '.join(CONTENDERS)}")
    return names


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contenders", type=_names, default=list(CONTENDERS))
    parser.add_argument("--workers", type=_numbers, default=[1, 4, 16, 64])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=60, help="limit of a cell")
    parser.add_argument("--ceiling-seconds", type=float, default=5)
    parser.add_argument("--sampler", choices=["tpe", "random"], default="tpe")
    parser.add_argument("--ask-ahead", type=int, default=None, help="sampler.ask_ahead")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--base", default="optuna-postgres", help="contender that ratios refer to")
    parser.add_argument("--postgres", default="", help="URL; default: a server of this run")
    parser.add_argument("--plot", type=Path, default=None)
    parser.add_argument("--serve", nargs="*", default=[], help="more options of lehr serve")
    parser.add_argument("--databases", type=lambda t: t.split(","), default=["sqlite", "postgres"])
    parser.add_argument("--size-seconds", type=float, default=15, help="of each load on a size")
    parser.add_argument("--logs", action="store_true", help="show the ends of servers' logs")
    parser.add_argument("--sizes", type=_numbers, help="finished trials of large studies")
    parser.add_argument("--soak", type=float, help="seconds of workers that report every 5 s")
    parser.add_argument("--soak-workers", type=int, default=1000)
    parser.add_argument("--herd", type=int, help="workers that reconnect at once")
    options = parser.parse_args()
    options.ask = {} if options.ask_ahead is None else {"ask_ahead": options.ask_ahead}
    return options


def main() -> None:
    options = _parsed()
    print(machine())
    with ExitStack() as stack:
        bench = Bench(options, stack)
        if options.sizes:
            sizes.measure(bench, options.sizes)
        elif options.soak or options.herd:
            many.measure(bench)
        else:
            compare(bench)


if __name__ == "__main__":
    main()
