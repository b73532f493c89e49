"""``lehr study best | export``: what a researcher takes home."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from lehr.cli import render
from lehr.cli.connect import AsJson, Server, StudyName, Token, connected
from lehr.client import Client
from lehr.errors import LehrError
from lehr.keras_code import keras_code
from lehr.wire.space import resolve
from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import Trial


class Form(StrEnum):
    """What the best trial may be written as."""

    KERAS = "keras"
    JSON = "json"
    YAML = "yaml"


class File(StrEnum):
    """What a study may be exported as."""

    CSV = "csv"
    JSON = "json"
    OPTUNA = "optuna"


_STANDARD_OUTPUT = Path("-")
_ENDINGS = {File.CSV: "csv", File.JSON: "json", File.OPTUNA: "db"}

Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write it to this file.")]


def best(
    name: StudyName,
    form: Annotated[
        Form | None,
        typer.Option(
            "--as",
            help="keras: a program in plain Keras that trains it again; json, yaml: the "
            "configuration, as the worker got it.",
        ),
    ] = None,
    output: Output = None,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Show the best trial; with several objectives, those that no other trial beats in all.

    Example: lehr study best fashion-cnn --as keras -o best.py
    """
    with connected(server, token) as client:
        found = client.best(name)
        if form is not None:
            first = found if isinstance(found, Trial) else found[0]
            write_text(_written(client, name, first, form), output)
        elif (as_json and isinstance(found, Trial)) or as_json:
            render.print_json(found)
        else:
            listed = [found] if isinstance(found, Trial) else found
            render.console().print(render.trials_table(listed))


def _written(client: Client, name: str, trial: Trial, form: Form) -> str:
    definition = client.study(name).definition
    if form is Form.KERAS:
        return keras_code(definition, trial, client.trial(name, trial.number).seed)
    facts = configuration(definition, trial)
    if form is Form.JSON:
        return json.dumps(facts, indent=2) + "\n"
    return yaml.safe_dump(facts, sort_keys=False)


def configuration(definition: StudyDefinition, trial: Trial) -> dict[str, Any]:
    """What a trial is trained by: optimizer, schedule, warm-up and the task's parameters."""
    params = trial.params
    point = resolve(definition.space, lambda name, _value: params[name])
    return {
        "study": trial.study,
        "trial": trial.number,
        "value": trial.value if trial.values is None else trial.values,
        "task": definition.task,
        "epochs": definition.training.epochs,
        "optimizer": point.optimizer,
        "schedule": point.schedule,
        "warmup": point.warmup,
        "parameters": point.parameters,
    }


def export(
    name: StudyName,
    form: Annotated[
        File,
        typer.Option(
            "--format",
            "-f",
            help="csv: a row a trial; json: all there is; optuna: an SQLite file that "
            "optuna.load_study and optuna-dashboard open.",
        ),
    ] = File.CSV,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file, by default NAME.csv, .json or .db; - is standard output.",
        ),
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Write a study with its trials into a file.

    Example: lehr study export fashion-cnn -f optuna -o fashion.db
    """
    file = output or Path(f"{name}.{_ENDINGS[form]}")
    with connected(server, token) as client, render.busy(f"exporting {name}"):
        content = client.export(name, form)
        if file == _STANDARD_OUTPUT:
            typer.echo(content, nl=False)
            return
        write_bytes(content, file)
    say_written(file, as_json)


def write_text(text: str, output: Path | None) -> None:
    if output is None or output == _STANDARD_OUTPUT:
        typer.echo(text, nl=False)
        return
    write_bytes(text.encode(), output)
    typer.echo(f"wrote {output}")


def write_bytes(content: bytes, output: Path) -> None:
    """Raises LehrError where the file cannot be written."""
    try:
        output.write_bytes(content)
    except OSError as error:
        raise LehrError(f"cannot write {output}: {error.strerror}") from error


def say_written(file: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"file": str(file)}))
    else:
        typer.echo(f"wrote {file}")
