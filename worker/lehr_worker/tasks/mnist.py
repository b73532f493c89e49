"""MNIST: softmax regression, the smallest model whose learning rate matters."""

from typing import Any

from lehr_worker.task import Data, task
from lehr_worker.tasks.datasets import load_images


@task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=100)
def mnist_softmax() -> Any:
    """Softmax regression on MNIST; 50,000 images to train, 10,000 of the training set to judge."""
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((28, 28), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


@mnist_softmax.data
def mnist() -> Data:
    """Pixels as bytes; the model rescales them."""
    return load_images("mnist", validation=10_000)
