"""Silence for warnings whose readers are not here: of Optuna to a study's author, of a GPU."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna

optuna.logging.set_verbosity(optuna.logging.WARNING)


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore what Optuna warns of, in its name or its caller's: experimental options and the like.

    And what PyTorch says of a GPU that it cannot use: Gaussian processes need none. Two threads in
    here at a time may leave the filters installed, which do no harm: they are about that only.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(optuna|lehr_service\.search)\.")
        warnings.filterwarnings("ignore", message="CUDA initialization")
        yield
