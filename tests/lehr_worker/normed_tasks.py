"""A task whose training has all kinds of state: batch norm's averages, dropout's seed."""

from __future__ import annotations

from typing import Annotated, Any

from lehr_worker import Data, Parameter, task
from lehr_worker.tasks.digits import digits


@task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=64)
def normed(dropout: Annotated[float, Parameter(low=0.0, below=1.0)] = 0.3) -> Any:
    """One hidden layer on the digits, normed and with dropout."""
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((64,)),
            keras.layers.Dense(32),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("relu"),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


@normed.data
def normed_data() -> Data:
    return digits()
