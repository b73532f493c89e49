"""Image data sets of the built-in tasks, and how their training images are split.

Trials are judged on images held out from the training set. The test set is not loaded at all: it is
for whoever measures the winner, once.
"""

import os
from pathlib import Path
from typing import Final

import numpy as np

from lehr_worker.task import Data

SPLIT_SEED: Final = 20_240_229  # one split for all trials, of every study


class DataUnavailable(Exception):
    """A data set is in none of the places where it is looked for."""


def load_images(name: str, *, validation: int) -> Data:
    """Training images [n, height, width(, channels)] uint8 and labels [n] of a data set.

    Looks for `$LEHR_DATA_DIR/NAME/NAME.npz` (arrays x_train, y_train), then in Keras's cache, and
    then lets Keras download it. `validation` images are held out. Raises DataUnavailable.
    """
    x, y = _from_folder(name) or _from_keras(name)
    return hold_out(x, y.reshape(-1), validation)


def hold_out(x: np.ndarray, y: np.ndarray, validation: int) -> Data:
    """Split samples [n, ...] and labels [n] at random, always alike: `validation` are held out."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(x))
    train, held_out = order[validation:], order[:validation]
    labels = y.astype(np.int32)
    return Data(x[train], labels[train], x[held_out], labels[held_out])


def data_file(name: str) -> Path | None:
    """Where `LEHR_DATA_DIR` has the data set, None if it has not."""
    folder = os.environ.get("LEHR_DATA_DIR")
    file = Path(folder, name, f"{name}.npz") if folder else None
    return file if file is not None and file.is_file() else None


def _from_folder(name: str) -> tuple[np.ndarray, np.ndarray] | None:
    file = data_file(name)
    if file is None:
        return None
    try:
        with np.load(file) as arrays:
            return arrays["x_train"], arrays["y_train"]
    except (OSError, ValueError, KeyError) as error:
        raise DataUnavailable(
            f"{file} is no data set: {error}; it must hold the arrays x_train and y_train"
        ) from error


def _from_keras(name: str) -> tuple[np.ndarray, np.ndarray]:
    import keras

    try:
        (x, y), _ = getattr(keras.datasets, name).load_data()
    except Exception as error:
        raise DataUnavailable(
            f"no data for {name}: LEHR_DATA_DIR ({os.environ.get('LEHR_DATA_DIR') or 'not set'}) "
            f"has no {name}/{name}.npz, Keras's cache (~/.keras/datasets) does not hold it, and "
            f"the download failed ({error}). Put {name}.npz with the arrays x_train and y_train "
            f"there, or run keras.datasets.{name}.load_data() once where there is a network"
        ) from error
    return x, y
