"""Looks up the installed packages where known vulnerabilities are published.

Fails where one is found; says how many packages could not be looked up, and goes on. Arguments go
to pip-audit, but for ``--newest INDEX``: where there is no page of a package's version, ask this
index for the page of the package itself, which tells of the newest release only.
"""

from __future__ import annotations

import argparse
import json
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

COMMAND = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--skip-editable"]
_NO_PAGE = re.compile(r"not found on PyPI.*: (\S+) \((\S+)\)$")  # pip-audit's words
_AT_ONCE = 8
_REQUEST_SECONDS = 5.0
_ALL_SECONDS = 60.0
_SILENCES = 3  # unanswered requests, and none answered: there is no index


@dataclass(frozen=True)
class Release:
    """A version of a package, and the known vulnerabilities of it."""

    version: str
    vulnerabilities: list[str]


def main(*arguments: str) -> int:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--newest", metavar="INDEX")
    own, others = parser.parse_known_args(arguments)
    try:
        packages = _pip_audit(others)
    except ValueError as error:
        _say(f"WARNING: packages were NOT audited, for pip-audit failed: {error}")
        return 0
    reasons = {p["name"]: p["skip_reason"] for p in packages if "skip_reason" in p}
    without_page = dict(m.groups() for m in map(_NO_PAGE.search, reasons.values()) if m)
    newest = newest_releases(own.newest, without_page) if own.newest else {}
    looked_up = {
        p["name"]: Release(p["version"], [found["id"] for found in p["vulns"]])
        for p in packages
        if "vulns" in p
    }
    are_newest = {n: r for n, r in newest.items() if r.version == without_page[n]}
    unknown = sorted(reasons.keys() - are_newest.keys())
    if unknown:
        some = ", ".join(unknown[:3]) + ", ..." * (len(unknown) > 3)
        _say(f"WARNING: {len(unknown)} of {len(packages)} packages were NOT audited ({some})")
    if older := [f"{n} {without_page[n]} ({newest[n].version})" for n in unknown if n in newest]:
        _say(f"of these {len(older)} are not the newest release: {', '.join(older)}")
    if without_page and not own.newest:
        _say("with --newest INDEX those of them that are the newest release are looked up")
    return _conclude(looked_up, are_newest)


def _conclude(by_version: dict[str, Release], as_newest: dict[str, Release]) -> int:
    """Say what was found; the exit status."""
    wrong = {n: r for n, r in {**by_version, **as_newest}.items() if r.vulnerabilities}
    for name, release in wrong.items():
        _say(f"{name} {release.version}: {', '.join(release.vulnerabilities)}")
    parts = [f"{len(by_version)} packages were audited"] if by_version else []
    if as_newest:
        parts.append(f"{len(as_newest)} packages were audited as the newest release")
    if parts and not wrong:
        _say(f"{', '.join(parts)}: no known vulnerability")
    return 1 if wrong else 0


def _pip_audit(arguments: list[str]) -> list[dict[str, Any]]:
    """What pip-audit says of each package. Raises ValueError with what it said instead."""
    command = [*COMMAND, "--desc", "off", "--format", "json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (done.stderr.strip() or "it said nothing").splitlines()
        raise ValueError(last[0]) from None
    return found


def newest_releases(index: str, names: Iterable[str]) -> dict[str, Release]:
    """The newest release of each package whose page the index gives in time."""
    names, until = list(names), time.monotonic() + _ALL_SECONDS
    found: dict[str, Release] = {}
    silences = 0

    def look(name: str) -> None:
        nonlocal silences
        if time.monotonic() > until or (silences >= _SILENCES and not found):
            return
        try:
            release = _on_page(http.get(f"/pypi/{name}/json"))
        except httpx.HTTPError:
            silences += 1
            return
        if release is not None:
            found[name] = release

    with (
        httpx.Client(
            base_url=index,
            timeout=_REQUEST_SECONDS,
            follow_redirects=True,
            verify=ssl.create_default_context(),
        ) as http,
        ThreadPoolExecutor(_AT_ONCE) as threads,
    ):
        list(threads.map(look, names))
    return found


def _on_page(answer: httpx.Response) -> Release | None:
    """What a package's page says; None if it says nothing of vulnerabilities."""
    try:
        page = answer.raise_for_status().json()
        listed = [each["id"] for each in page["vulnerabilities"] if not each.get("withdrawn")]
        return Release(page["info"]["version"], listed)
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError):
        return None


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
