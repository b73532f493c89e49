"""What a person takes home by the command: the best trial, figures, exports; and the doctor."""

import contextlib
import json
import re
import sqlite3

import pytest
import typer
import yaml

from lehr import Client, examples
from lehr.cli import app
from lehr.errors import LehrError
from lehr.wire.events import ReportEvent
from lehr.wire.studies import Study
from lehr.wire.trials import Trial


@pytest.fixture
def study(client, definition, hand):
    """A finished study of two trials."""
    client.create_study(definition | {"limits": {"max_trials": 2}})
    hand.finish(0.25, 0.5)
    hand.finish(0.5, 0.75)
    return definition["name"]


def commands(group=None, path=()):
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_command_says_how_it_is_used(name, command):
    said = " ".join(command.help.split())
    assert re.search(rf"Examples?: .*lehr {name}", said), said


@pytest.mark.parametrize(
    ("name", "command"), [c for c in commands() if c[0] not in ("serve", "work")]
)
def test_every_command_can_print_json(name, command):
    assert "--json" in {option for param in command.params for option in param.opts}


def test_the_best_configuration_as_yaml_and_json(cli, study, tmp_path):
    shown = cli("study", "best", study, "--as", "yaml")
    assert shown.exit_code == 0, shown.output
    best = yaml.safe_load(shown.stdout)
    assert (best["trial"], best["value"], best["epochs"]) == (1, 0.75, 3)
    assert best["optimizer"].keys() == {"name", "learning_rate"}
    assert best["parameters"]["batch_size"] in (32, 64)
    file = tmp_path / "best.json"
    assert cli("study", "best", study, "--as", "json", "-o", str(file)).exit_code == 0
    assert json.loads(file.read_text()) == best


@pytest.mark.parametrize(("form", "ending"), [("csv", "csv"), ("json", "json"), ("optuna", "db")])
def test_a_study_is_exported(cli, study, tmp_path, monkeypatch, form, ending):
    monkeypatch.chdir(tmp_path)
    said = cli("study", "export", study, "-f", form)
    assert said.stdout == f"wrote study.{ending}\n"
    file = tmp_path / f"study.{ending}"
    if form == "optuna":
        with contextlib.closing(sqlite3.connect(file)) as found:
            assert found.execute("SELECT count(*) FROM trials").fetchone() == (2,)
        found.close()
    else:
        assert "0.75" in file.read_text()
    nowhere = cli("study", "export", study, "-o", str(tmp_path / "no" / "file"))
    assert (nowhere.exit_code, "cannot write" in nowhere.stderr) == (1, True)


@pytest.mark.parametrize("name", examples.names())
def test_every_example_can_be_created(cli, name):
    said = cli("study", "create", "--example", name, "--json")
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["name"] == name
    other = cli("study", "create", "--example", name, "--name", "another")
    assert "study another is active" in other.stdout


def test_what_to_create_is_given_once(cli, file):
    assert cli("study", "create").exit_code == 2
    assert cli("study", "create", file, "--example", "digits").exit_code == 2
    unknown = cli("study", "create", "--example", "no")
    assert (unknown.exit_code, "take digits" in unknown.stderr) == (1, True)
    with pytest.raises(LehrError):
        examples.text("../examples/digits")


def test_what_happened_is_told_as_lines_of_json(cli, client, study):
    told = [json.loads(line) for line in cli("study", "watch", study, "--json").stdout.splitlines()]
    assert [one["event"] for one in told].count("report") == 4
    assert told[-1]["event"] == "study"
    assert told[-1]["data"]["state"] == "completed"
    events = list(client.events(study))
    assert [event.data.model_dump(mode="json") for event in events] == [o["data"] for o in told]
    assert {type(event.data) for event in events} == {ReportEvent, Trial, Study}
    assert list(client.events(study, events[2].id)) == events[3:]
    assert list(client.events(study, events[-1].id)) == []


def test_an_optuna_study_is_a_warm_start(cli, client, study, definition, tmp_path):
    file = tmp_path / "old.db"
    assert cli("study", "export", study, "-f", "optuna", "-o", str(file)).exit_code == 0
    client.create_study(definition | {"name": "next"})
    said = cli("study", "import", "next", f"sqlite:///{file}", "--best", "1", "--json")
    assert json.loads(said.stdout) == {"enqueued": [0], "refused": []}
    best = client.best(study)
    assert client.trial("next", 0).params == best.params
    wrong = cli("study", "import", "next", f"sqlite:///{file}", "--set", "batch_size=7")
    assert "left out (2 points)" in wrong.stderr, "once for all that lack the same"
    renamed = cli(
        *("study", "import", "next", str(file)),
        *("--rename", "sgd.learning_rate=x", "--best", "1"),
    )
    assert "unknown parameter" in renamed.stderr
    for missing in (tmp_path / "no.db", f"sqlite:///{tmp_path / 'no.db'}"):
        nowhere = cli("study", "import", "next", str(missing))
        assert (nowhere.exit_code, "there is no file" in nowhere.stderr) == (1, True)
    assert not (tmp_path / "no.db").exists()
    empty = tmp_path / "empty.db"
    empty.touch()
    other = cli("study", "import", "next", str(empty), "--study", "no")
    assert (other.exit_code, "Optuna cannot open" in other.stderr) == (1, True)


def test_the_doctor_finds_what_is_there_and_what_is_not(
    cli, client, definition, hand, lehr_at, monkeypatch, tmp_path
):
    monkeypatch.setenv("LEHR_DATA_DIR", str(tmp_path))
    client.create_study(definition | {"task": "no_such_task"})

    def found(result):
        return {one["what"]: one for one in json.loads(result.stdout)}

    result = cli("doctor", "--json")
    looks = found(result)
    assert looks["server"]["state"] == looks["database"]["state"] == "ok"
    assert looks["worker hand"]["says"] == "alive, idle"
    assert "no worker offers the task" in looks["study study"]["says"]
    assert looks["data"]["state"] == "wrong"
    assert result.exit_code == 1
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "mnist.npz").touch()
    well = cli("doctor")
    assert well.exit_code == 0, well.output
    assert "mnist/mnist.npz" in well.stdout
    away = lehr_at("http://127.0.0.1:9", "doctor")
    assert away.exit_code == 1
    assert "start one with: lehr serve" in away.stdout


def test_a_client_draws_only_what_is_asked(client, study):
    with Client(client.server) as other:
        figure = other.plot(study, "learning_curves", trials=[1])
    assert {d["meta"]["trial"] for d in figure["data"] if d.get("meta")} == {1}
