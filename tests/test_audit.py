"""The audit of dependencies: what it finds fails, what it cannot look up it says."""

from __future__ import annotations

import importlib.util
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("audit", Path(__file__).with_name("audit.py"))
audit = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(audit)


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


def installed(folder: Path, name: str, version: str = "1.0") -> tuple[str, ...]:
    """Where one package is installed, as pip-audit is told."""
    facts = folder / f"{name}-{version}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (facts / "RECORD").write_text("")
    (facts / "INSTALLER").write_text("pip")
    cache = folder.parent / "cache"
    return "--path", str(folder), "--cache-dir", str(cache), "--timeout", "5"


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
    where = installed(tmp_path / "site", "odd", version="unlike any")
    assert audit.main("-s", "osv", "--osv-url", service, *where) == 0
    assert capsys.readouterr().err == "WARNING: 1 of 1 packages were NOT audited (odd)\n"


def test_without_the_service_it_says_so_and_goes_on(tmp_path, capsys) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/query"
    (tmp_path / "site").mkdir()
    where = installed(tmp_path / "site", "leaky")
    assert audit.main("-s", "osv", "--osv-url", nobody, *where) == 0
    assert "WARNING: packages were NOT audited" in capsys.readouterr().err
