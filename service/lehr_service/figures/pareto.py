"""What several objectives cost each other: the trials that no other beats, among those beaten."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from lehr.wire.parts import Objective
from lehr_service.domain.trial import Trial

EARLY_TO_LATE = [[0.0, "#a3c9ea"], [1.0, "#2a74bb"]]
"""Colours of points by the number of the trial, to be seen on white and on black."""
_FRONT = "#dd6b20"
DRAWN = (2, 3)  # so many objectives have a picture

_SINGLE_TICKS = 10  # up to this number of trials each has its tick, and none is between them
_AXES = ("x", "y", "z")


def pareto(
    goals: Sequence[Objective], trials: Sequence[Trial], front: Collection[int]
) -> dict[str, Any]:
    """A point a trial with values, an axis an objective; two or three of them.

    ``front``: numbers of the trials that no other dominates.
    """
    numbers = [trial.number for trial in trials]
    best, others = (
        [t for t in trials if t.number in front],
        [t for t in trials if t.number not in front],
    )
    bar: dict[str, Any] = {"title": {"text": "trial"}, "thickness": 14}
    if max(numbers) - min(numbers) <= _SINGLE_TICKS:
        bar |= {"tick0": 0, "dtick": 1}
    by_number = {
        "color": [trial.number for trial in others],
        "colorscale": EARLY_TO_LATE,
        "cmin": min(numbers),
        "cmax": max(numbers),
        "colorbar": bar,
    }
    axes = {
        f"{axis}axis": {"title": {"text": goal.metric}, "exponentformat": "power"}
        for axis, goal in zip(_AXES, goals, strict=False)
    }
    return {
        "data": [
            _points(goals, others, "dominated", by_number | {"size": 6}),
            _points(goals, best, "Pareto front", {"color": _FRONT, "size": 9}),
        ],
        "layout": (axes if len(goals) == DRAWN[0] else {"scene": axes}) | {"hovermode": "closest"},
    }


def _points(
    goals: Sequence[Objective], trials: Sequence[Trial], name: str, marker: dict[str, Any]
) -> dict[str, Any]:
    solid = len(goals) > DRAWN[0]
    values = [trial.objective_values or () for trial in trials]
    return {
        "type": "scatter3d" if solid else "scatter",
        "mode": "markers",
        "name": name,
        "showlegend": True,
        **{axis: [v[i] for v in values] for i, axis in enumerate(_AXES[: len(goals)])},
        "text": [_said(trial) for trial in trials],
        "customdata": [trial.number for trial in trials],
        "hovertemplate": _hover(goals, name),
        "marker": marker | ({"size": marker["size"] / 2} if solid else {}),
    }


def _hover(goals: Sequence[Objective], name: str) -> str:
    named = (f"{g.metric} %{{{a}:.6g}}" for g, a in zip(goals, _AXES, strict=False))
    return f"trial %{{customdata}} ({name})<br>{'<br>'.join(named)}<br>%{{text}}<extra></extra>"


def _said(trial: Trial) -> str:
    """The parameters of a trial, a line each; numbers in four digits."""
    return "<br>".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in (trial.params or {}).items()
    )
