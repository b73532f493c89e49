"""``lehr study import``: a warm start from a study that Optuna has stored."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from lehr.cli import render
from lehr.cli.connect import AsJson, Server, StudyName, Token, connected, needs_extra
from lehr.definitions import read_value
from lehr.errors import Invalid, LehrError


def import_(
    name: StudyName,
    storage: Annotated[
        str,
        typer.Argument(
            metavar="STORAGE",
            help="Where Optuna keeps it: an SQLite file, or a URL such as postgresql://host/name.",
        ),
    ],
    study: Annotated[
        str | None,
        typer.Option(help="Its name there; may be left out where the storage holds one study."),
    ] = None,
    best: Annotated[int, typer.Option(min=1, help="So many of its best points.")] = 10,
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="THEIRS=OURS", help="Such as lr=adam.learning_rate."),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Add to each point: optimizer=adam."),
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Enqueue the best points of an Optuna study, to be tried first: a warm start.

    They are trained again, for their values came from elsewhere. Points outside this study's
    search space are left out. Example: lehr study import fashion-cnn old.db --best 5
    """
    with needs_extra("study import", "service"):
        from lehr_service.search.errors import SearchError
        from lehr_service.search.imports import best_points
    with connected(server, token) as client, render.busy(f"importing from {study}"):
        try:
            points = best_points(_url(storage), study, best)
        except SearchError as error:
            raise LehrError(str(error)) from error
        names, fixed = _pairs(rename), {k: read_value(v) for k, v in _pairs(also).items()}
        enqueued, refused = [], []
        for point in points:
            wanted = {names.get(key, key): value for key, value in point.items()} | fixed
            try:
                enqueued.append(client.enqueue(name, _decoded(wanted)))
            except Invalid as error:
                refused.append(str(error))
    if as_json:
        numbers = [trial.number for trial in enqueued]
        typer.echo(json.dumps({"enqueued": numbers, "refused": refused}))
        return
    for trial in enqueued:
        typer.echo(f"trial {trial.number} waits: {render.params(trial.params)}")
    for message, count in Counter(refused).items():
        times = f" ({count} points)" if count > 1 else ""
        typer.secho(f"left out{times}: {message}", err=True, fg=typer.colors.YELLOW)
    if not points:
        typer.echo("no trial is complete there")


def _url(storage: str) -> str:
    """The URL of a file; one that is not there must not come to be by a look into it."""
    if "://" in storage and not storage.startswith("sqlite:///"):
        return storage
    file = storage.removeprefix("sqlite:///")
    if not Path(file).is_file():
        raise LehrError(
            f"there is no file {file}; give the SQLite file in which Optuna keeps the study, or "
            "a URL such as postgresql://host/name"
        )
    return f"sqlite:///{file}"


def _pairs(given: list[str] | None) -> dict[str, str]:
    pairs = {}
    for text in given or ():
        key, separator, value = text.partition("=")
        if not (key and separator):
            raise LehrError(f"{text!r}: write it as KEY=VALUE")
        pairs[key] = value
    return pairs


def _decoded(point: Mapping[str, Any]) -> dict[str, Any]:
    """Lists and lengths as they were before an export made texts of them."""
    return {
        name: json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value
        for name, value in point.items()
    }
