"""What the libraries of a training read from the environment as they load."""

from __future__ import annotations

import os
from typing import Final

DEFAULTS: Final = {
    "TF_CPP_MIN_LOG_LEVEL": "2",
    # By itself TensorFlow uses oneDNN on CPUs with AVX-512 only. Measured on one without: it makes
    # a small CNN take .7 of the time, a ResNet .6, a dense model that XLA does not suit .2 ms more.
    "TF_ENABLE_ONEDNN_OPTS": "1",
}
"""By name; what the environment has already, stays."""


def set_defaults() -> None:
    """Call before anything imports TensorFlow."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
