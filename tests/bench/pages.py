"""How soon pages of a large study can be used: 10,000 trials of 50 steps, in a real browser.

    .venv/bin/python tests/bench/pages.py [--trials 10000] [--steps 50]

Two times a page: from the click to a page that answers (its load event), and to its figure drawn.
The reference in the same run is the same page of a study of 10 trials: what size costs.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "lehr_service"))
from conftest import definition, fill

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        server, url = serve(Path(folder))
        try:
            database = f"sqlite:///{Path(folder) / 'lehr.db'}"
            fill(database, definition(name="large"), options.trials, options.steps)
            fill(database, definition(name="small"), 10, options.steps)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                page = browser.new_page(base_url=url)
                print(
                    f"{'page':24}{'large: page':>12}{'figure':>9}{'small: page':>13}{'figure':>9}"
                )
                paths = [
                    "/",
                    "/workers",
                    "/studies/{}/trials/3",
                    "/studies/{}/compare?trials=1&trials=2",
                ]
                paths += [f"/studies/{{}}?tab={tab}" for tab in TABS]
                for path in paths:
                    large = measure(page, path.format("large"))
                    small = measure(page, path.format("small"))
                    print(
                        f"{path[-22:]:24}{large[0]:11.2f}s{large[1]:8.2f}s{small[0]:12.2f}s{small[1]:8.2f}s"
                    )
                browser.close()
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
