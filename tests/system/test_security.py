"""``lehr serve`` as an operator of a lab runs it: HTTPS, tokens, and logs without secrets."""

import ssl
import subprocess

import httpx
import pytest

from lehr import Client
from lehr.errors import LehrError, ServerUnreachable
from lehr_service.bootstrap import LocalTokens
from lehr_service.settings import Settings
from lehr_worker.agent import Agent
from lehr_worker.options import AgentOptions

from .conftest import LEHR, Lab

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate of this machine, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run(command, check=True, capture_output=True)
    return files


def lehr(lab, *command, **variables):
    environment = {**lab._environment, **variables}
    return subprocess.run(
        [LEHR, *command], env=environment, capture_output=True, text=True, timeout=120
    )


def test_https_with_a_certificate_of_ones_own(certificate, tmp_path, wait_for, monkeypatch):
    files, secret = certificate, "by environment and secret"
    lab = Lab(
        tmp_path,
        f"sqlite:///{tmp_path / 'lehr.db'}",
        LEHR_TLS_CERTIFICATE=str(files[0]),
        LEHR_TLS_KEY=str(files[1]),
        LEHR_TOKEN=secret,
        LEHR_HOST="0.0.0.0",
    )
    lab.http.close()
    url = lab.url.replace("http:", "https:")
    trusted = ssl.create_default_context(cafile=files[0])
    lab.http = httpx.Client(base_url=url, verify=trusted, timeout=30)
    monkeypatch.setenv("LEHR_TOKEN", secret)
    try:
        lab.start("server", "serve")
        wait_for(lab.is_ready)
        with Client(url, retry_seconds=0) as stranger, Client(lab.url, retry_seconds=0) as plain:
            with pytest.raises(ServerUnreachable, match=r"certificate verify failed"):
                stranger.ready()
            with pytest.raises(ServerUnreachable):
                plain.ready()
        with Client(url, ca_file=str(files[0])) as client:
            made = client.create_token("boxes", "worker").token
            assert list(client.studies()) == []
        monkeypatch.setenv("LEHR_CA_FILE", str(files[0]))
        agent = Agent(AgentOptions(server=url, token=made), [])
        for client in (agent._client, agent._heart):
            with client:
                client.ready()
        listed = lehr(lab, "token", "list", LEHR_SERVER=url, LEHR_CA_FILE=str(files[0]))
        assert ("boxes" in listed.stdout, listed.returncode) == (True, 0), listed.stderr

        signed = lab.http.post("/sign-in", json={"token": secret})
        cookie = signed.headers["set-cookie"]
        assert all(part in cookie for part in ("Secure", "HttpOnly", "SameSite=strict"))
        assert signed.headers["strict-transport-security"] == "max-age=31536000"
        for path in ("/v1/studies", f"/v1/attempts/{made}/reports", f"/x/{made}"):
            lab.http.post(f"{path}?token={made}", headers={"Authorization": f"Bearer {made}"})
            lab.http.post(path, headers={"Authorization": f"Bearer wrong-{secret}"})
        told = (tmp_path / "server.log").read_text()
        assert "who=boxes role=worker" in told
        assert "LEHR_TOKEN (admin) POST /v1/tokens: 201" in told
        assert made.rpartition("_")[2] not in told
        assert secret not in told
    finally:
        lab.stop()


def test_a_ca_file_that_is_none_is_named(tmp_path):
    for file in (tmp_path / "none.pem", tmp_path):
        with pytest.raises(LehrError, match="LEHR_CA_FILE"):
            Client("https://127.0.0.1:1", ca_file=str(file))
    Client("http://127.0.0.1:1", ca_file="not needed").close()


def test_beyond_loopback_it_starts_with_tokens_only(tmp_path, wait_for):
    lab = Lab(tmp_path, "", LEHR_HOST="0.0.0.0")
    try:
        refused = lehr(lab, "serve")
        assert refused.returncode == 1
        assert "can be reached from other machines, and there are no tokens" in refused.stderr
        assert "lehr token create admin --role admin --local" in refused.stderr
        assert "Traceback" not in refused.stderr
        with LocalTokens(Settings(home=tmp_path / "home")) as tokens:
            made = tokens.create_token("admin", "admin").token
        lab.start("server", "serve")
        wait_for(lab.is_ready)
        assert lab.http.get("/v1/studies").status_code == 401
        mine = {"Authorization": f"Bearer {made}"}
        assert lab.http.get("/v1/studies", headers=mine).status_code == 200
    finally:
        lab.stop()


def test_the_databases_password_is_never_told(tmp_path):
    lab = Lab(tmp_path, "postgresql://lehr:hunter2@127.0.0.1:1/lehr", LEHR_TOKEN="secret hunter2")
    lab.http.close()
    done = lehr(lab, "serve")
    assert done.returncode != 0
    assert "refused" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
