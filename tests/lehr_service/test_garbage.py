"""What Python's search for objects that only refer to each other leaves out."""

import asyncio
import subprocess
import sys

import uvicorn
from fastapi import FastAPI

import lehr_service.app

AFTERWARDS = """
import gc, weakref
from lehr_service.garbage import collect_rarely

class Loop:
    def __init__(self):
        self.itself = self

collect_rarely()
print(gc.get_freeze_count(), *gc.get_threshold())
gone = weakref.ref(Loop())
print(gone() is not None)
gc.collect()
print(gone() is None)
"""


def test_what_is_loaded_is_left_out_and_what_comes_later_is_found():
    done = subprocess.run(
        [sys.executable, "-c", AFTERWARDS], check=True, stdout=subprocess.PIPE, text=True
    )
    (left_out, *thresholds), *found = (line.split() for line in done.stdout.splitlines())
    assert int(left_out) > 1000
    assert [int(t) > usual for t, usual in zip(thresholds, (700, 10, 10), strict=True)] == [
        True
    ] * 3
    assert found == [["True"], ["True"]]


def test_a_server_that_has_started_collects_rarely(monkeypatch):
    called = []

    async def startup(server, sockets=None):
        called.append("uvicorn's")

    monkeypatch.setattr(uvicorn.Server, "startup", startup)
    monkeypatch.setattr(lehr_service.app, "collect_rarely", lambda: called.append("ours"))
    server = lehr_service.app._UvicornServer(FastAPI(), uvicorn.Config(FastAPI()))
    asyncio.run(server.startup())
    assert called == ["uvicorn's", "ours"]
