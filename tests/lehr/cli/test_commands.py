"""``lehr study`` and ``lehr worker`` against a real server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from lehr import Client
from lehr.cli import app
from lehr.wire.workers import Failure

Run = Callable[..., Result]
NOBODY = "http://127.0.0.1:1"


def test_a_study_is_created_shown_and_deleted(cli: Run, file: str) -> None:
    assert (
        cli("study", "list").stdout
        == "no studies; create one with: lehr study create FILE (or --example digits)\n"
    )
    created = cli("study", "create", file)
    assert created.exit_code == 0
    assert "study study is active (no worker that is here offers the task" in created.stdout
    assert "lehr study watch study" in created.stdout
    assert cli("study", "create", file).exit_code == 0
    listed = cli("study", "list").stdout
    assert "study" in listed
    assert "digits_mlp" in listed
    shown = cli("study", "show", "study").stdout
    for said in ("maximize val_accuracy (last)", "name=random seed=1", "3 epochs, seed 0"):
        assert said in shown
    assert json.loads(cli("study", "show", "study", "--json").stdout)["name"] == "study"
    assert [s["name"] for s in json.loads(cli("study", "list", "--json").stdout)] == ["study"]
    assert json.loads(cli("study", "list", "--json", "--state", "paused").stdout) == []

    refused = cli("study", "delete", "study", "--yes")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "study 'study' is active; cancel it before deleting it\n",
    )
    assert cli("study", "cancel", "study").stdout == "study study is cancelled\n"
    assert cli("study", "delete", "study", given="n\n").exit_code == 1
    deleted = cli("study", "delete", "study", given="y\n")
    assert "delete study study with 0 trials?" in deleted.output
    assert deleted.exit_code == 0
    assert cli("study", "show", "study").stderr == "there is no study 'study'\n"


def test_a_definition_comes_from_standard_input_too(cli: Run, definition: dict[str, Any]) -> None:
    assert cli("study", "create", "-", given=json.dumps(definition)).exit_code == 0
    assert cli("study", "show", definition["name"]).exit_code == 0


def test_a_study_is_steered(cli: Run, file: str) -> None:
    cli("study", "create", file)
    assert cli("study", "pause", "study").stdout == "study study is paused\n"
    assert cli("study", "resume", "study").stdout.startswith("study study is active")
    stopped = cli("study", "stop", "study")
    assert stopped.stdout.startswith("study study is completed")
    again = cli("study", "resume", "study")
    assert again.exit_code == 1
    assert "cannot resume" in again.stderr


def test_enqueued_parameters_are_read_as_yaml(cli: Run, file: str) -> None:
    cli("study", "create", file)
    done = cli("study", "enqueue", "study", "optimizer=sgd", "sgd.learning_rate=1e-2")
    said = "trial 0 of study study is waiting: optimizer=sgd sgd.learning_rate=0.01\n"
    assert done.stdout == said
    listed = json.loads(cli("study", "trials", "study", "--json").stdout)
    assert listed[0]["params"] == {"optimizer": "sgd", "sgd.learning_rate": 0.01}
    wrong = cli("study", "enqueue", "study", "sgd.learning_rate=5")
    assert wrong.exit_code == 1
    assert "\n  params.sgd.learning_rate: must be from 0.001 to 1, got 5" in wrong.stderr


@pytest.mark.parametrize("pairs", [["optimizer"], ["=3"], ["a=1", "a=2"]])
def test_parameters_that_are_no_pairs_are_a_wrong_use(cli: Run, pairs: list[str]) -> None:
    assert cli("study", "enqueue", "study", *pairs).exit_code == 2


def test_trials_are_listed_and_the_best_is_found(cli: Run, file: str, hand: Any) -> None:
    cli("study", "create", file)
    assert cli("study", "trials", "study").stdout == "no trials in study study\n"
    none = cli("study", "best", "study")
    assert (none.exit_code, "is complete yet" in none.stderr) == (1, True)
    for value in (0.25, 0.75, 0.5):
        hand.finish(0.1, value)
    best = cli("study", "best", "study").stdout
    assert "0.75" in best
    assert "0.25" not in best
    assert json.loads(cli("study", "best", "study", "--json").stdout)["number"] == 1
    ordered = ("study", "trials", "study", "--json", "--order-by", "-value", "--limit", "2")
    assert [t["number"] for t in json.loads(cli(*ordered).stdout)] == [1, 2]
    assert "hand" in cli("study", "trials", "study", "--state", "complete").stdout
    assert cli("study", "trials", "study", "--state", "pruned").stdout.startswith("no trials")
    assert cli("study", "trials", "study", "--state", "lost").exit_code == 2
    assert cli("study", "trials", "study", "--order-by", "colour").exit_code == 1


def test_the_pareto_front_is_listed(cli: Run, client: Client, definition: dict[str, Any]) -> None:
    from uuid import uuid4

    from lehr.wire.workers import Completion, Registration

    del definition["objective"]
    definition["objectives"] = [
        {"metric": "val_accuracy", "direction": "maximize"},
        {"metric": "latency", "direction": "minimize"},
    ]
    cli("study", "create", "-", given=json.dumps(definition))
    worker = client.register(Registration(name="w", tasks={"digits_mlp": {}}))
    for values in ([0.9, 5.0], [0.8, 1.0], [0.7, 6.0]):
        lease = client.claim(worker.id, uuid4(), wait=10)
        assert lease is not None
        client.complete(lease.token, Completion(values=values))
    shown = cli("study", "best", "study").stdout
    assert "0.9, 5" in shown
    assert "0.7, 6" not in shown
    front = json.loads(cli("study", "best", "study", "--json").stdout)
    assert [t["values"] for t in front] == [[0.9, 5.0], [0.8, 1.0]]
    cli("study", "stop", "study")
    watched = cli("study", "watch", "study").stdout
    assert watched.count("0.8, 1") == 2  # its line, and the final table


def test_workers_are_listed_and_drained(cli: Run, client: Client) -> None:
    from lehr.wire.workers import Registration

    assert cli("worker", "list").stdout.startswith("no workers; start one")
    ids = {
        name: [
            client.register(Registration(name=name, tasks={"t": {}}, devices=[device])).id
            for device in devices
        ]
        for name, devices in {"one": ["cpu"], "two": [{"name": "GPU 7"}, "cpu"]}.items()
    }
    listed = cli("worker", "list").stdout
    assert "GPU 7" in listed
    assert ids["one"][0] in listed
    assert len(json.loads(cli("worker", "list", "--json").stdout)) == 3

    assert cli("worker", "drain", "one").stdout.startswith("worker one leaves when")
    ambiguous = cli("worker", "drain", "two")
    assert ambiguous.exit_code == 1
    assert all(worker_id in ambiguous.stderr for worker_id in ids["two"])
    assert cli("worker", "drain", ids["two"][0]).exit_code == 0
    states = {w["id"]: w["state"] for w in json.loads(cli("worker", "list", "--json").stdout)}
    assert states == {
        ids["one"][0]: "draining",
        ids["two"][0]: "draining",
        ids["two"][1]: "alive",
    }
    problems = {"mine": "importing mine failed: no such thing"}
    client.register(Registration(name="three", tasks={"t": {}}, problems=problems))
    listed = cli("worker", "list").stdout
    assert "three cannot use mine: importing mine failed: no such thing\n" in listed
    (found,) = [f for f in json.loads(cli("doctor", "--json").stdout) if f["state"] == "wrong"]
    assert found["says"] == "cannot use mine: importing mine failed: no such thing"
    missing = cli("worker", "drain", "four")
    assert (missing.exit_code, "here are: one, three, two, two" in missing.stderr) == (1, True)


# Wrong definitions, wrong servers, wrong use

WRONG = """
name: study
task: digits_mlp
objective: {metric: val_accuracy, direction: maximize}
search_space: {optimizer: {sgd: {learning_rate: {low: -1, high: 1, log: true}}}}
training: {epoch: 3}
"""


def test_each_wrong_field_is_a_line_with_and_without_a_server(cli: Run, lehr_at: Run) -> None:
    for refused in (
        cli("study", "create", "-", given=WRONG),
        cli("study", "validate", "-", given=WRONG),
        lehr_at(NOBODY, "study", "validate", "-", given=WRONG),
    ):
        assert refused.exit_code == 1
        lines = refused.stderr.splitlines()
        assert [line.split(":")[0] for line in lines[1:]] == [
            "  search_space.optimizer.sgd.learning_rate.low",
            "  training.epochs",
            "  training.epoch",
        ]
    assert json.loads(cli("study", "list", "--json").stdout) == []


def test_a_valid_definition_is_called_so_and_not_stored(cli: Run, lehr_at: Run, file: str) -> None:
    assert cli("study", "validate", file).stdout.startswith("the definition is valid")
    assert json.loads(cli("study", "list", "--json").stdout) == []
    offline = lehr_at(NOBODY, "study", "validate", file)
    assert offline.exit_code == 0
    assert f"checked here, because no lehr server answers at {NOBODY}" in offline.stdout


def test_a_file_that_is_not_there_is_named(cli: Run) -> None:
    refused = cli("study", "create", "nowhere.yaml")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "nowhere.yaml: No such file or directory\n",
    )


def test_a_server_that_is_not_there_is_named_with_the_way_to_start_one(lehr_at: Run) -> None:
    refused = lehr_at(NOBODY, "study", "list")
    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1
    assert f"no lehr server answers at {NOBODY}" in refused.stderr
    assert "start one with: lehr serve" in refused.stderr


def test_a_missing_token_is_explained(serve: Any, lehr_at: Run) -> None:
    url = serve(token="long enough").url
    refused = lehr_at(url, "study", "list")
    assert (refused.exit_code, "set LEHR_TOKEN" in refused.stderr) == (1, True)
    assert lehr_at(url, "study", "list", "--token", "long enough").exit_code == 0


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = getattr(command, "commands", {})
    return [path, *(p for name, c in inner.items() for p in _commands(c, (*path, name)))]


@pytest.mark.parametrize("path", _commands(typer.main.get_command(app)), ids=" ".join)
def test_every_command_and_every_option_says_what_it_does(
    path: tuple[str, ...], lehr_at: Run
) -> None:
    command: Any = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    assert command.help.split("Example")[0].rstrip().endswith(".")
    for parameter in command.params:
        described = getattr(parameter, "help", None) or parameter.name in ("help",)
        assert described, f"{parameter.name} has no help"
    shown = lehr_at(NOBODY, *path, "--help")
    assert shown.exit_code == 0


def test_the_version_is_told(lehr_at: Run) -> None:
    from importlib.metadata import version

    assert lehr_at(NOBODY, "--version").stdout == f"lehr {version('lehr')}\n"


def test_the_command_loads_neither_the_server_nor_tensorflow() -> None:
    heavy = ("fastapi", "sqlalchemy", "optuna", "tensorflow", "keras", "numpy", "lehr_service")
    code = f"import sys, lehr.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_trial_is_shown_with_what_its_attempts_said(
    cli: Run, client: Client, hand: Any, definition: dict[str, Any]
) -> None:
    name = client.create_study(definition).name
    hand.finish(0.25, 0.5)
    failure = Failure(outcome="error", message="no such layer", traceback="Traceback: line 1")
    client.fail(hand.claim().token, failure)
    complete = cli("study", "trial", name, "0").stdout
    assert re.search(r"value +0\.5 *\n", complete)
    assert re.search(r"attempt 1 +complete on hand *\n", complete)
    failed = cli("study", "trial", name, "1").stdout
    assert re.search(r"state +fail \(error\) *\n", failed)
    assert re.search(r"attempt 1 +error on hand: no such layer *\n", failed)
    assert failed.endswith("\nattempt 1:\nTraceback: line 1\n")
    assert json.loads(cli("study", "trial", name, "1", "--json").stdout)["number"] == 1
    assert cli("study", "trial", name, "7").exit_code == 1


def test_a_pruned_trial_says_why(
    cli: Run, client: Client, hand: Any, definition: dict[str, Any]
) -> None:
    pruner = {"name": "forecast", "n_min": 1, "alpha": 0.5, "dominance": "off"}
    client.create_study(definition | {"pruner": pruner})
    name = definition["name"]
    epochs = definition["training"]["epochs"]
    hand.finish(*[(step + 1) / epochs for step in range(epochs)])
    hand.report(hand.claim(), 0.0)
    complete = cli("study", "why-pruned", name, "0").stdout
    assert complete == f"trial 0 of study {name} was not pruned: it is complete\n"
    said = cli("study", "why-pruned", name, "1").stdout.splitlines()
    assert said[0] == f"trial 1 was pruned after 1 of {epochs} epochs"
    assert said[1].startswith("forecast: at ")
    assert "it stays under the best final 1" in said[1]
    assert f"{epochs - 1} epochs" in cli("study", "show", name).stdout
    assert cli("study", "why-pruned", name, "7").exit_code == 1


def test_a_fleet_is_told_how_many_devices_are_wanted(cli: Run, file: str) -> None:
    assert cli("worker", "wanted").stdout == "0\n"
    cli("study", "create", file)
    assert cli("worker", "wanted").stdout == "100\n"
    assert cli("worker", "wanted", "--most", "7").stdout == "7\n"
    assert cli("worker", "wanted", "--json").stdout == '{"devices": 100}\n'
    assert cli("worker", "wanted", "--task", "another").stdout == "0\n"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("bogus", "lehr: no such command 'bogus'; see lehr --help"),
        ("study bogus", "lehr study: no such command 'bogus'; see lehr study --help"),
        ("study show", "lehr study show: missing argument 'NAME'; see"),
        ("study list --state no", "invalid value for '--state': 'no' is not one of 'active'"),
        ("study trials a --limit 0", "'--limit': must be greater than or equal to 1; see"),
        ("serve --port 99999999", "--port: must be less than or equal to 65535; see"),
    ],
)
def test_what_is_typed_wrongly_is_said_in_a_line(cli: Run, typed: str, said: str) -> None:
    result = cli(*typed.split())
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_commands_without_words_print_their_help(cli: Run) -> None:
    for typed in ([], ["study"], ["worker"], ["db"], ["token"]):
        result = cli(*typed)
        assert result.exit_code == 2
        assert "Commands" in result.output


def test_a_shell_completes_commands_and_names_of_studies(
    server: str, client: Client, definition: dict[str, Any]
) -> None:
    for name in ("first", "fifth", "second"):
        client.create_study(definition | {"name": name})

    def offered(words: str, at: str = server) -> set[str]:
        typed = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        env = {"_LEHR_COMPLETE": "complete_bash", "LEHR_SERVER": at, **typed}
        return set(CliRunner().invoke(app, [], prog_name="lehr", env=env).stdout.split())

    assert offered("lehr st") == {"study"}
    assert {"watch", "why-pruned"} == offered("lehr study w")
    assert offered("lehr study show fi") == {"first", "fifth"}
    assert offered("lehr study show fi", at=NOBODY) == set()
