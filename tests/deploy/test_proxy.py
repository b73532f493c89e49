"""The proxy's settings under the real nginx, two real servers of one database behind it."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import uuid

import httpx
import pytest
from tests.deploy.conftest import DEPLOY
from tests.system.conftest import Lab, digits

CONTAINERS = DEPLOY / "containers"
# A claim may wait for 60 s; here it does for long enough to meet any buffer, on demand for 45 s.
WAIT_SECONDS = float(os.environ.get("LEHR_TEST_POLL_SECONDS", "3"))


@pytest.fixture
def labs(postgres, tmp_path, wait_for):
    database, labs = postgres(), []
    try:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            labs.append(Lab(tmp_path / name, database))
            labs[-1].start("server", "serve")
        for lab in labs:
            wait_for(lab.is_ready, 120)
        yield labs
    finally:
        for lab in labs:
            lab.stop()


@pytest.fixture
def proxy(labs, tmp_path, wait_for):
    """A client of the proxy."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    subprocess.run([CONTAINERS / "prepare", tmp_path], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = (CONTAINERS / "nginx.conf").read_text()
    for number, lab in enumerate(labs, 1):
        text = text.replace(f"server-{number}:8642", lab.url.removeprefix("http://"))
    text = text.replace("listen 8443", f"listen 127.0.0.1:{port}").replace("/tmp/", f"{tmp_path}/")
    text = text.replace("/etc/nginx/tls", f"{tmp_path}/tls")
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"daemon off;\n{'user root;' if os.geteuid() == 0 else ''}\n{text}")
    subprocess.run(["nginx", "-t", "-q", "-p", tmp_path, "-c", conf], check=True)
    with (tmp_path / "nginx.log").open("wb") as log:
        nginx = subprocess.Popen(["nginx", "-p", tmp_path, "-c", conf], stderr=log)
    trust = ssl.create_default_context(cafile=str(tmp_path / "tls/tls.crt"))
    url = f"https://localhost:{port}"
    with httpx.Client(base_url=url, verify=trust, timeout=90, trust_env=False) as http:

        def answers():
            try:
                return http.get("/readyz").status_code == 200
            except httpx.TransportError:
                return False

        try:
            wait_for(answers)
            yield http
        finally:
            nginx.terminate()
            nginx.wait(20)


def test_streams_polls_and_a_server_that_dies(proxy, labs, wait_for):
    def post(path, **body):
        answer = proxy.post(path, json=body)
        assert answer.status_code in (200, 201, 204), answer.text
        return answer.json() if answer.content else None

    worker = post("/v1/workers", name="w", tasks={"digits_mlp": {}})["id"]

    def claim(wait):
        return post(f"/v1/workers/{worker}/claim", request_id=str(uuid.uuid4()), wait=wait)

    begun = time.monotonic()
    assert claim(WAIT_SECONDS) is None
    assert time.monotonic() - begun >= WAIT_SECONDS

    post("/v1/studies", **digits())
    lease = claim(20)
    seen, open_ = [], threading.Event()

    def listen():
        with proxy.stream("GET", "/v1/studies/digits/events") as answer:
            open_.set()
            for line in answer.iter_lines():
                seen.append(line)
                if line == "event: report":
                    return

    reader = threading.Thread(target=listen, daemon=True)
    reader.start()
    assert open_.wait(30)
    wait_for(lambda: "event: trial" in seen)
    assert "event: report" not in seen
    post(f"/v1/attempts/{lease['token']}/reports", reports=[{"step": 0, "value": 0.5}])
    reader.join(10)  # the stream goes on: a buffer would keep the event
    assert seen[-1] == "event: report"

    waiting = []
    poll = threading.Thread(target=lambda: waiting.append(proxy.get("/v1/studies/digits?wait=2")))
    poll.start()
    state = b"0123456789abcdef" * 65_536 * 2
    path = f"/v1/attempts/{lease['token']}/checkpoint"
    assert proxy.put(path, content=state).status_code in (200, 201, 204)
    assert proxy.get(path).content == state
    poll.join()
    assert waiting[0].status_code == 200

    labs[0]._processes[0].send_signal(signal.SIGKILL)
    labs[0]._processes[0].wait()
    answers = [proxy.get("/v1/studies/digits").status_code for _ in range(20)]
    assert answers == [200] * 20
    report = post(f"/v1/attempts/{lease['token']}/reports", reports=[{"step": 1, "value": 0.6}])
    assert report["verdict"] == "continue"


def test_waits_fit_into_the_proxys_patience():
    text = (CONTAINERS / "nginx.conf").read_text()
    assert int(re.search(r"proxy_read_timeout (\d+)s", text)[1]) > 60  # the longest claim
    assert re.search(r"proxy_buffering off", text)
