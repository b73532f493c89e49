"""Pictures: a study's learning curves beside the rates that made them, and range tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lehr.errors import LehrError
from lehr.range_tests import Bounds, Curve, Spread
from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import Report, Trial, TrialState

_COLOURS = 10


@dataclass(frozen=True)
class RangePicture:
    """What is drawn of a range test."""

    title: str
    curves: Sequence[Curve]
    found: Mapping[str, Spread]
    search: Bounds


def save_curves(
    file: Path,
    definition: StudyDefinition,
    trials: Sequence[Trial],
    reports: Mapping[int, Sequence[Report]],
    best: int | None,
) -> None:
    """Write the figure of ``draw_curves`` to a file; its ending says in which format.

    Raises LehrError where matplotlib is missing, or the file cannot be written.
    """
    _save(draw_curves(definition, trials, reports, best), file)


def save_range_tests(file: Path, tests: Sequence[RangePicture]) -> None:
    """Write the figure of ``draw_range_tests`` to a file; its ending says in which format.

    Raises LehrError where matplotlib is missing, or the file cannot be written.
    """
    _save(draw_range_tests(tests), file)


def draw_curves(
    definition: StudyDefinition,
    trials: Sequence[Trial],
    reports: Mapping[int, Sequence[Report]],
    best: int | None,
) -> Any:
    """A matplotlib figure: the judged metric and the learning rate by step, a line a trial.

    Colour tells the schedule, a cross where a trial was pruned, a thick line the best trial.
    ``reports`` are by trial number. Raises LehrError where matplotlib is missing.
    """
    figure = _figure(12, 5)
    from matplotlib.ticker import MaxNLocator

    curves, rates = figure.subplots(1, 2)
    colours = {name: f"C{i % _COLOURS}" for i, name in enumerate(definition.space.schedule)}
    for trial in trials:
        points = reports.get(trial.number, ())
        if not points:
            continue
        colour = colours.get(trial.params.get("schedule", ""), "C0")
        is_best = trial.number == best
        style = {
            "color": colour,
            "linewidth": 3.0 if is_best else 1.0,
            "alpha": 1.0 if is_best else 0.6,
            "zorder": 3 if is_best else 2,
        }
        steps = [point.step for point in points]
        curves.plot(steps, [_number(point.value) for point in points], **style)
        rates.plot(steps, [_number(point.learning_rate) for point in points], **style)
        if trial.state is TrialState.PRUNED:
            curves.plot(steps[-1], _number(points[-1].value), "x", color=colour)
    metric = definition.goals[0].metric
    curves.set(xlabel="step (epochs)", ylabel=metric, title=f"{definition.name}: {metric}")
    rates.set(xlabel="step (epochs)", ylabel="learning rate", yscale="log")
    rates.set_title("the learning rates that made it")
    for axes in (curves, rates):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for name, colour in colours.items():
        curves.plot([], [], color=colour, label=name)
    if colours:
        curves.legend(title="schedule (thick: best; x: pruned)", fontsize="small")
    return figure


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
        axes.plot(curve.rates, curve.losses, ".", color="0.75", markersize=2, zorder=1)
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
        ylabel="loss of a batch, smoothed",
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
