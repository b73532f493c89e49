"""Containers: the files are what their tools take; what they run is run without an engine."""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.deploy.conftest import DEPLOY
from tests.system.conftest import LEHR

CONTAINERS = DEPLOY / "containers"
PROJECT = DEPLOY.parent
METRICS = {
    *("lehr_http_request_seconds", "lehr_lane_batch_commands", "lehr_lane_wait_seconds"),
    *("lehr_ask_seconds", "lehr_trials", "lehr_studies", "lehr_workers", "lehr_leases"),
    *("lehr_waiting_trials", "lehr_worker_idle_share"),
}


def test_the_dockerfile_keeps_the_rules(tool, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    tool("hadolint", CONTAINERS / "Dockerfile")


def test_the_images_get_what_they_copy_and_nothing_more():
    dockerfile = (CONTAINERS / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    ignored = (CONTAINERS / "Dockerfile.dockerignore").read_text().split()
    assert {f"!{name}" for name in names} == {line for line in ignored if line.startswith("!")}
    assert all((PROJECT / name).exists() for name in names)


def test_compose_takes_the_file(tool, tmp_path):
    text = (CONTAINERS / "compose.yaml").read_text()
    (tmp_path / "compose.yaml").write_text(text.replace("name: lehr\n", "", 1))  # newer than 1.29
    (tmp_path / ".env").write_text("LEHR_DATABASE_PASSWORD=x\n")
    project = ("--project-directory", tmp_path, "-f", tmp_path / "compose.yaml")
    whole = yaml.safe_load(tool("docker-compose", *project, "config"))
    assert {"server-1", "server-2", "database", "proxy", "worker"} < whole["services"].keys()
    for name in ("server-1", "server-2", "worker", "proxy"):
        service = whole["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    for service in whole["services"].values():
        for volume in service.get("volumes", []):
            source = re.match(rf"{tmp_path}/([^:]+):", volume if isinstance(volume, str) else "")
            if source and source[1] not in ("data", "tls"):
                assert (CONTAINERS / source[1]).exists()


def test_prometheus_takes_its_settings_and_alerts(tool):
    tool("promtool", "check", "config", "--syntax-only", CONTAINERS / "prometheus.yml")
    tool("promtool", "check", "rules", CONTAINERS / "alerts.yml")


def expressions():
    board = json.loads((CONTAINERS / "grafana/lehr.json").read_text())
    panels = {(p["title"], t["refId"]): t["expr"] for p in board["panels"] for t in p["targets"]}
    alerts = yaml.safe_load((CONTAINERS / "alerts.yml").read_text())
    rules = {(r["alert"], ""): r["expr"] for g in alerts["groups"] for r in g["rules"]}
    return panels | rules


def test_what_is_drawn_and_alerted_on_is_measured():
    named = {m for text in expressions().values() for m in re.findall(r"lehr_\w+", text)}
    found = {re.sub("_(bucket|sum|count)$", "", name) for name in named}
    assert found == METRICS


def test_the_dashboards_queries_are_promql(tool, tmp_path):
    queries = [text.replace("$__rate_interval", "5m") for text in expressions().values()]
    rules = [{"record": f"q:{n}", "expr": query} for n, query in enumerate(queries)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(queries)} rules found" in tool("promtool", "check", "rules", file)


def test_the_server_runs_as_in_its_image(tmp_path, wait_for):
    """As user 10001 on a read-only root, with a /tmp and a home; the health check as written."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv")
    runs = ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups", LEHR, "--version"]
    if subprocess.run(runs).returncode:
        pytest.skip(f"user 10001 may not run {LEHR}, or the Python that it is for")
    script = """
        set -e
        mount --make-rprivate /
        ip link set lo up
        mount -t tmpfs tmpfs /mnt && mkdir /mnt/home /mnt/tmp && chown 10001 /mnt/*
        mount --bind / / && mount -o remount,bind,ro /
        exec setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs \\
          --bounding-set=-all "$@"
    """
    dockerfile = (CONTAINERS / "Dockerfile").read_text()
    check = json.loads(re.search(r"HEALTHCHECK .*?CMD (\[.*?\])\n", dockerfile, re.DOTALL)[1])
    here = tmp_path / "token"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("LEHR_")},
        "HOME": "/mnt/home",
        "LEHR_HOME": "/mnt/home",
        "TMPDIR": "/mnt/tmp",  # the image's /tmp; here the project itself may lie in that
        "LEHR_HOST": "0.0.0.0",
        "LEHR_TOKEN": "a token of the test",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with here.open("wb") as log:
        server = subprocess.Popen(
            ["unshare", "--mount", "--net", "sh", "-c", script, "sh", LEHR, "serve"],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        inside = [
            "nsenter",
            f"--target={server.pid}",
            "--net",
            "--mount",
            sys.executable,
            *check[1:],
        ]

        def healthy():
            assert server.poll() is None, here.read_text()
            return (
                subprocess.run(
                    [*inside, sys.executable, *check[1:]], capture_output=True
                ).returncode
                == 0
            )

        wait_for(healthy, 120)
        status = Path(f"/proc/{server.pid}/status").read_text()
        assert re.search(r"^Uid:\t10001\t10001", status, re.MULTILINE)
        assert re.search(r"^CapBnd:\t0+$", status, re.MULTILINE)
    finally:
        server.terminate()
        assert server.wait(20) in (0, -15), here.read_text()


def test_what_compose_needs_is_made_once(tmp_path):
    def prepare():
        subprocess.run([CONTAINERS / "prepare", tmp_path], check=True)
        return {p.name: p.read_text() for p in tmp_path.rglob("*") if p.is_file()}

    made = prepare()
    assert made.keys() == {"token", ".env", "tls.crt", "tls.key"}
    assert prepare() == made
    ssl.create_default_context(cafile=str(tmp_path / "tls/tls.crt"))
