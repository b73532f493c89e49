"""A scripted server and a client whose time passes only while it sleeps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lehr import Client

from .scripted_server import Script, Step, Time


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def play(clock: Time) -> Iterator[Callable[..., tuple[Script, Client]]]:
    """Starts a scripted server; gives it with a client of it whose time is ``clock``."""
    started: list[tuple[Script, Client, threading.Thread]] = []

    def start(*steps: Step, **options: Any) -> tuple[Script, Client]:
        script = Script(*steps)
        thread = threading.Thread(target=script.serve_forever, args=(0.02,))
        thread.start()
        client = Client(script.url, sleep=clock.sleep, now=clock.now, **options)
        started.append((script, client, thread))
        return script, client

    yield start
    for script, client, thread in started:
        client.close()
        script.shutdown()
        thread.join()
        script.server_close()
