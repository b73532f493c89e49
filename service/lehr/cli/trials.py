"""``lehr study trials | trial | why-pruned | enqueue``: the trials of a study."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated

import typer

from lehr.cli import render
from lehr.cli.connect import AsJson, Server, StudyName, Token, connected
from lehr.definitions import read_value
from lehr.wire.trials import Trial, TrialState

Number = Annotated[int, typer.Argument(min=0, metavar="NUMBER", help="The trial's number.")]


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
    """List the trials of a study.

    Example: lehr study trials fashion-cnn --order-by=-value --limit 10
    """
    with connected(server, token) as client:
        found = list(client.trials(name, state=state, order_by=order_by, limit=limit))
        _print_trials(found, as_json, f"no trials in study {name}")


def trial(
    name: StudyName,
    number: Number,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Show one trial: its parameters, its metrics, and how each attempt ended.

    Example: lehr study trial fashion-cnn 17
    """
    with connected(server, token) as client:
        found = client.trial(name, number)
        if as_json:
            render.print_json(found)
            return
        render.console().print(render.trial_sheet(found))
        for attempt in found.history:
            if attempt.traceback:
                typer.echo(f"\nattempt {attempt.attempt}:\n{attempt.traceback.rstrip()}")


def why_pruned(
    name: StudyName,
    number: Number,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Say why a trial was pruned, and when.

    Example: lehr study why-pruned fashion-cnn 17
    """
    with connected(server, token) as client:
        trial = client.trial(name, number)
        epochs = client.study(name).definition.training.epochs
        said = [attempt.message for attempt in reversed(trial.history) if attempt.message]
        pruned = trial.state is TrialState.PRUNED
        why = (said[0] if said else "no reason is stored") if pruned else None
        if as_json:
            facts = {"number": number, "state": trial.state, "epochs_trained": trial.steps}
            typer.echo(json.dumps(facts | {"epochs": epochs, "reason": why}))
        elif pruned:
            typer.echo(f"trial {number} was pruned after {trial.steps} of {epochs} epochs")
            typer.echo(why)
        else:
            typer.echo(f"trial {number} of study {name} was not pruned: it is {trial.state}")


def _print_trials(trials: Iterable[Trial], as_json: bool, otherwise: str) -> None:
    listed = list(trials)
    if as_json:
        render.print_json(listed)
    elif listed:
        render.console().print(render.trials_table(listed))
    else:
        typer.echo(otherwise)


def enqueue(
    name: StudyName,
    parameters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE...", help="For example: optimizer=sgd sgd.learning_rate=1e-2"
        ),
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Add a trial with the parameters given, to be tried next; the sampler chooses the others.

    Example: lehr study enqueue fashion-cnn optimizer=adam adam.learning_rate=1e-3
    """
    given = _parameters(parameters or [])
    with connected(server, token) as client:
        trial = client.enqueue(name, {key: read_value(text) for key, text in given.items()})
        if as_json:
            render.print_json(trial)
            return
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
