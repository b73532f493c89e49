"""scikit-learn's 8x8 digits: real data that needs no download."""

from typing import Annotated, Any

from lehr_worker.task import Data, Parameter, task
from lehr_worker.tasks.datasets import hold_out


@task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=32)
def digits_mlp(
    hidden_units: Annotated[int, Parameter(low=1, high=4096, doc="width of the one layer")] = 64,
    dropout: Annotated[float, Parameter(low=0.0, below=1.0, live=True, doc="share dropped")] = 0.0,
) -> Any:
    """One hidden layer on scikit-learn's 8x8 digits; 1,437 images to train, 360 to judge."""
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((64,)),
            keras.layers.Dense(hidden_units, activation="relu"),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


@digits_mlp.data
def digits() -> Data:
    """Pixels as floats in [0, 1]."""
    from sklearn.datasets import load_digits

    bundle = load_digits()
    return hold_out(bundle.data.astype("float32") / 16.0, bundle.target, validation=360)
