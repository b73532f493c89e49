"""CPU that the server's hot path takes a request: reports, heartbeats, claims with completions.

    .venv/bin/python tests/bench/hot_path.py [--requests 3000] [--repeat 7] [--reference FOLDER]

The application is called in this process, with no socket between, on SQLite in a folder of its own;
CPU time is that of the whole process, its lanes and commits included, so that a busy machine
matters little. ``--reference``: the root of another checkout, measured in turn with this one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from contextvars import copy_context
from functools import partial
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

from measure import machine
from objective import STEPS, TASK, definition

HERE = Path(__file__).parents[2]


class Direct:
    """Requests handed straight to an ASGI application."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        content = json.dumps(body).encode()
        headers = [(b"content-type", b"application/json"), (b"host", b"127.0.0.1")]
        headers.append((b"content-length", str(len(content)).encode()))
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode()}
        scope |= {"query_string": b"", "headers": headers, "http_version": "1.1", "scheme": "http"}
        scope |= {"server": ("bench", 80), "client": ("bench", 1), "root_path": "", "asgi": {}}
        sent: list[Any] = []
        bodies = iter([{"type": "http.request", "body": content, "more_body": False}])

        async def receive() -> Any:
            return next(bodies)

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        text = b"".join(message.get("body", b"") for message in sent)
        return sent[0]["status"], json.loads(text) if text else None


async def load(requests: int, folder: str) -> dict[str, float]:
    """Microseconds of CPU a request, by kind."""
    from lehr_service.app import create_app
    from lehr_service.settings import Settings

    app = create_app(Settings(home=Path(folder), sampler_processes=0))
    async with app.router.lifespan_context(app):
        http = Direct(app)
        body = definition("bench", {"name": "random", "seed": 1}, None, pruner={"name": "none"})
        assert (await http.post("/v1/studies", body))[0] == 201
        _, worker = await http.post("/v1/workers", {"name": "w", "tasks": {TASK: {}}})
        claim = f"/v1/workers/{worker['id']}/claim"
        found: dict[str, float] = {}
        count = max(requests // STEPS, 1)
        await _trials(http, claim, 5)
        found["reports"] = await _reports(http, claim, count)
        begin = time.process_time()
        for _ in range(requests):
            await http.post(f"/v1/workers/{worker['id']}/heartbeat", {"attempts": []})
        found["heartbeats"] = 1e6 * (time.process_time() - begin) / requests
        begin = time.process_time()
        await _trials(http, claim, count)
        found["claims, completions"] = 1e6 * (time.process_time() - begin) / (2 * count)
        return found


async def _claimed(http: Direct, claim: str) -> str:
    status, lease = await http.post(claim, {"request_id": str(uuid.uuid4()), "wait": 0})
    assert status == 200
    return f"/v1/attempts/{lease['token']}"


async def _reports(http: Direct, claim: str, count: int) -> float:
    spent = 0.0
    for _ in range(count):
        path = await _claimed(http, claim)
        begin = time.process_time()
        for step in range(STEPS):
            report = {"step": step, "value": 0.5, "learning_rate": 0.1, "metrics": {"loss": 0.1}}
            status, _ = await http.post(f"{path}/reports", {"reports": [report]})
            assert status == 200
        spent += time.process_time() - begin
        await http.post(f"{path}/complete", {})
    return 1e6 * spent / (count * STEPS)


async def _trials(http: Direct, claim: str, count: int) -> None:
    for _ in range(count):
        path = await _claimed(http, claim)
        status, _ = await http.post(f"{path}/complete", {"value": 0.5})
        assert status == 200


def measured(root: Path, requests: int) -> dict[str, float]:
    """The load in a fresh process on the code of a checkout."""
    where = {"PYTHONPATH": f"{root / 'service'}:{root / 'worker'}"}
    command = [sys.executable, __file__, "--once", "--requests", str(requests)]
    done = subprocess.run(
        command, env=os.environ | where, check=True, capture_output=True, text=True
    )
    return dict(json.loads(done.stdout))


def compare(options: argparse.Namespace) -> None:
    print(machine())
    roots = {"this": HERE} | ({"reference": options.reference} if options.reference else {})
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in roots}
    for _ in range(options.repeat):
        for name, root in roots.items():
            runs[name].append(measured(root, options.requests))
    for kind in runs["this"][0]:
        mine = median(run[kind] for run in runs["this"])
        line = f"{kind}: {mine:.0f} us of CPU a request"
        if options.reference:
            ratios = [
                a[kind] / b[kind] for a, b in zip(runs["this"], runs["reference"], strict=True)
            ]
            before = median(run[kind] for run in runs["reference"])
            line += f", reference {before:.0f}; ratio {median(ratios):.3f}"
            line += f" ({min(ratios):.3f} to {max(ratios):.3f})"
        print(line, flush=True)


async def _calls(app: Any, count: int) -> float:
    """Microseconds of CPU a call."""

    async def receive() -> Any:
        return {}

    async def send(_message: Any) -> None:
        return None

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
    begin = time.process_time()
    for _ in range(count):
        await app({"type": "http", "method": "POST", "headers": headers}, receive, send)
    return 1e6 * (time.process_time() - begin) / count


async def _bare(scope: Any, _receive: Any, send: Any) -> None:
    scope["route"] = SimpleNamespace(path="/v1/attempts/{token}/reports")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def watching(count: int = 20_000) -> None:
    """What request ids, metrics and log contexts take of a request, by themselves."""
    from lehr import logs
    from lehr_service.api.requests import Requests
    from lehr_service.metrics import Metrics

    metrics = Metrics()
    around = asyncio.run(_calls(Requests(_bare, metrics), count))
    around -= asyncio.run(_calls(_bare, count))
    begin = time.process_time()
    for _ in range(count):
        context = copy_context()
        metrics.batch([0.001], [])
        context.run(partial(logs.know, study="s", trial=1, attempt=1))
    lane = 1e6 * (time.process_time() - begin) / count
    print(f"around a request {around:.1f} us, in its lane {lane:.1f} us (a batch of its own)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--reference", type=Path, default=None)
    parser.add_argument("--once", action="store_true", help="this process only, as JSON")
    parser.add_argument("--watching", action="store_true", help="what watching takes, alone")
    options = parser.parse_args()
    if options.watching:
        watching()
    elif options.once:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(asyncio.run(load(options.requests, folder))))
    else:
        compare(options)


if __name__ == "__main__":
    main()
