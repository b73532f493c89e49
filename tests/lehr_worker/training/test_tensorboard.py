"""TensorBoard logs, read back with TensorBoard's own reader."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard.plugins.hparams import metadata
from tests.lehr_worker.event_files import read, shown
from tests.lehr_worker.fake_server import lease as lease_of

from lehr.wire.workers import Lease
from lehr_worker.training.tensorboard import FAILURE, SUCCESS, TrialLog

from .conftest import same_with_every_backend

pytestmark = [pytest.mark.tensorflow, same_with_every_backend]

PARAMS = {"optimizer": "adam", "adam.rate": 0.003, "amsgrad": True, "batch": 64, "x": None}
FULL_DISK = 2000  # bytes
PAGE = 4096  # bytes


def a_lease(**changes: Any) -> Lease:
    given = lease_of("t", **changes)
    given["trial"]["params"] = PARAMS
    given["trial"]["created_at"] = "2026-11-21T12:00:00Z"
    return Lease.model_validate(given)


def report(step: int, accuracy: float, attempt: int = 1) -> dict[str, Any]:
    return {
        "step": step,
        "value": accuracy,
        "learning_rate": 0.1 / (step + 1),
        "metrics": {"val_accuracy": accuracy},
        "attempt": attempt,
        "reported_at": f"2026-11-21T12:0{step}:00Z",
    }


def train(log: TrialLog, steps: range, plus: float = 0.0) -> None:
    for step in steps:
        log.epoch(step, {"loss": 2.0 - step, "val_accuracy": step / 10 + plus}, 0.1 / (step + 1))


def hparams(run: Any) -> Any:
    content = run.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    return metadata.parse_session_start_info_plugin_data(content)


def ending(run: Any) -> Any:
    content = run.SummaryMetadata("_hparams_/session_end_info").plugin_data.content
    return metadata.parse_session_end_info_plugin_data(content)


@pytest.mark.parametrize("study", ["..", "../../out", "/out", "a/../../out", ".", "study"])
def test_no_study_leads_out_of_the_folder(tmp_path: Path, study: str) -> None:
    folder = tmp_path / "logs" / "here"
    lease = a_lease().model_copy(update={"study": study})
    train(TrialLog(folder, lease), range(1))
    (written,) = (file for file in tmp_path.rglob("*") if file.is_file())
    assert written.parent.parent.parent == folder
    assert (written.parent.parent.name == study) is (study == "study")


def test_epochs_parameters_and_the_end_are_shown(tmp_path: Path) -> None:
    log = TrialLog(tmp_path, a_lease())
    train(log, range(3))
    log.end(True, {"val_accuracy": 0.25})
    run = read(tmp_path)
    assert shown(run, "val_accuracy") == {0: 0.0, 1: 0.1, 2: 0.2}
    assert shown(run, "loss") == {0: 2.0, 1: 1.0, 2: 0.0}
    assert shown(run, "learning_rate") == {0: 0.1, 1: 0.05, 2: 0.033333}
    assert shown(run, "objective/val_accuracy") == {2: 0.25}
    start = hparams(run)
    fields = {name: value.WhichOneof("kind") for name, value in start.hparams.items()}
    assert fields.keys() == PARAMS.keys()
    assert start.hparams["optimizer"].string_value == "adam"
    assert start.hparams["adam.rate"].number_value == 0.003
    assert start.hparams["amsgrad"].bool_value is True
    assert start.hparams["batch"].number_value == 64
    assert start.hparams["x"].string_value == "null"
    assert start.start_time_secs > 1e9
    assert ending(run).status == SUCCESS
    assert ending(run).end_time_secs >= start.start_time_secs


def test_an_epoch_can_be_seen_before_the_next(tmp_path: Path) -> None:
    log = TrialLog(tmp_path, a_lease())
    train(log, range(1))
    assert shown(read(tmp_path), "val_accuracy") == {0: 0.0}


def test_a_trial_that_failed_before_its_first_epoch_is_shown_as_failed(tmp_path: Path) -> None:
    TrialLog(tmp_path, a_lease()).end(False, {})
    run = read(tmp_path)
    assert ending(run).status == FAILURE
    assert hparams(run).hparams["optimizer"].string_value == "adam"


def test_a_resumed_attempt_continues_the_run_and_shows_no_step_twice(tmp_path: Path) -> None:
    """The first attempt went on, unheard, after what it reported; the second repeats step 2."""
    train(TrialLog(tmp_path, a_lease(epochs=6)), range(5), plus=0.05)
    heard = [report(0, 0.05), report(1, 0.15), report(2, 0.25)]
    second = TrialLog(tmp_path, a_lease(epochs=6, attempt=2, reports=heard))
    train(second, range(2, 4))
    assert shown(read(tmp_path), "val_accuracy") == {0: 0.05, 1: 0.15, 2: 0.2, 3: 0.3}
    train(second, range(4, 6))
    second.end(True, {"val_accuracy": 0.5})
    run = read(tmp_path)
    assert shown(run, "val_accuracy") == {0: 0.05, 1: 0.15, 2: 0.2, 3: 0.3, 4: 0.4, 5: 0.5}
    assert shown(run, "learning_rate").keys() == set(range(6))
    assert shown(run, "objective/val_accuracy") == {5: 0.5}


def test_where_machines_share_no_folder_a_run_is_whole_and_keeps_its_times(tmp_path: Path) -> None:
    heard = [report(0, 0.05), report(1, 0.15)]
    train(TrialLog(tmp_path, a_lease(attempt=2, reports=heard)), range(2, 3))
    run = read(tmp_path)
    assert shown(run, "val_accuracy") == {0: 0.05, 1: 0.15, 2: 0.2}
    first, second, _ = (event.wall_time for event in run.Tensors("val_accuracy"))
    assert second - first == 60.0


def test_files_are_read_by_attempt_whatever_the_clock_of_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(TrialLog(tmp_path, a_lease()), range(3), plus=0.05)
    monkeypatch.setattr("lehr_worker.training.tensorboard.time.time", lambda: 1000.0)
    train(TrialLog(tmp_path, a_lease(attempt=2)), range(2))
    assert shown(read(tmp_path), "val_accuracy") == {0: 0.0, 1: 0.1}


def test_a_trial_handed_back_has_not_ended(tmp_path: Path) -> None:
    log = TrialLog(tmp_path, a_lease())
    train(log, range(2))
    log.end(None, {})
    run = read(tmp_path)
    assert "_hparams_/session_end_info" not in run.PluginTagToContent("hparams")
    assert shown(run, "loss") == {0: 2.0, 1: 1.0}


@pytest.fixture(params=["files that end", "a disk"])
def full_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Files of this process end after some bytes, or the folder is on a disk with a page left."""
    if request.param == "a disk":
        disk = request.getfixturevalue("small_disk")("64k")
        disk.fill(but=PAGE)
        yield disk.place
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_DISK, before[1]))
    yield tmp_path
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_ends_the_log_with_one_warning(
    full_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = TrialLog(full_disk, a_lease(epochs=100))
    with caplog.at_level(logging.WARNING):
        train(log, range(100))
        log.end(True, {"val_accuracy": 0.5})
    (warning,) = caplog.records
    assert "study #0: its TensorBoard log ends here: " in warning.getMessage()
    assert 0 < len(shown(read(full_disk), "loss")) < 100


def test_a_folder_that_cannot_be_made_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "study").touch()
    log = TrialLog(tmp_path, a_lease())
    train(log, range(3))
    log.end(True, {})
    (warning,) = caplog.records
    assert "Not a directory" in warning.getMessage()
