"""Every reproduction runs, in its quick form and on scikit-learn's digits."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.tensorflow

PICTURES = {
    "piecewise",
    "hold",
    "percent",
    "range_test",
    "range_test_trained",
    "exponential",
    "resnet",
    "restarts",
}


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("sources")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_every_reproduction_runs(
    sources: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sources.main(["--quick", "--digits", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert {file.stem for file in tmp_path.glob("*.png")} == PICTURES
    # What does not depend on the data: the rates, and that a resumed training is the same.
    assert "with another rate than the ladder's: 0\n" in printed
    assert "rounded to 5 places: 0.00607 " in printed
    differences = re.findall(r"largest difference (?:to Keras's rate )?([0-9.e-]+)", printed)
    assert [float(difference) < 1e-6 for difference in differences] == [True, True, True]
    assert "| momentum | 2 to 2 | 0 | 0 |" in printed


def test_a_missing_data_set_is_said(
    sources: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEHR_DATA_DIR", str(tmp_path))
    assert sources.main(["--only", "restarts", "--out", str(tmp_path)]) == 1
    assert "skipped, LEHR_DATA_DIR has no fashion_mnist/" in capsys.readouterr().out
