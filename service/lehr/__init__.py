"""lehr: search for the optimizer, the initial learning rate and the decay schedule.

This package is what users import; it talks to a lehr server and needs no TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lehr.client import Client
    from lehr.errors import LehrError
    from lehr.wire.studies import StudyDefinition

__all__ = ["Client", "LehrError", "StudyDefinition"]

_HOMES = {"Client": "client", "LehrError": "errors", "StudyDefinition": "wire.studies"}


def __getattr__(name: str) -> Any:
    """Loaded on first use: trainers import ``lehr.schedules`` and need no HTTP client."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lehr' has no attribute {name!r}")
    return getattr(import_module(f"lehr.{_HOMES[name]}"), name)
