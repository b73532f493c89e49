"""``lehr range-test`` as a user runs it: table, YAML to paste, JSON, picture."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from lehr.definitions import read_value
from lehr.wire.studies import StudyDefinition

pytestmark = pytest.mark.tensorflow

Run = Callable[..., Result]
TEST = ("range-test", "digits_mlp", "--optimizer", "adam", "--seeds", "2", "--updates", "120")


@pytest.fixture
def lehr(lehr_at: Run) -> Run:
    return lambda *arguments: lehr_at("http://127.0.0.1:1", *arguments)


def test_what_it_prints_can_be_pasted_and_the_picture_is_there(lehr: Run, tmp_path: Path) -> None:
    picture = tmp_path / "range_test.png"
    done = lehr(*TEST, "-o", str(picture))
    assert done.exit_code == 0, done.output
    for said in ("valley", "steepest", "minimum / 10", "of 2 seeds diverged", f"wrote {picture}"):
        assert said in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")

    (line,) = re.findall(r"^  learning_rate: (\{low.*\})$", done.stdout, re.MULTILINE)
    space = {"adam": {"learning_rate": read_value(line)}}
    definition = StudyDefinition.model_validate(
        {
            "name": "pasted",
            "task": "digits_mlp",
            "objective": {"metric": "val_loss", "direction": "minimize"},
            "search_space": {"optimizer": space, "schedule": {"constant": {}}},
            "training": {"epochs": 1},
        }
    )
    bounds = definition.search_space["optimizer"]["adam"]["learning_rate"]
    assert 1e-6 <= bounds["low"] < 0.01 < bounds["high"] <= 1.0


def test_as_json_with_arguments_and_parameters(lehr: Run, tmp_path: Path) -> None:
    given = (
        "--parameter",
        "batch_size=64",
        "--optimizer-argument",
        "beta_1=0.8",
        "--start",
        "1e-5",
    )
    done = lehr(*TEST, *given, "--json", "-o", str(tmp_path / "test.svg"))
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["optimizer"] == {"beta_1": 0.8, "name": "adam"}
    assert facts["parameters"] == {"batch_size": 64}
    assert facts["seeds"] == [0, 1]
    assert [curve["rates"][0] for curve in facts["curves"]] == [1e-5, 1e-5]
    lows = [min(curve["suggestions"].values()) for curve in facts["curves"]]
    assert min(lows) == min(rule["low"] for rule in facts["suggestions"].values())
    assert facts["bounds"]["low"] < min(lows)
    assert (tmp_path / "test.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--parameter", "batch_size"), "write it as NAME=VALUE"),
        (("--parameter", "width=3"), "width: unknown parameter of digits_mlp"),
        (("--optimizer-argument", "beta_1=two"), "beta_1: "),
        (("--end", "1e-7"), "end: must be above start"),
        (("--tasks", "nowhere_at_all"), "no module named nowhere_at_all"),
    ],
)
def test_what_is_wrong_is_one_message(lehr: Run, arguments: tuple[str, ...], said: str) -> None:
    refused = lehr(*TEST, *arguments)
    assert refused.exit_code == 1
    assert said in refused.stderr


def test_a_missing_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from lehr.cli import app; app(['range-test', 'digits_mlp', '--optimizer', 'adam'])"
    )
    refused = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert refused.returncode == 1
    assert "lehr range-test needs the extra [worker] (tensorflow is not" in refused.stderr
