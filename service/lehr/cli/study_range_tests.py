"""``lehr study range-tests``: which learning rates a study searches, and what they follow from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.table import Table

from lehr.cli import render
from lehr.cli.connect import AsJson, Server, StudyName, Token, connected
from lehr.errors import LehrError
from lehr.plots import RangePicture, save_range_tests
from lehr.range_tests import RULES, Bounds, Curve, Spread
from lehr.wire.range_tests import RangeTest


def range_tests(
    name: StudyName,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Draw the curves: .png, .svg or .pdf."),
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Show the range tests of a study: what each suggests, and which learning rates are searched.

    A study has one for each optimizer with "learning_rate: {range_test: {}}"; they run first.

    Example: lehr study range-tests fashion-cnn -o range-tests.png
    """
    with connected(server, token) as client:
        tests = client.range_tests(name)
        if as_json:
            render.print_json(tests)
        elif tests:
            render.console().print(_table(tests))
        else:
            typer.echo(f"no range tests in study {name}")
        if output is not None:
            save_range_tests(output, _drawn(name, tests))
            typer.echo(f"wrote {output}", err=as_json)


def _table(tests: Sequence[RangeTest]) -> Table:
    every = ("optimizer", "state", "attempts", "worker", "search", *RULES, "note")
    shown = render.table(*render.columns(every, in_wide=("attempts", "worker")))
    return render.rows(shown, map(_row, tests))


def _row(test: RangeTest) -> dict[str, RenderableType]:
    reused = f"measured by study {test.reused_from}" if test.reused_from else ""
    found = test.suggestions or {}
    return {
        "optimizer": test.optimizer,
        "state": render.state(test.state),
        "attempts": str(test.attempts),
        "worker": test.worker or "",
        "search": f"{test.bounds.low:.2g} to {test.bounds.high:.2g}" if test.bounds else "",
        **{rule: f"{found[rule].mean:.2g}" if found else "" for rule in RULES},
        "note": "; ".join(filter(None, (reused, test.message))),
    }


def _drawn(study: str, tests: Sequence[RangeTest]) -> list[RangePicture]:
    """Raises LehrError while there is nothing to draw."""
    drawn = [
        RangePicture(
            f"{study}, {test.optimizer}",
            _curves(test),
            {rule: Spread(s.mean, s.low, s.high) for rule, s in test.suggestions.items()},
            Bounds(test.bounds.low, test.bounds.high),
        )
        for test in tests
        if test.bounds is not None
    ]
    if not drawn:
        raise LehrError(f"no range test of study {study} is complete: there is nothing to draw")
    return drawn


def _curves(test: RangeTest) -> list[Curve]:
    return [
        Curve(
            tuple(curve.learning_rates),
            tuple(curve.losses),
            tuple(curve.smoothed),
            curve.diverged_at,
            test.setup.updates,
        )
        for curve in test.curves
    ]
