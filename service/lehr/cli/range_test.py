"""``lehr range-test``: which learning rates are worth a search, tried out here."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from lehr.cli import render
from lehr.cli.connect import explained, needs_extra
from lehr.definitions import read_value
from lehr.errors import LehrError
from lehr.plots import RangePicture, save_range_tests
from lehr.range_tests import (
    LEAST_UPDATES,
    Bounds,
    Curve,
    NoSuggestion,
    Spread,
    bounds,
    spreads,
    suggestions,
)


def range_test(
    task: Annotated[str, typer.Argument(metavar="TASK", help="A built-in task, or one of yours.")],
    optimizer: Annotated[str, typer.Option(help="By its Keras name, such as adam.")],
    optimizer_argument: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Such as beta_1=0.95; several times if need be."),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="One of the task's, such as batch_size=32; several times if need be.",
        ),
    ] = None,
    start: Annotated[float, typer.Option(help="The lowest learning rate.")] = 1e-6,
    end: Annotated[float, typer.Option(help="The highest learning rate.")] = 1.0,
    updates: Annotated[
        int,
        typer.Option(
            min=LEAST_UPDATES,
            help="Updates from start to end. All rules suggest lower rates for slower tests.",
        ),
    ] = 200,
    seeds: Annotated[int, typer.Option(min=1, help="How many tests: seeds 0, 1, ...")] = 4,
    tasks: Annotated[
        list[str] | None,
        typer.Option(metavar="MODULE", help="Python module with tasks of your own, as for work."),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(envvar="LEHR_DATA_DIR", help="Folder of the data sets.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A picture: .png, .svg or .pdf.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the curves.")] = False,
) -> None:
    """Test at which learning rates a task's loss falls, and suggest which to search.

    The rate grows from start to end while the task trains here for some hundred updates, once for
    each seed. Several published rules read the curves; the bounds span all that they suggest.

    Example: lehr range-test fashion_mnist_cnn --optimizer adam -o range_test.png
    """
    with needs_extra("range-test", "worker"):
        from lehr_worker import libraries, noise

        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors alone: the table is the output
        libraries.set_defaults()
        with noise.unheard():
            from lehr_worker.training.range_test import RangeTestConfig, measure
    if data_dir is not None:
        os.environ["LEHR_DATA_DIR"] = str(data_dir)
    with explained():
        config = RangeTestConfig(
            task=task,
            optimizer={**_named(optimizer_argument), "name": optimizer},
            parameters=_named(parameter),
            start=start,
            end=end,
            updates=updates,
            seeds=range(seeds),
        )
        curves = measure(config, tasks or ())
        found = spreads(curves)
        search = bounds(found, start, end)
        if as_json:
            facts = {**asdict(config), "seeds": list(config.seeds)}
            typer.echo(json.dumps(facts | _json(curves, found, search), indent=2))
        else:
            _show(curves, found, search)
        if output is not None:
            drawn = RangePicture(f"{task}, {optimizer}", curves, found, search)
            save_range_tests(output, [drawn])
            typer.echo(f"wrote {output}", err=as_json)


def _named(given: Sequence[str] | None) -> dict[str, Any]:
    read = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise LehrError(f"{text!r}: write it as NAME=VALUE, such as batch_size=32")
        read[name] = read_value(value)
    return read


def _json(curves: Sequence[Curve], found: dict[str, Spread], search: Bounds) -> dict[str, Any]:
    return {
        "curves": [{**asdict(curve), "suggestions": _suggested(curve)} for curve in curves],
        "suggestions": {rule: asdict(spread) for rule, spread in found.items()},
        "bounds": asdict(search),
    }


def _suggested(curve: Curve) -> dict[str, float] | None:
    try:
        return suggestions(curve)
    except NoSuggestion:
        return None


def _show(curves: Sequence[Curve], found: dict[str, Spread], search: Bounds) -> None:
    console = render.console()
    console.print(_table(found))
    diverged = [curve.diverged_at for curve in curves if curve.diverged_at is not None]
    where = f", between {_rate(min(diverged))} and {_rate(max(diverged))}" if diverged else ""
    console.print(f"{len(diverged)} of {len(curves)} seeds diverged{where}")
    silent = sum(_suggested(curve) is None for curve in curves)
    if silent:
        console.print(f"{silent} of {len(curves)} seeds suggest nothing: their loss did not fall")
    console.print("search these:")
    console.print(
        f"  learning_rate: {{low: {_rate(search.low)}, high: {_rate(search.high)}, log: true}}"
    )


def _table(found: dict[str, Spread]) -> Table:
    shown = render.table("rule", "mean", "lowest seed", "highest seed")
    for rule, spread in found.items():
        shown.add_row(rule, *map(_rate, (spread.mean, spread.low, spread.high)))
    return shown


def _rate(rate: float) -> str:
    return f"{rate:.2g}"
