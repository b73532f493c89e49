"""``lehr serve`` and ``lehr work``: options, environment, and what is said when they cannot run."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result

from lehr.cli import app
from lehr_service.settings import Settings
from lehr_worker.options import AgentOptions

Run = Callable[..., Result]
SERVER = "http://127.0.0.1:1"


def options(command: str) -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return {p.name: p for p in group.commands[command].params if p.name != "help"}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Settings that the server was started with; it does not run."""
    started: list[Settings] = []
    monkeypatch.setattr("lehr_service.replicas.serve", started.append)
    return started


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[AgentOptions]:
    """Options that the worker was started with; it does not run."""
    started: list[AgentOptions] = []
    monkeypatch.setattr("lehr_worker.agent.run", lambda given: started.append(given) or 7)
    return started


def test_every_setting_of_the_server_is_an_option_and_a_variable() -> None:
    found = options("serve")
    assert set(found) == set(Settings.model_fields)
    for name, option in found.items():
        assert option.envvar == f"LEHR_{name.upper()}"
        default = Settings.model_fields[name].default
        if isinstance(default, int | float) and not isinstance(default, bool):
            assert f"by default {default:g}." in option.help.replace(";", ".") or (
                f"by default {default}" in option.help
            )


def test_the_server_gets_what_was_given_and_nothing_else(
    served: list[Settings], lehr_at: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEHR_LEASE_SECONDS", "50")
    arguments = ("--home", str(tmp_path), "--port", "0", "--host", "0.0.0.0", "--token", "t" * 8)
    assert lehr_at(SERVER, "serve", *arguments).exit_code == 0
    expected = Settings(home=tmp_path, port=0, host="0.0.0.0", token="t" * 8, lease_seconds=50)
    assert served == [expected]
    assert served[0].model_fields_set == {"home", "port", "host", "token", "lease_seconds"}


def test_the_servers_token_may_lie_in_a_file(
    served: list[Settings], lehr_at: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    monkeypatch.setenv("LEHR_TOKEN_FILE", str(file))
    refused = lehr_at(SERVER, "serve", "--host", "0.0.0.0")
    assert (refused.exit_code, served) == (1, [])
    assert f"LEHR_TOKEN_FILE: {file} cannot be read" in refused.stderr
    file.write_text("from-a-file\n")
    assert lehr_at(SERVER, "serve", "--host", "0.0.0.0").exit_code == 0
    assert served[0].token == "from-a-file"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "70000"], "--port: "),
        (["--tls-key", "key.pem"], "tls_key needs its tls_certificate"),
        (["--tls-certificate", "none.pem"], "must be a certificate and its key in PEM"),
        (["--requests-per-second", "0"], "--requests-per-second: "),
        (["--database-url", "postgres//u:secret@h/d"], "--database-url: is no database URL"),
        (["--lease-seconds", "1"], "lease_seconds must be above"),
        (["--token", "short"], "--token: "),
    ],
)
def test_settings_that_cannot_be_are_a_wrong_use(
    served: list[Settings], lehr_at: Run, arguments: list[str], said: str
) -> None:
    refused = lehr_at(SERVER, "serve", *arguments)
    assert (refused.exit_code, served) == (2, [])
    assert said in " ".join(refused.stderr.replace("│", "").split())
    assert "secret" not in refused.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--port", "x"]])
def test_secrets_of_the_environment_are_not_repeated(
    lehr_at: Run, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEHR_TOKEN", "the secret hunter2")
    monkeypatch.setenv("LEHR_DATABASE_URL", "postgresql://lehr:hunter2@h/d")
    said = lehr_at(SERVER, "serve", *arguments).output
    assert "serve" in said
    assert "hunter2" not in said
    settings = Settings(token="the secret hunter2", database_url="postgresql://lehr:hunter2@h/d")
    assert "hunter2" not in repr(settings)


def test_the_worker_gets_what_was_given(worked: list[AgentOptions], lehr_at: Run) -> None:
    arguments = ("--tasks", "a.b", "--tasks", "c", "--devices", "0,1", "--name", "n")
    times = ("--drain-seconds", "1", "--checkpoint-seconds", "2", "--data-dir", "/data")
    logs = ("--tensorboard", "/logs", "--idle-exit-seconds", "3")
    limits = ("--step-seconds", "3", "--memory-bytes", "4")
    done = lehr_at(SERVER, "work", *arguments, *times, *logs, *limits, "--token", "t")
    assert done.exit_code == 7
    assert worked == [
        AgentOptions(
            server=SERVER,
            token="t",
            tasks=("a.b", "c"),
            devices="0,1",
            name="n",
            data_dir="/data",
            drain_seconds=1.0,
            checkpoint_seconds=2.0,
            tensorboard="/logs",
            step_seconds=3.0,
            memory_bytes=4,
            idle_exit_seconds=3.0,
        )
    ]


def test_the_worker_has_the_agents_defaults(
    worked: list[AgentOptions], lehr_at: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting in ("LEHR_DATA_DIR", "LEHR_TENSORBOARD"):
        monkeypatch.delenv(setting, raising=False)
    lehr_at(SERVER, "work")
    assert worked == [AgentOptions(server=SERVER)]
    known = {field.name for field in dataclasses.fields(AgentOptions)}
    assert set(options("work")) <= known


@pytest.mark.parametrize(
    ("command", "extra", "missing"), [("serve", "service", "fastapi"), ("work", "worker", "keras")]
)
def test_a_missing_extra_is_named(command: str, extra: str, missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\nfrom lehr.cli import app; app([{command!r}])"
    )
    refused = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"lehr {command} needs the extra [{extra}] ({missing} is not installed): "
        f"pip install 'lehr[{extra}]'\n"
    )
