"""Pictures: a study's learning curves beside the rates that made them, and range tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lehr.errors import LehrError
from lehr.range_tests import Bounds, Curve, Spread


@dataclass(frozen=True)
class RangePicture:
    """What is drawn of a range test."""

    title: str
    curves: Sequence[Curve]
    found: Mapping[str, Spread]
    search: Bounds


def save_curves(file: Path, drawn: Mapping[str, Any], title: str) -> None:
    """Write the figure of ``draw_curves`` to a file; its ending says in which format.

    Raises LehrError where matplotlib is missing, or the file cannot be written.
    """
    _save(draw_curves(drawn, title), file)


def save_range_tests(file: Path, tests: Sequence[RangePicture]) -> None:
    """Write the figure of ``draw_range_tests`` to a file; its ending says in which format.

    Raises LehrError where matplotlib is missing, or the file cannot be written.
    """
    _save(draw_range_tests(tests), file)


def draw_curves(drawn: Mapping[str, Any], title: str) -> Any:
    """The server's figure ``learning_curves`` as one of matplotlib, which needs no browser.

    The judged metric and the learning rate by step, a line a trial; colour tells the schedule, a
    cross where a trial was pruned, a thick line the best trial. Raises LehrError where matplotlib
    is missing.
    """
    figure = _figure(12, 5)
    layout, lines = drawn["layout"], drawn["data"]
    notes = [note["text"] for note in layout.get("annotations", ())]
    figure.suptitle("\n".join(filter(None, [title, layout.get("title", {}).get("text")])))
    if not lines:
        figure.text(0.5, 0.5, "\n".join(notes), ha="center")
        return figure
    left, right = figure.subplots(1, 2)
    for line in lines:
        _draw_line(right if line.get("xaxis") == "x2" else left, line)
    for axes, name in ((left, "yaxis"), (right, "yaxis2")):
        _dress(axes, layout[name])
    if left.get_legend_handles_labels()[1]:
        what = layout["legend"]["title"]["text"]
        left.legend(title=f"{what} (thick: the best trial)", fontsize="small")
    return figure


def _draw_line(axes: Any, line: Mapping[str, Any]) -> None:
    """A line of Plotly's, or its markers; those without a name in the legend have none here."""
    label = line["name"] if line.get("showlegend", True) else None
    points = line["x"], [_number(value) for value in line["y"]]
    if line["mode"] == "markers":
        shape = "x" if line["marker"].get("symbol") == "x" else "."
        axes.scatter(*points, c=line["marker"]["color"], marker=shape, zorder=4)
        if label:  # in the legend they have no schedule's colour
            axes.scatter([], [], c="0.3", marker=shape, label=label)
        return
    style = line["line"]
    axes.plot(
        *([_number(step) for step in points[0]], points[1]),
        color=style["color"],
        linewidth=0.7 * style["width"],
        alpha=line.get("opacity", 1.0),
        label=label,
    )


def _dress(axes: Any, layout: Mapping[str, Any]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set(xlabel="step (epochs)", ylabel=layout["title"]["text"])
    axes.set_yscale(layout.get("type", "linear"))
    axes.grid(alpha=0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def draw_range_tests(tests: Sequence[RangePicture]) -> Any:
    """A matplotlib figure: smoothed loss by learning rate, a line a seed, over the batches' losses.

    Tests stand one below the other. Each rule has a colour: a line at its mean, a band over its
    seeds; grey is what the search leaves out. Raises LehrError where matplotlib is missing.
    """
    figure = _figure(9, 5 * len(tests))
    for axes, test in zip(figure.subplots(len(tests), squeeze=False)[:, 0], tests, strict=True):
        _draw_range_test(axes, test)
    return figure


def _draw_range_test(axes: Any, test: RangePicture) -> None:
    axes.set_title(f"range test: {test.title}")
    curves, found, search = [c for c in test.curves if c.rates], test.found, test.search
    if not curves:
        axes.text(0.5, 0.5, "no loss was a number", ha="center", transform=axes.transAxes)
        return
    for curve in curves:
        axes.plot(curve.rates, curve.losses, ".", color="0.6", markersize=2, zorder=1)
    for curve in curves:
        axes.plot(curve.rates, curve.smoothed, color="black", linewidth=1.0, zorder=3)
    for index, (rule, spread) in enumerate(found.items()):
        axes.axvspan(spread.low, spread.high, color=f"C{index}", alpha=0.15, linewidth=0)
        axes.axvline(spread.mean, color=f"C{index}", label=f"{rule}: {spread.mean:.2g}")
    lowest = min(min(curve.losses) for curve in curves)
    highest = max(max(curve.smoothed) for curve in curves)
    margin = 0.05 * (highest - lowest) or 1.0
    axes.set_xscale("log")
    left = min(curve.rates[0] for curve in curves)
    right = max(curve.rates[-1] for curve in curves)
    axes.axvspan(left, search.low, color="0.5", alpha=0.2, linewidth=0)
    axes.axvspan(search.high, max(right, search.high), color="0.5", alpha=0.2, linewidth=0)
    axes.set(
        xlim=(left, max(right, search.high)),
        ylim=(lowest - margin, highest + margin),
        xlabel="learning rate",
        ylabel="loss of a batch; lines: smoothed, one a seed",
    )
    axes.grid(alpha=0.3)
    axes.legend(title=f"search {search.low:.2g} to {search.high:.2g}", fontsize="small")


def _figure(width: float, height: float) -> Any:
    """An empty matplotlib figure, in inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise LehrError("plots need the extra [plot]: pip install 'lehr[plot]'") from None
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Any, file: Path) -> None:
    try:
        figure.savefig(file, dpi=120)
    except (OSError, ValueError) as error:
        raise LehrError(f"cannot write {file}: {error}") from error


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
