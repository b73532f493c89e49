"""CIFAR-10: a residual network."""

from typing import Annotated, Any

from lehr_worker.task import Data, Parameter, task
from lehr_worker.tasks.datasets import load_images
from lehr_worker.tasks.resnet import resnet


@task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=128)
def cifar10_resnet(
    blocks: Annotated[int, Parameter(low=1, high=18, doc="a stage; depth is 6 blocks + 2")] = 3,
    weight_decay: Annotated[float, Parameter(low=0.0, doc="L2 penalty on all kernels")] = 1e-4,
    augment: bool = True,
) -> Any:
    """ResNet-20 with batch normalisation on CIFAR-10, with random flips and shifts by up to four
    pixels; 45,000 images to train, 5,000 of the training set to judge."""
    import keras

    x = inputs = keras.layers.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(x)
    if augment:
        x = keras.layers.RandomFlip("horizontal")(x)
        x = keras.layers.RandomTranslation(1 / 8, 1 / 8, fill_mode="constant")(x)
    x = resnet(x, classes=10, blocks=blocks, filters=16, weight_decay=weight_decay)
    return keras.Model(inputs, x)


@cifar10_resnet.data
def cifar10() -> Data:
    """Pixels as bytes; the model rescales them."""
    return load_images("cifar10", validation=5_000)
