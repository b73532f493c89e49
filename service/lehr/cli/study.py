"""``lehr study ...``: what a researcher does."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from lehr.cli import render
from lehr.cli.connect import AsJson, Server, StudyName, Token, connected
from lehr.cli.definitions import load_definition, read_value
from lehr.cli.watch import watch_study
from lehr.errors import Invalid, LehrError, ServerUnreachable
from lehr.keras_code import keras_code
from lehr.plots import save_curves
from lehr.wire.errors import FieldError, found_wrong
from lehr.wire.studies import Study, StudyDefinition, StudyState
from lehr.wire.trials import Trial, TrialState

app = typer.Typer(help="Create, follow and steer studies.", no_args_is_help=True)


class Form(StrEnum):
    """What the best trial may be written as."""

    KERAS = "keras"


File = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="The study definition, YAML or JSON; - reads it from standard input."
    ),
]


@app.command()
def create(file: File, server: Server = None, token: Token = None) -> None:
    """Create the study that FILE defines.

    The same definition may be created again: the study that exists is kept as it is.
    """
    with connected(server, token) as client:
        study = client.create_study(load_definition(file))
        typer.echo(f"study {study.name} is {_described(study)}")
        typer.echo(f"follow it with: lehr study watch {study.name}")


@app.command()
def validate(file: File, server: Server = None, token: Token = None) -> None:
    """Check the definition in FILE and store nothing.

    The server checks it; where none answers it is checked here.
    """
    with connected(server, token) as client:
        definition = load_definition(file)
        try:
            study = client.create_study(definition, validate_only=True)
        except ServerUnreachable as error:
            _check_here(definition)
            typer.echo(f"the definition is valid; checked here, because {error}")
        else:
            note = f" ({study.reason})" if study.reason else ""
            typer.echo(f"the definition is valid{note}")


def _check_here(definition: dict[str, Any]) -> None:
    try:
        StudyDefinition.model_validate(definition)
    except ValidationError as error:
        wrong = [
            FieldError(path=".".join(map(str, path)), message=message)
            for path, message in found_wrong(error.errors())
        ]
        named = ", ".join(field.path for field in wrong)
        raise Invalid(422, "invalid", f"not valid: {named}", wrong) from error


@app.command("list")
def list_(
    state: Annotated[StudyState | None, typer.Option(help="Only studies in this state.")] = None,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """List the studies, newest first."""
    with connected(server, token) as client:
        studies = list(client.studies(state))
        if as_json:
            render.print_json(studies)
        elif studies:
            render.console().print(render.studies_table(studies))
        else:
            typer.echo("no studies; create one with: lehr study create FILE")


@app.command()
def show(
    name: StudyName, as_json: AsJson = False, server: Server = None, token: Token = None
) -> None:
    """Show one study: its state, why it is in it, its trials and the best of them."""
    with connected(server, token) as client:
        study = client.study(name)
        if as_json:
            render.print_json(study)
        else:
            render.console().print(render.study_sheet(study))


@app.command()
def watch(name: StudyName, server: Server = None, token: Token = None) -> None:
    """Follow a study until it is finished; Ctrl-C leaves, the study goes on.

    In a terminal: progress, the best trial, running learning curves and workers. Elsewhere: one
    line for each finished trial. Exits with 1 if the study failed.
    """
    with connected(server, token) as client:
        client.study(name)
    with connected(server, token, retry_seconds=300.0) as client:
        study = watch_study(client, name)
    if study is not None and study.state is StudyState.FAILED:
        raise typer.Exit(1)


@app.command()
def trials(
    name: StudyName,
    state: Annotated[TrialState | None, typer.Option(help="Only trials in this state.")] = None,
    order_by: Annotated[
        str, typer.Option(help="number or value; with a minus in front, highest first.")
    ] = "number",
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many; all if not given.")
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """List the trials of a study."""
    with connected(server, token) as client:
        found = list(client.trials(name, state=state, order_by=order_by, limit=limit))
        _print_trials(found, as_json, f"no trials in study {name}")


@app.command("why-pruned")
def why_pruned(
    name: StudyName,
    number: Annotated[int, typer.Argument(min=0, metavar="NUMBER", help="The trial's number.")],
    server: Server = None,
    token: Token = None,
) -> None:
    """Say why a trial was pruned, and when."""
    with connected(server, token) as client:
        trial = client.trial(name, number)
        if trial.state is not TrialState.PRUNED:
            typer.echo(f"trial {number} of study {name} was not pruned: it is {trial.state}")
            return
        epochs = client.study(name).definition.training.epochs
        why = next((a.message for a in reversed(trial.history) if a.message), "no reason is stored")
        typer.echo(f"trial {number} was pruned after {trial.steps} of {epochs} epochs")
        typer.echo(why)


@app.command()
def best(
    name: StudyName,
    form: Annotated[
        Form | None,
        typer.Option("--as", help="keras: a program in plain Keras that trains it again."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the program to this file.")
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Show the best trial; with several objectives, those that no other trial beats in all."""
    with connected(server, token) as client:
        found = client.best(name)
        if form is Form.KERAS:
            first = found if isinstance(found, Trial) else found[0]
            seed = client.trial(name, first.number).seed
            _write(keras_code(client.study(name).definition, first, seed), output)
        elif as_json and isinstance(found, Trial):
            render.print_json(found)
        else:
            listed = [found] if isinstance(found, Trial) else found
            _print_trials(listed, as_json, "no trial is complete yet")


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise LehrError(f"cannot write {output}: {error.strerror}") from error
    typer.echo(f"wrote {output}")


@app.command()
def plot(
    name: StudyName,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The picture: .png, .svg or .pdf.")
    ],
    server: Server = None,
    token: Token = None,
) -> None:
    """Draw the learning curves of a study beside the learning rates that made them."""
    with connected(server, token) as client:
        study = client.study(name)
        trials = list(client.trials(name))
        reports = {t.number: client.reports(name, t.number) for t in trials if t.steps}
        best_number = study.best.number if study.best else None
        save_curves(output, study.definition, trials, reports, best_number)
    typer.echo(f"wrote {output}")


def _print_trials(trials: Iterable[Trial], as_json: bool, otherwise: str) -> None:
    listed = list(trials)
    if as_json:
        render.print_json(listed)
    elif listed:
        render.console().print(render.trials_table(listed))
    else:
        typer.echo(otherwise)


@app.command()
def pause(name: StudyName, server: Server = None, token: Token = None) -> None:
    """Start no new trials until the study is resumed; running ones go on."""
    with connected(server, token) as client:
        _say(client.pause(name))


@app.command()
def resume(name: StudyName, server: Server = None, token: Token = None) -> None:
    """Go on with a paused study."""
    with connected(server, token) as client:
        _say(client.resume(name))


@app.command()
def stop(name: StudyName, server: Server = None, token: Token = None) -> None:
    """Start no new trials; the study is completed when the running ones are finished."""
    with connected(server, token) as client:
        _say(client.stop(name))


@app.command()
def cancel(name: StudyName, server: Server = None, token: Token = None) -> None:
    """End a study now, and its running trials with it."""
    with connected(server, token) as client:
        _say(client.cancel(name))


@app.command()
def delete(
    name: StudyName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Delete a finished study with all its trials; this cannot be undone."""
    with connected(server, token) as client:
        if not yes:
            study = client.study(name)
            typer.confirm(f"delete study {name} with {study.counts.total} trials?", abort=True)
        client.delete_study(name)
        typer.echo(f"study {name} is deleted")


@app.command()
def enqueue(
    name: StudyName,
    parameters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE...", help="For example: optimizer=sgd sgd.learning_rate=1e-2"
        ),
    ] = None,
    server: Server = None,
    token: Token = None,
) -> None:
    """Add a trial with the parameters given, to be tried next; the sampler chooses the others."""
    given = _parameters(parameters or [])
    with connected(server, token) as client:
        trial = client.enqueue(name, {key: read_value(text) for key, text in given.items()})
        typer.echo(
            f"trial {trial.number} of study {name} is {trial.state}: {render.params(trial.params)}"
        )


def _parameters(pairs: list[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not (key and separator):
            raise typer.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint="KEY=VALUE")
        if key in given:
            raise typer.BadParameter(f"{key} is given twice", param_hint="KEY=VALUE")
        given[key] = text
    return given


def _say(study: Study) -> None:
    typer.echo(f"study {study.name} is {_described(study)}")


def _described(study: Study) -> str:
    reason = render.reason(study)
    return f"{study.state} ({reason})" if reason else str(study.state)
