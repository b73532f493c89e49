"""The batch-normalised residual network of He et al. 2016 (arXiv:1512.03385, section 4.2)."""

from typing import Any


def resnet(x: Any, *, classes: int, blocks: int, filters: int, weight_decay: float) -> Any:
    """The classes' probabilities [n, classes] for images [n, height, width, channels].

    Three stages of `blocks` blocks with `filters`, 2 and 4 times as many filters, each stage with
    half the height and width of the one before: 6 `blocks` + 2 layers with weights. `weight_decay`
    is the L2 penalty on all kernels.
    """
    import keras

    x = _convolution(x, filters, 1, weight_decay)
    x = keras.layers.ReLU()(x)
    for stage in range(3):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            x = _block(x, filters * 2**stage, stride, weight_decay)
    x = keras.layers.GlobalAveragePooling2D()(x)
    penalty = keras.regularizers.L2(weight_decay)
    return keras.layers.Dense(classes, activation="softmax", kernel_regularizer=penalty)(x)


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
