"""The audit of dependencies: what it finds fails, what it cannot look up it says."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from . import audit


class Service(BaseHTTPRequestHandler):
    """A vulnerability service that knows of one, in version 1.0 of ``leaky``."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_leaky = (asked["package"]["name"], asked["version"]) == ("leaky", "1.0")
        body = json.dumps({"vulns": [LEAK]} if is_leaky else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


LEAK = {
    "id": "PYSEC-2026-1",
    "summary": "it leaks",
    "modified": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "leaky", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}


@pytest.fixture
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/query"
    server.shutdown()
    server.server_close()


def installed(folder: Path, name: str, *, editable: bool = False) -> tuple[str, ...]:
    """Where one package is installed, as pip-audit is told."""
    facts = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (facts / "RECORD").write_text("")
    if editable:
        where = {"url": folder.as_uri(), "dir_info": {"editable": True}}
        (facts / "direct_url.json").write_text(json.dumps(where))
    (facts / "INSTALLER").write_text("pip")
    cache = folder.parent / "cache"
    return "--path", str(folder), "--cache-dir", str(cache), "--timeout", "5"


def nobody() -> str:
    """Where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_what_is_known_to_be_vulnerable_fails(service, tmp_path, capsys) -> None:
    (tmp_path / "site").mkdir()
    where = installed(tmp_path / "site", "leaky")
    assert audit.main("-s", "osv", "--osv-url", service, *where) == 1
    assert "leaky 1.0: PYSEC-2026-1" in capsys.readouterr().err


def test_what_is_not_known_passes(service, tmp_path, capsys) -> None:
    (tmp_path / "site").mkdir()
    where = installed(tmp_path / "site", "sound")
    assert audit.main("-s", "osv", "--osv-url", service, *where) == 0
    assert capsys.readouterr().err == "1 packages were audited: no known vulnerability\n"


def test_what_cannot_be_looked_up_is_not_called_sound(service, tmp_path, capsys) -> None:
    (tmp_path / "site").mkdir()
    where = installed(tmp_path / "site", "mine", editable=True)
    assert audit.main("-s", "osv", "--osv-url", service, *where) == 0
    assert capsys.readouterr().err == "WARNING: 1 of 1 packages were NOT audited (mine)\n"


def test_without_the_service_it_says_so_and_goes_on(tmp_path, capsys) -> None:
    (tmp_path / "site").mkdir()
    where = installed(tmp_path / "site", "leaky")
    assert audit.main("-s", "osv", "--osv-url", f"{nobody()}/query", *where) == 0
    assert "WARNING: packages were NOT audited" in capsys.readouterr().err


class Index(BaseHTTPRequestHandler):
    """A package index that has pages of packages, and none of their versions."""

    def do_GET(self) -> None:
        name = self.path.removeprefix("/pypi/").removesuffix("/json")
        page = PAGES.get(name)
        body = json.dumps(page).encode()
        self.send_response(404 if page is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def page(version: str, *found: dict[str, object]) -> dict[str, object]:
    return {"info": {"version": version}, "vulnerabilities": list(found)}


WITHDRAWN = {"id": "PYSEC-2026-2", "withdrawn": "2026-01-01T00:00:00Z"}
PAGES = {
    "sound": page("1.0", WITHDRAWN),
    "leaky": page("1.0", {"id": "PYSEC-2026-1", "withdrawn": None}),
    "old": page("1.1"),
    "silent": {"info": {"version": "1.0"}},
}

# pip-audit as it is, but for the host that it asks for pages of versions.
AT_THE_INDEX = """
import re
import sys
import requests
from pip_audit._cli import audit
from pip_audit._service import pypi

index = sys.argv.pop(1)

class Redirected(requests.adapters.HTTPAdapter):
    def send(self, request, **options):
        request.url = re.sub("https://[^/]+", index, request.url)
        return super().send(request, **{**options, "proxies": {}})

session = requests.Session()
session.mount("https://", Redirected())
pypi.caching_session = lambda *_, **__: session
audit()
"""


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    own = [sys.executable, "-c", AT_THE_INDEX, url, "--progress-spinner", "off"]
    monkeypatch.setattr(audit, "COMMAND", own)
    yield url
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("names", "status", "says"),
    [
        (["leaky"], 1, "leaky 1.0: PYSEC-2026-1\n"),
        (
            ["sound", "old", "silent", "unknown"],
            0,
            "WARNING: 3 of 4 packages were NOT audited (old, silent, unknown)\n"
            "of these 1 are not the newest release: old 1.0 (1.1)\n"
            "1 packages were audited as the newest release: no known vulnerability\n",
        ),
    ],
)
def test_the_newest_release_is_looked_up_where_versions_have_no_page(
    names, status, says, index, tmp_path, capsys
) -> None:
    (tmp_path / "site").mkdir()
    *_, where = [installed(tmp_path / "site", name) for name in names]
    assert audit.main("--newest", index, *where) == status
    assert capsys.readouterr().err == says


def test_nobody_is_asked_for_the_newest_release_unless_wanted(index, tmp_path, capsys) -> None:
    (tmp_path / "site").mkdir()
    assert audit.main(*installed(tmp_path / "site", "sound")) == 0
    assert capsys.readouterr().err == (
        "WARNING: 1 of 1 packages were NOT audited (sound)\n"
        "with --newest INDEX those of them that are the newest release are looked up\n"
    )


def test_an_index_that_does_not_answer_is_asked_a_few_times_only(
    index, tmp_path, capsys, monkeypatch
) -> None:
    asked = []
    send = httpx.Client.get
    monkeypatch.setattr(httpx.Client, "get", lambda *a: asked.append(a[1]) or send(*a))
    monkeypatch.setattr(audit, "_AT_ONCE", 1)
    (tmp_path / "site").mkdir()
    *_, where = [installed(tmp_path / "site", f"sound-{number}") for number in range(9)]
    assert audit.main("--newest", nobody(), *where) == 0
    assert capsys.readouterr().err == (
        "WARNING: 9 of 9 packages were NOT audited (sound-0, sound-1, sound-2, ...)\n"
    )
    assert len(asked) == 3
