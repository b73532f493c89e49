"""A server that validates definitions."""

import json
import threading

import httpx
import pytest
import uvicorn

from lehr_service.app import create_app
from lehr_service.settings import Settings


@pytest.fixture(scope="module")
def http(tmp_path_factory):
    """A server for all tests of this module: none of them may leave a study behind."""
    app = create_app(Settings(home=tmp_path_factory.mktemp("home")))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client
    server.should_exit = True
    thread.join(20)


def post(http, definition, **query):
    # httpx's own json= refuses NaN, and a client need not.
    headers = {"content-type": "application/json"}
    return http.post("/v1/studies", content=json.dumps(definition), headers=headers, params=query)
