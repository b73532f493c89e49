"""``lehr study best | plot | export``: what a researcher takes home."""

from __future__ import annotations

import json
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from lehr.cli import render
from lehr.cli.connect import AsJson, Server, StudyName, Token, connected
from lehr.client import Client
from lehr.errors import LehrError
from lehr.keras_code import keras_code
from lehr.plots import save_curves
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


CURVES = "learning_curves"
_ENDINGS = {File.CSV: "csv", File.JSON: "json", File.OPTUNA: "db"}
_PICTURES = (".png", ".svg", ".pdf")

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
        typer.Option("--output", "-o", help="The file; by default NAME.csv, .json or .db."),
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Write a study with its trials into a file.

    Example: lehr study export fashion-cnn -f optuna -o fashion.db
    """
    file = output or Path(f"{name}.{_ENDINGS[form]}")
    with connected(server, token) as client:
        write_bytes(client.export(name, form), file)
    _say_written(file, as_json)


def plot(
    name: StudyName,
    kind: Annotated[
        str,
        typer.Argument(
            metavar="[KIND]",
            help="learning_curves (the default), history, intermediate_values, "
            "parallel_coordinate, slice, contour, importances, edf, pareto_front, timeline.",
        ),
    ] = CURVES,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help=".html: a page to look around in, without a network; .json: for Plotly; "
            ".png, .svg or .pdf: a picture (of other kinds than learning_curves: with kaleido).",
        ),
    ] = Path("plot.html"),
    params: Annotated[
        str | None, typer.Option(help="Parameters to show, such as learning_rate,optimizer.")
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Draw a study, by default its learning curves beside the learning rates that made them.

    Example: lehr study plot fashion-cnn importances -o importances.html
    """
    ending = output.suffix.lower()
    with connected(server, token) as client:
        if ending in _PICTURES and kind == CURVES:
            _save_curves(client, name, output)
        else:
            figure = client.plot(name, kind, params=(params or "").split(","))
            _save_figure(client, figure, f"{name}: {kind}", output)
    _say_written(output, as_json)


def _save_curves(client: Client, name: str, output: Path) -> None:
    study = client.study(name)
    trials = list(client.trials(name))
    with render.progress("reading learning curves", len(trials)) as advance:
        reports = {}
        for trial in trials:
            if trial.steps:
                reports[trial.number] = client.reports(name, trial.number)
            advance()
    best_number = study.best.number if study.best else None
    save_curves(output, study.definition, trials, reports, best_number)


def _save_figure(client: Client, figure: dict[str, Any], title: str, output: Path) -> None:
    match output.suffix.lower():
        case ".json":
            write_bytes(json.dumps(figure).encode(), output)
        case ".html":
            page = as_page(figure, title, client.plotly_script())
            write_bytes(page.encode(), output)
        case ending if ending in _PICTURES:
            _save_picture(figure, output)
        case ending:
            raise LehrError(
                f"cannot write {output}: {ending or 'no ending'} is none of .html, "
                f".json, {', '.join(_PICTURES)}"
            )


def as_page(figure: dict[str, Any], title: str, script: str) -> str:
    """A page with the figure that needs nothing else, not even a network."""
    data = json.dumps(figure).replace("</", "<\\/")
    heading = title.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{heading}</title>'
        f"<script>{script}</script></head>\n"
        f'<body><h1 style="font: 600 1.2em system-ui">{heading}</h1><div id="figure"></div>\n'
        f"<script>const figure = {data};\n"
        'Plotly.newPlot("figure", figure.data, figure.layout, {responsive: true});</script>\n'
        "</body></html>\n"
    )


def _save_picture(figure: dict[str, Any], output: Path) -> None:
    if find_spec("plotly") is None or find_spec("kaleido") is None:
        raise LehrError(
            f"{output.suffix} of this kind needs plotly and kaleido: pip install plotly kaleido; "
            "or write .html, which needs nothing"
        )
    import plotly.graph_objects as go

    go.Figure(figure).write_image(output)


def write_text(text: str, output: Path | None) -> None:
    if output is None:
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


def _say_written(file: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"file": str(file)}))
    else:
        typer.echo(f"wrote {file}")
