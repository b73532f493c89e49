"""The models and data of the reproductions.

As in the sources, a model is judged on the data set's own test images. Nothing is chosen by them
for later use: a search judges by images held out from the training set.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras
import numpy as np

from lehr_worker import Data, Task, task
from lehr_worker.tasks.datasets import SPLIT_SEED, data_file
from lehr_worker.tasks.fashion_mnist import fashion_mnist_cnn
from lehr_worker.tasks.resnet import resnet

Load = Callable[[str], dict[str, np.ndarray]]
"""A data set by its name: x_train, y_train, x_test, y_test; images [n, 28, 28] of bytes."""

LOSS = "sparse_categorical_crossentropy"


def from_folder(name: str) -> dict[str, np.ndarray]:
    """A data set of `LEHR_DATA_DIR`. Raises FileNotFoundError."""
    file = data_file(name)
    if file is None:
        raise FileNotFoundError(f"LEHR_DATA_DIR has no {name}/{name}.npz")
    with np.load(file) as arrays:
        return dict(arrays)


def digits(name: str) -> dict[str, np.ndarray]:
    """scikit-learn's digits in the size of the data set that they stand in for."""
    from sklearn.datasets import load_digits

    bundle = load_digits()
    large = np.kron(bundle.images, np.ones((3, 3))) * (255 / 16)
    x = np.pad(large, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
    return {
        "x_train": x[:1400],
        "y_train": bundle.target[:1400],
        "x_test": x[1400:],
        "y_test": bundle.target[1400:],
    }


def tasks(load: Load) -> Mapping[str, Task]:
    """The tasks by name; `images` is how many images they train on, `tested` are judged on."""

    @task(loss=LOSS, metrics=["accuracy"], batch_size=100)
    def softmax(
        start: Literal["glorot_uniform", "normal"] = "glorot_uniform",
        images: int = 55_000,
        tested: int = 10_000,
    ) -> Any:
        """Softmax regression on MNIST; `normal` starts from weights of a standard normal."""
        initial = keras.initializers.RandomNormal(stddev=1.0) if start == "normal" else start
        return keras.Sequential(
            [
                keras.layers.Input((28, 28), dtype="uint8"),
                keras.layers.Rescaling(1 / 255),
                keras.layers.Flatten(),
                keras.layers.Dense(10, activation="softmax", kernel_initializer=initial),
            ]
        )

    @task(loss=LOSS, metrics=["accuracy"], batch_size=32)
    def cnn(images: int = 60_000, tested: int = 10_000) -> Any:
        """The built-in CNN on Fashion-MNIST."""
        return fashion_mnist_cnn.build_model(fashion_mnist_cnn.complete({}))

    @task(loss=LOSS, metrics=["accuracy"], batch_size=64)
    def small_resnet(
        filters: int = 8, blocks: int = 1, images: int = 60_000, tested: int = 10_000
    ) -> Any:
        """A batch-normalised ResNet-8 on Fashion-MNIST at half its height and width."""
        x = inputs = keras.layers.Input((28, 28), dtype="uint8")
        x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(x)
        x = keras.layers.AveragePooling2D(2)(keras.layers.Reshape((28, 28, 1))(x))
        x = resnet(x, classes=10, blocks=blocks, filters=filters, weight_decay=1e-4)
        return keras.Model(inputs, x)

    softmax.data(lambda images, tested: part(load("mnist"), images, tested))
    cnn.data(lambda images, tested: part(load("fashion_mnist"), images, tested))
    small_resnet.data(lambda images, tested: part(load("fashion_mnist"), images, tested))
    return {t.name: t for t in (softmax, cnn, small_resnet)}


def part(arrays: Mapping[str, np.ndarray], images: int, tested: int) -> Data:
    """So many training images, drawn always alike, and the first so many test images."""
    x, y = arrays["x_train"], arrays["y_train"].astype(np.int32)
    chosen = np.random.default_rng(SPLIT_SEED).permutation(len(x))[:images]
    return Data(
        x[chosen], y[chosen], arrays["x_test"][:tested], arrays["y_test"][:tested].astype(np.int32)
    )
