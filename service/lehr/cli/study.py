"""``lehr study ...``: what a researcher does."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from lehr import examples
from lehr.cli import home, render, trials
from lehr.cli.connect import AsJson, Server, StudyName, Token, connected
from lehr.cli.imports import import_
from lehr.cli.plot import plot
from lehr.cli.watch import watch_events, watch_study
from lehr.definitions import load_definition, read_definition
from lehr.errors import Invalid, ServerUnreachable
from lehr.wire.errors import FieldError, found_wrong
from lehr.wire.studies import Study, StudyDefinition, StudyState

app = typer.Typer(help="Create, follow and steer studies.", no_args_is_help=True)


File = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="The study definition, YAML or JSON; - reads it from standard input."
    ),
]


OptionalFile = Annotated[
    str | None,
    typer.Argument(
        metavar="FILE", help="The study definition, YAML or JSON; - reads it from standard input."
    ),
]


@app.command()
def create(
    file: OptionalFile = None,
    example: Annotated[
        str | None,
        typer.Option(help=f"Instead of FILE: {', '.join(examples.names())}."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Another name than the one that is written.")
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Create the study that FILE defines.

    The same definition may be created again: the study that exists is kept as it is.
    Examples: lehr study create study.yaml; lehr study create --example digits
    """
    if (file is None) == (example is None):
        raise typer.BadParameter("give either FILE (- is standard input) or --example NAME")
    with connected(server, token) as client:
        if example is not None:
            definition = read_definition(examples.text(example), example)
        else:
            definition = load_definition(file or "")
        study = client.create_study(definition | ({"name": name} if name else {}))
        if as_json:
            render.print_json(study)
            return
        typer.echo(f"study {study.name} is {_described(study)}")
        typer.echo(f"follow it with: lehr study watch {study.name}")


@app.command()
def validate(
    file: File, as_json: AsJson = False, server: Server = None, token: Token = None
) -> None:
    """Check the definition in FILE and store nothing.

    The server checks it; where none answers it is checked here.
    Example: lehr study validate study.yaml
    """
    with connected(server, token) as client:
        definition = load_definition(file)
        try:
            study = client.create_study(definition, validate_only=True)
        except ServerUnreachable as error:
            _check_here(definition)
            where, note = "here", f"; checked here, because {error}"
        else:
            where, note = "server", f" ({study.reason})" if study.reason else ""
    if as_json:
        typer.echo(json.dumps({"valid": True, "checked": where}))
    else:
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
    """List the studies, newest first.

    Example: lehr study list --state active
    """
    with connected(server, token) as client:
        studies = list(client.studies(state))
        if as_json:
            render.print_json(studies)
        elif studies:
            render.console().print(render.studies_table(studies))
        else:
            typer.echo("no studies; create one with: lehr study create FILE (or --example digits)")


@app.command()
def show(
    name: StudyName, as_json: AsJson = False, server: Server = None, token: Token = None
) -> None:
    """Show one study: its state, why it is in it, its trials and the best of them.

    Example: lehr study show fashion-cnn
    """
    with connected(server, token) as client:
        study = client.study(name)
        if as_json:
            render.print_json(study)
        else:
            render.console().print(render.study_sheet(study))


@app.command()
def watch(
    name: StudyName, as_json: AsJson = False, server: Server = None, token: Token = None
) -> None:
    """Follow a study until it is finished; Ctrl-C leaves, the study goes on.

    In a terminal: progress, the best trial, running learning curves and workers. Elsewhere: one
    line for each finished trial; with --json, one object for each report and change. Exits with 1
    if the study failed. Example: lehr study watch fashion-cnn
    """
    with connected(server, token) as client:
        client.study(name)
    with connected(server, token, retry_seconds=300.0) as client:
        study = watch_events(client, name) if as_json else watch_study(client, name)
    if study is not None and study.state is StudyState.FAILED:
        raise typer.Exit(1)


@app.command()
def pause(
    name: StudyName, as_json: AsJson = False, server: Server = None, token: Token = None
) -> None:
    """Start no new trials until the study is resumed; running ones go on.

    Example: lehr study pause fashion-cnn
    """
    with connected(server, token) as client:
        _say(client.pause(name), as_json)


@app.command()
def resume(
    name: StudyName, as_json: AsJson = False, server: Server = None, token: Token = None
) -> None:
    """Go on with a paused study.

    Example: lehr study resume fashion-cnn
    """
    with connected(server, token) as client:
        _say(client.resume(name), as_json)


@app.command()
def stop(
    name: StudyName, as_json: AsJson = False, server: Server = None, token: Token = None
) -> None:
    """Start no new trials; the study is completed when the running ones are finished.

    Example: lehr study stop fashion-cnn
    """
    with connected(server, token) as client:
        _say(client.stop(name), as_json)


@app.command()
def cancel(
    name: StudyName, as_json: AsJson = False, server: Server = None, token: Token = None
) -> None:
    """End a study now, and its running trials with it.

    Example: lehr study cancel fashion-cnn
    """
    with connected(server, token) as client:
        _say(client.cancel(name), as_json)


@app.command()
def delete(
    name: StudyName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Delete a finished study with all its trials; this cannot be undone.

    Example: lehr study delete fashion-cnn
    """
    with connected(server, token) as client:
        if not (yes or as_json):
            study = client.study(name)
            has = render.counted(study.counts.total, "trial")
            typer.confirm(f"delete study {name} with {has}?", abort=True)
        client.delete_study(name)
        typer.echo(json.dumps({"deleted": name}) if as_json else f"study {name} is deleted")


def _say(study: Study, as_json: bool) -> None:
    if as_json:
        render.print_json(study)
        return
    typer.echo(f"study {study.name} is {_described(study)}")


def _described(study: Study) -> str:
    reason = render.reason(study)
    return f"{study.state} ({reason})" if reason else str(study.state)


app.command()(trials.trials)
app.command()(trials.trial)
app.command("why-pruned")(trials.why_pruned)
app.command()(trials.enqueue)
app.command()(home.best)
app.command()(plot)
app.command()(home.export)
app.command("import")(import_)
