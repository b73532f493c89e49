"""The README's first command, from a folder that is not the project's."""

import os
import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

pytestmark = [pytest.mark.system, pytest.mark.tensorflow]


def test_quickstart_searches_draws_and_repeats_its_winner(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LEHR_")}
    ran = subprocess.run(
        [PROJECT / "deploy" / "quickstart", "results"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "study quickstart is completed: all 32 trials are finished" in ran.stdout
    assert "best trials" in ran.stdout
    repeated, reported = map(
        float, re.search(r"val_accuracy: (\S+) \(the search reported (\S+)\)", ran.stdout).groups()
    )
    assert reported > 0.95
    assert repeated == pytest.approx(reported, abs=0.003), "one of 360 images"
    picture = (tmp_path / "results" / "learning_curves.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000
