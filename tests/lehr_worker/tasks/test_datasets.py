"""Where data comes from, how it is split, and what is said when there is none."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lehr_worker.tasks.datasets import DataUnavailable, hold_out, load_images
from lehr_worker.tasks.digits import digits


def test_held_out_samples_are_others_and_always_the_same():
    x, y = np.arange(100), np.arange(100)
    first, second = hold_out(x, y, 20), hold_out(x, y, 20)
    assert sorted([*first.x_train, *first.x_validation]) == list(range(100))
    assert len(first.x_validation) == 20
    assert list(first.x_validation) == list(second.x_validation) != list(range(80, 100))
    assert list(first.x_train) == list(first.y_train)


def test_digits_need_no_data_folder():
    data = digits()
    assert data.x_train.shape == (1437, 64)
    assert data.x_validation.shape == (360, 64)
    assert set(data.y_validation) == set(range(10))
    assert 0.0 <= data.x_train.min() < data.x_train.max() == 1.0


def test_images_come_from_the_data_folder(tmp_path, monkeypatch):
    x = np.arange(40, dtype=np.uint8).reshape(10, 2, 2)
    (tmp_path / "mnist").mkdir()
    np.savez(tmp_path / "mnist" / "mnist.npz", x_train=x, y_train=np.arange(10)[:, None])
    monkeypatch.setenv("LEHR_DATA_DIR", str(tmp_path))
    data = load_images("mnist", validation=3)
    assert data.x_train.shape == (7, 2, 2)
    assert data.x_train.dtype == np.uint8
    assert [image[0, 0] // 4 for image in data.x_train] == list(data.y_train)


def test_a_broken_file_is_named(tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "mnist.npz").write_bytes(b"nonsense")
    monkeypatch.setenv("LEHR_DATA_DIR", str(tmp_path))
    with pytest.raises(DataUnavailable, match=r"mnist\.npz is no data set"):
        load_images("mnist", validation=3)


@pytest.mark.tensorflow
def test_no_data_anywhere_names_all_three_places(tmp_path):
    code = "from lehr_worker.tasks.datasets import load_images; load_images('mnist', validation=3)"
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    places = {"LEHR_DATA_DIR": str(tmp_path), "KERAS_HOME": str(tmp_path / "keras")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **nowhere, **places},
        capture_output=True,
        text=True,
    )
    last = done.stderr.strip().splitlines()[-1]
    for part in ("DataUnavailable: no data for mnist", str(tmp_path), "cache", "download failed"):
        assert part in last
