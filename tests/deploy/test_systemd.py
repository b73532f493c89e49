"""One box: the units are what systemd takes, and the script lays out what they need."""

import re
import stat
import subprocess

import pytest
from tests.deploy.conftest import DEPLOY

SYSTEMD = DEPLOY / "systemd"
PARTS = ["server", "worker"]


@pytest.fixture
def unit(request, tmp_path):
    """The unit, with a program that is there."""
    copy = tmp_path / f"lehr-{request.param}.service"
    text = (SYSTEMD / copy.name).read_text()
    copy.write_text(text.replace("/opt/lehr/bin/lehr", "/bin/true"))
    return copy


@pytest.mark.parametrize("unit", PARTS, indirect=True)
def test_systemd_takes_the_units(unit, tool):
    said = tool("systemd-analyze", "verify", "--man=no", unit)
    assert unit.name not in said, said


@pytest.mark.parametrize(("unit", "exposure"), [("server", 15), ("worker", 25)], indirect=["unit"])
def test_the_units_keep_what_they_run_away_from_the_machine(unit, exposure, tool):
    tool("systemd-analyze", "security", "--offline=true", f"--threshold={exposure}", unit)


@pytest.mark.parametrize("part", PARTS)
def test_no_secret_is_in_a_command_line_or_an_environment(part):
    text = (SYSTEMD / f"lehr-{part}.service").read_text()
    assert "LoadCredential=token:/etc/lehr/token" in text
    assert not re.search(r"LEHR_TOKEN=|--token", text)


def test_the_script_lays_out_settings_and_keeps_them(tmp_path):
    def install(*arguments):
        command = [SYSTEMD / "install", "--root", tmp_path, *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    assert install("server").returncode == 0
    token = tmp_path / "etc/lehr/token"
    first = token.read_text()
    assert re.fullmatch("[0-9a-f]{48}", first)
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    (tmp_path / "etc/lehr/server.env").write_text("LEHR_PORT=1\n")
    assert install("server", "worker").returncode == 0
    assert token.read_text() == first
    assert (tmp_path / "etc/lehr/server.env").read_text() == "LEHR_PORT=1\n"
    assert {path.name for path in tmp_path.rglob("*.service")} == {
        "lehr-server.service",
        "lehr-worker.service",
    }
    wrong = install("sever")
    assert (wrong.returncode, "give server, worker or both" in wrong.stderr) == (1, True)
    assert "what to install" in install().stderr
