"""Silence for the warnings that Optuna gives whoever wrote the study, who is not here to read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna

optuna.logging.set_verbosity(optuna.logging.WARNING)


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore what Optuna warns of, in its name or its caller's: experimental options and the like.

    Two threads in here at a time may leave the filter installed, which does no harm: it is about
    Optuna and this package only.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(optuna|lehr_service\.search)\.")
        yield
