"""Every built-in task trains an epoch on its own data."""

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from lehr_worker import Data, Task
from lehr_worker.tasks.datasets import data_file
from lehr_worker.tasks.registry import load
from lehr_worker.training.config import TrialConfig
from lehr_worker.training.engine import Engine

pytestmark = pytest.mark.tensorflow


def reports(task: Task, learning_rate: float = 0.001, **parameters):
    config = TrialConfig(
        task=task.name,
        number=0,
        optimizer={"name": "adam", "learning_rate": learning_rate},
        schedule={"name": "constant"},
        epochs=1,
        seed=7,
        metric="val_accuracy",
        direction="maximize",
        parameters=parameters,
    )
    seen = []
    Engine({task.name: task}).train(config, lambda report: seen.append(report) or True)
    return seen


@pytest.mark.parametrize(
    ("name", "parameters", "updates", "accuracy"),
    [
        ("digits_mlp", {"dropout": 0.1}, 44, 0.5),
        ("mnist_softmax", {}, 500, 0.85),
        ("fashion_mnist_cnn", {"batch_size": 500, "filters": 4, "hidden_units": 16}, 100, 0.55),
    ],
)
def test_task_learns_in_an_epoch(name, parameters, updates, accuracy):
    source = name.rsplit("_", 1)[0]
    if source != "digits" and data_file(source) is None:
        pytest.skip(f"LEHR_DATA_DIR has no {source}/{source}.npz")
    (report,) = reports(load()[name], **parameters)
    assert report.updates == updates
    assert report.metrics["val_accuracy"] > accuracy


def test_resnet_trains_and_is_judged_without_its_data():
    built_in = load()["cifar10_resnet"]
    stand_in = Task(
        built_in._model,
        name="cifar10_resnet",
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        batch_size=8,
    )

    @stand_in.data
    def noise():
        generator = np.random.default_rng(0)
        x = generator.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
        return Data(x, np.arange(8), x, np.arange(8))

    (report,) = reports(stand_in)
    assert report.updates == 1
    assert np.isfinite(report.metrics["val_loss"])


def test_resnet_20_has_the_papers_size():
    """0.27 million parameters (He et al. 2016, table 6)."""
    resnet = load()["cifar10_resnet"]
    model = resnet.build_model(resnet.complete({}))
    weights = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert weights == pytest.approx(0.27e6, rel=0.02)


def test_resnet_trains_on_cifar10():
    cached = Path.home() / ".keras" / "datasets" / "cifar-10-batches-py-target"
    if data_file("cifar10") is None and not cached.exists():
        pytest.skip("neither LEHR_DATA_DIR nor Keras's cache has CIFAR-10")
    (report,) = reports(load()["cifar10_resnet"], blocks=1, batch_size=500)
    assert report.metrics["val_accuracy"] > 0.2
