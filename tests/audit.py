"""Looks up the installed packages where known vulnerabilities are published.

Fails where one is found; says how many packages could not be looked up, and goes on. Arguments go
to pip-audit.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

COMMAND = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--skip-editable"]


def main(*arguments: str) -> int:
    command = [*COMMAND, "--desc", "off", "--format", "json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (done.stderr.strip() or "it said nothing").splitlines()
        _say(f"WARNING: packages were NOT audited, for pip-audit failed: {last[0]}")
        return 0
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if skipped:
        some = ", ".join(skipped[:3]) + ", ..." * (len(skipped) > 3)
        _say(f"WARNING: {len(skipped)} of {len(packages)} packages were NOT audited ({some})")
    wrong = [package for package in packages if package.get("vulns")]
    for package in wrong:
        found = ", ".join(vulnerability["id"] for vulnerability in package["vulns"])
        _say(f"{package['name']} {package['version']}: {found}")
    audited = len(packages) - len(skipped)
    if audited and not wrong:
        _say(f"{audited} packages were audited: no known vulnerability")
    return 1 if wrong else 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
