"""Learning curves beside the learning rates that made them, and intermediate values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import TrialState
from lehr_service.domain.trial import Trial

PALETTE = (
    *("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"),
    *("#ee8866", "#44bb99", "#bbcc33", "#99ddff", "#ffaabb", "#777777"),
)
"""Colours that colour-blind people can tell apart (P. Tol, "bright" and "light")."""

_LONGEST = 400  # points of a curve; a screen shows no more
_SINGLE_TICKS = 10  # up to so many steps each has its tick, and none is between them

Point = tuple[int, float | None, float | None]
"""Step, value, learning rate."""


@dataclass(frozen=True)
class Curve:
    """A trial and what it reported, by step."""

    trial: Trial
    points: Sequence[Point]

    @property
    def schedule(self) -> str:
        return str((self.trial.params or {}).get("schedule", ""))

    @property
    def name(self) -> str:
        return f"{self.trial.number}{self.schedule and f' ({self.schedule})'}"


def learning_curves(
    definition: StudyDefinition, curves: Sequence[Curve], best: int | None, *, of_each: bool = False
) -> dict[str, Any]:
    """The judged metric by step, and beside it the learning rate; colour tells the schedule, or
    the trial if that ``of_each`` is to be told.

    The best trial's lines are thick; a cross is where a trial was pruned.
    """
    groups = {c.trial.number: c.name if of_each else c.schedule for c in curves}
    colours = _colours([*(() if of_each else definition.space.schedule), *groups.values()])
    data = []
    for curve in sorted(curves, key=lambda c: c.trial.number == best):
        points, group = thinned(curve.points), groups[curve.trial.number]
        line = _line(curve, group, colours[group], curve.trial.number == best)
        steps = [step for step, _, _ in points]
        data.append(line | {"x": steps, "y": [value for _, value, _ in points]})
        rates = [rate for _, _, rate in points]
        data.append(line | {"x": steps, "y": rates, "xaxis": "x2", "yaxis": "y2"})
    data += [_pruned(curves, {number: colours[group] for number, group in groups.items()})]
    there = set(groups.values())
    return {
        "data": data + _legend({name: c for name, c in colours.items() if name in there}),
        "layout": {
            "xaxis": _steps([0.0, 0.46], "y", curves),
            "yaxis": {"title": {"text": _judged(definition)}, "anchor": "x"},
            "xaxis2": _steps([0.54, 1.0], "y2", curves),
            "yaxis2": {
                "title": {"text": "learning rate"},
                "type": "log",
                "anchor": "x2",
                "exponentformat": "power",
                "minorloglabels": "none",
            },
            "hovermode": "closest",
            "legend": {"title": {"text": "trial" if of_each else "schedule"}},
        },
    }


def intermediate_values(definition: StudyDefinition, curves: Sequence[Curve]) -> dict[str, Any]:
    """The judged metric by step, a colour a state, with a cross where a trial was pruned."""
    colours = {
        TrialState.COMPLETE: PALETTE[0],
        TrialState.PRUNED: PALETTE[6],
        TrialState.FAIL: PALETTE[5],
        TrialState.RUNNING: PALETTE[2],
        TrialState.WAITING: PALETTE[11],
    }
    data = [
        _line(curve, curve.trial.state.value, colours[curve.trial.state], False)
        | {
            "x": [step for step, _, _ in thinned(curve.points)],
            "y": [value for _, value, _ in thinned(curve.points)],
        }
        for curve in curves
    ]
    pruned = _pruned(curves, {}) | {"name": "pruned here", "showlegend": True}
    there = {curve.trial.state for curve in curves}
    named = {state.value: colour for state, colour in colours.items() if state in there}
    return {
        "data": [*data, pruned, *_legend(named)],
        "layout": {
            "xaxis": _steps([0.0, 1.0], "y", curves),
            "yaxis": {"title": {"text": _judged(definition)}},
            "hovermode": "closest",
            "legend": {"title": {"text": "state"}},
        },
    }


def thinned(points: Sequence[Point]) -> Sequence[Point]:
    """At most so many points as a screen shows, the first and the last among them."""
    if len(points) <= _LONGEST:
        return points
    last = len(points) - 1
    return [points[index * last // (_LONGEST - 1)] for index in range(_LONGEST)]


def _judged(definition: StudyDefinition) -> str:
    """What a curve shows: by averaged weights it need not end at the trial's value."""
    weights = " (averaged weights)" if definition.judge == "ema" else ""
    return f"{definition.goals[0].metric}{weights}"


def _colours(names: Iterable[str]) -> dict[str, str]:
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(dict.fromkeys(names))}


def _line(curve: Curve, group: str, colour: str, is_best: bool) -> dict[str, Any]:
    trial = curve.trial
    return {
        "type": "scatter",
        "mode": "lines" if len(curve.points) > 1 else "markers",
        "name": f"trial {trial.number}",
        "legendgroup": group,
        "showlegend": False,
        "line": {"color": colour, "width": 4 if is_best else 1.5},
        "marker": {"color": colour},
        "opacity": 1.0 if is_best else 0.65,
        "meta": {"trial": trial.number},
        "hovertemplate": f"trial {trial.number} ({trial.state})<br>step %{{x}}: %{{y:.5g}}"
        "<extra></extra>",
    }


def _pruned(curves: Sequence[Curve], colours: Mapping[int, str]) -> dict[str, Any]:
    ended = [c for c in curves if c.trial.state is TrialState.PRUNED and c.points]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "pruned",
        "x": [curve.points[-1][0] for curve in ended],
        "y": [curve.points[-1][1] for curve in ended],
        "text": [f"trial {curve.trial.number} was pruned here" for curve in ended],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "symbol": "x",
            "size": 8,
            "color": [colours.get(curve.trial.number, PALETTE[6]) for curve in ended],
        },
        "showlegend": bool(ended),
    }


def _legend(colours: Mapping[str, str]) -> list[dict[str, Any]]:
    """A line in the legend for each colour, whatever is drawn."""
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [None],
            "y": [None],
            "name": name,
            "legendgroup": name,
            "line": {"color": colour, "width": 3},
        }
        for name, colour in colours.items()
        if name
    ]


def _steps(domain: list[float], anchor: str, curves: Sequence[Curve]) -> dict[str, Any]:
    last = max((curve.points[-1][0] for curve in curves if curve.points), default=0)
    return {
        "title": {"text": "step (epochs)"},
        "domain": domain,
        "anchor": anchor,
        "rangemode": "tozero",
        **({"dtick": 1} if last <= _SINGLE_TICKS else {}),
    }
