"""Pictures of a study: learning curves beside the learning rates that made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lehr.errors import LehrError
from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import Report, Trial, TrialState

_COLOURS = 10


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
    figure = draw_curves(definition, trials, reports, best)
    try:
        figure.savefig(file, dpi=120)
    except (OSError, ValueError) as error:
        raise LehrError(f"cannot write {file}: {error}") from error


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
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        raise LehrError("plots need the extra [plot]: pip install 'lehr[plot]'") from None
    figure = Figure(figsize=(12, 5), layout="constrained")
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


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
