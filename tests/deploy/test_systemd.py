"""One box: the units are what systemd takes, and the script lays out what they need."""

import ctypes.util
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.deploy.conftest import DEPLOY
from tests.system.conftest import LEHR, Lab, digits

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


class Confined(Lab):
    """A server and workers under the system call filters of their units."""

    def start(self, name, *command):
        log = (self.folder / f"{name}.log").open("ab")
        unit = SYSTEMD / f"lehr-{name}.service"
        program = [sys.executable, Path(__file__).with_name("confined.py"), unit, LEHR, *command]
        process = subprocess.Popen(program, env=self._environment, stdout=log, stderr=log)
        log.close()
        self._processes.append(process)
        return process


@pytest.mark.tensorflow
def test_what_the_units_forbid_is_not_needed(tmp_path, wait_for):
    if not (ctypes.util.find_library("seccomp") and shutil.which("systemd-analyze")):
        pytest.skip("libseccomp or systemd-analyze is not installed")
    lab = Confined(tmp_path, f"sqlite:///{tmp_path}/lehr.db")
    try:
        server = lab.start("server", "serve")
        wait_for(lambda: lab.is_ready() or server.poll() is not None, 120)
        worker = lab.start("worker", "work", "--devices", "cpu")
        study = digits(limits={"max_trials": 2}, sampler="tpe", training={"epochs": 2})
        lab.post("/v1/studies", **study)
        wait_for(lambda: lab.study()["state"] != "active" or worker.poll() is not None, 240)
        assert (lab.study()["state"], lab.study()["counts"]["fail"]) == ("completed", 0)
        for process in (server, worker):
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert re.search(r"^Seccomp:\t2", status, re.MULTILINE)
    finally:
        lab.stop()
        print(lab.logs())  # noqa: T201 - pytest shows it where a test fails


def test_scripts_keep_shells_rules(tool):
    scripts = ["systemd/install", "slurm/autoscale", "slurm/fleet.sbatch", "containers/prepare"]
    tool("shellcheck", "--external-sources", *(DEPLOY / name for name in scripts))
