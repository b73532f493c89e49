"""Engines that carry a fleet: what their files say, and what they do where they are installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"


def tool(name: str, *arguments: str | Path) -> str:
    """What a command says; fails where it does, skips where it is not installed."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    done = subprocess.run([name, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{name} {arguments}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(name="tool")
def tool_fixture() -> Callable[..., str]:
    return tool
