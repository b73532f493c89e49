"""Fashion-MNIST: a small convolutional network."""

from typing import Annotated, Any

from lehr_worker.task import Data, Parameter, task
from lehr_worker.tasks.datasets import load_images


@task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=32)
def fashion_mnist_cnn(
    filters: Annotated[int, Parameter(low=1, high=512, doc="of the first convolution")] = 16,
    hidden_units: Annotated[int, Parameter(low=1, high=4096)] = 64,
    dropout: Annotated[float, Parameter(low=0.0, below=1.0, live=True, doc="share dropped")] = 0.0,
) -> Any:
    """Two convolutions and a dense layer on Fashion-MNIST; 50,000 images to train, 10,000 of the
    training set to judge."""
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((28, 28), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Reshape((28, 28, 1)),
            keras.layers.Conv2D(filters, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(2 * filters, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(hidden_units, activation="relu"),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


@fashion_mnist_cnn.data
def fashion_mnist() -> Data:
    """Pixels as bytes; the model rescales them."""
    return load_images("fashion_mnist", validation=10_000)
