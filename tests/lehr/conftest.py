"""A client of a real server, and a study to put on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lehr import Client


@pytest.fixture
def server(serve: Callable[[], Any]) -> str:
    """URL of a server on SQLite."""
    url: str = serve().url
    return url


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    with Client(server, retry_seconds=0) as connected:
        yield connected


@pytest.fixture
def definition() -> dict[str, Any]:
    """A study definition."""
    return {
        "name": "study",
        "task": "digits_mlp",
        "objective": {"metric": "val_accuracy", "direction": "maximize"},
        "search_space": {
            "optimizer": {"sgd": {"learning_rate": {"low": 1e-3, "high": 1.0, "log": True}}},
            "parameters": {"batch_size": [32, 64]},
        },
        "training": {"epochs": 3},
        "sampler": {"name": "random", "seed": 1},
    }
