"""How soon pages of a large study can be used: 10,000 trials of 50 steps, in a real browser.

The Pareto front is that of a study of as many trials with two objectives.

    .venv/bin/python tests/bench/pages.py [--trials 10000] [--steps 50]

Two times a page: from the click to a page that answers (its load event), and to its figure drawn.
The reference in the same run is the same page of a study of 10 trials: what size costs. With them,
for each page, what other work on the machine does not change: the server's CPU time for the page
and its figure, and the bytes it sends for them. ``--no-browser`` measures these alone.
"""

from __future__ import annotations

import argparse
import html
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "lehr_service"))
from conftest import TWO_GOALS, definition, fill

LEHR = Path(sys.executable).with_name("lehr")
TABS = (
    *("history", "curves", "intermediate", "parallel", "slice", "contour", "importances", "edf"),
    *("timeline", "table", "definition"),
)


def serve(home: Path) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from lehr.cli import app; app()", "serve"]
    options = ["--home", str(home), "--port", str(port)]
    server = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    while True:
        try:
            httpx.get(f"{url}/readyz").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return server, url


def cost(http: httpx.Client, process: int, path: str) -> tuple[float, float]:
    """Seconds of the server's CPU for a page and its figures, and megabytes sent; best of three."""
    costs = []
    for _ in range(3):
        before, sent = cpu(process), 0
        with http.stream("GET", path, headers={"Accept": "text/html"}) as answer:
            page = b"".join(answer.iter_bytes()).decode()
            sent += answer.num_bytes_downloaded
        for figure in re.findall(r'data-plot="([^"]+)"', page):
            with http.stream("GET", html.unescape(figure)) as answer:
                answer.read()
                sent += answer.num_bytes_downloaded
        costs.append((cpu(process) - before, sent / 1e6))
    return min(costs)


def cpu(process: int) -> float:
    """Seconds of CPU that a process has used."""
    user, system = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def measure(page: Any, url: str) -> tuple[float, float]:
    """Seconds to the load event, and to the figure; the best of three."""
    loads, draws = [], []
    for _ in range(3):
        start = time.perf_counter()
        page.goto(url, wait_until="load")
        loads.append(time.perf_counter() - start)
        if page.locator("[data-plot]").count():
            page.wait_for_selector("[data-drawn] .main-svg, .plot .empty")
        draws.append(time.perf_counter() - start)
    return min(loads), min(draws)


PATHS = (
    *("/", "/workers", "/studies/{}/trials/3", "/studies/{}/compare?trials=1&trials=2"),
    *(f"/studies/{{}}?tab={tab}" for tab in TABS),
    "/studies/{}-two?tab=pareto",
)


def print_costs(url: str, process: int, paths: Sequence[str]) -> None:
    print(f"{'page':24}{'large: CPU s':>14}{'MB':>8}{'small: CPU s':>14}{'MB':>8}")
    with httpx.Client(base_url=url, timeout=120) as http:
        for path in paths:
            large, small = (cost(http, process, path.format(name)) for name in ("large", "small"))
            shown = (f"{seconds:14.2f}{megabytes:8.2f}" for seconds, megabytes in (large, small))
            print(f"{path[-22:]:24}{''.join(shown)}", flush=True)


def print_times(url: str, paths: Sequence[str]) -> None:
    from playwright.sync_api import sync_playwright

    print(f"{'page':24}{'large: page':>14}{'figure':>8}{'small: page':>14}{'figure':>8}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(base_url=url)
        for path in paths:
            large, small = (measure(page, path.format(name)) for name in ("large", "small"))
            shown = (f"{load:14.2f}{draw:8.2f}" for load, draw in (large, small))
            print(f"{path[-22:]:24}{''.join(shown)}", flush=True)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--only", default="", help="part of the pages' addresses, such as pareto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server, url = serve(Path(folder))
        try:
            database = f"sqlite:///{Path(folder) / 'lehr.db'}"
            for name, trials in (("large", options.trials), ("small", 10)):
                fill(database, definition(name=name), trials, options.steps)
                fill(database, definition(name=f"{name}-two", **TWO_GOALS), trials, options.steps)
            paths = [path for path in PATHS if options.only in path]
            print_costs(url, server.pid, paths)
            if not options.no_browser:
                print_times(url, paths)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
