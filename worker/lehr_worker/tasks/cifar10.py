"""CIFAR-10: the batch-normalised ResNet-20 of He et al. 2016 (arXiv:1512.03385, section 4.2)."""

from typing import Annotated, Any

from lehr_worker.task import Data, Parameter, task
from lehr_worker.tasks.datasets import load_images

STAGES = ((16, 1), (32, 2), (64, 2))  # filters, stride of the stage's first block


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
    x = _convolution(x, 16, 1, weight_decay)
    x = keras.layers.ReLU()(x)
    for filters, stride in STAGES:
        for block in range(blocks):
            x = _block(x, filters, stride if block == 0 else 1, weight_decay)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, _classes(x, weight_decay))


@cifar10_resnet.data
def cifar10() -> Data:
    """Pixels as bytes; the model rescales them."""
    return load_images("cifar10", validation=5_000)


def _classes(x: Any, weight_decay: float) -> Any:
    import keras

    penalty = keras.regularizers.L2(weight_decay)
    return keras.layers.Dense(10, activation="softmax", kernel_regularizer=penalty)(x)


def _block(x: Any, filters: int, stride: int, weight_decay: float) -> Any:
    """Two convolutions beside an identity; where the shape changes, the identity is subsampled and
    padded with zeros (the paper's option A, without parameters)."""
    import keras

    y = keras.layers.ReLU()(_convolution(x, filters, stride, weight_decay))
    y = _convolution(y, filters, 1, weight_decay)
    missing = filters - x.shape[-1]
    if missing:
        x = keras.layers.AveragePooling2D(1, strides=stride)(x)
        x = keras.layers.Permute((1, 3, 2))(x)
        x = keras.layers.ZeroPadding2D(((0, 0), (missing // 2, missing - missing // 2)))(x)
        x = keras.layers.Permute((1, 3, 2))(x)
    return keras.layers.ReLU()(keras.layers.Add()([x, y]))


def _convolution(x: Any, filters: int, stride: int, weight_decay: float) -> Any:
    import keras

    x = keras.layers.Conv2D(
        filters,
        3,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=keras.regularizers.L2(weight_decay),
    )(x)
    return keras.layers.BatchNormalization()(x)
