"""Which trials a figure shows, and the figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from sqlalchemy import Connection

from lehr.wire.base import all_of
from lehr.wire.trials import TrialState
from lehr_service.domain.study import Study
from lehr_service.domain.trial import Trial, pareto_front
from lehr_service.errors import Invalid
from lehr_service.figures.curves import Curve, intermediate_values, learning_curves
from lehr_service.figures.pareto import DRAWN, pareto
from lehr_service.figures.timeline import timeline
from lehr_service.search import SearchError, TrialSnapshot
from lehr_service.storage import attempts, reports, trials, workers
from lehr_service.storage.trials import Outline

Kind = Literal[
    "history",
    "learning_curves",
    "intermediate_values",
    "parallel_coordinate",
    "slice",
    "contour",
    "importances",
    "edf",
    "pareto_front",
    "timeline",
]
KINDS: tuple[str, ...] = get_args(Kind)

# How many trials a figure shows: what a browser draws at once, and an eye can tell apart.
_CURVES = {"learning_curves": 60, "intermediate_values": 120}
_POINTS = {
    "parallel_coordinate": 150,
    "slice": 500,
    "contour": 100,
    "history": 1500,
    "edf": 3000,
    "importances": 1000,
    "pareto_front": 1500,
}
_ATTEMPTS = 1000
_OF_ALL = ("edf", "importances")  # say something about all trials: a sample with the best would lie


@dataclass(frozen=True)
class View:
    """What of a study is to be seen; empty: what the figure chooses."""

    metric: str | None = None
    params: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()  # of trials


def figure(connection: Connection, study: Study, kind: str, view: View, now: float) -> str:
    """A Plotly figure of a study as JSON. Raises Invalid for a metric or parameter it lacks."""
    goal = _goal(study, view)
    try:
        if kind == "timeline":
            drawn = _timeline(connection, study, now)
        elif kind in _CURVES:
            drawn = _curves(connection, study, kind, view)
        elif kind == "pareto_front":
            drawn = _pareto(connection, study, view)
        else:
            drawn = _optuna(connection, study, kind, view, goal)
    except SearchError as nothing:
        drawn = _empty(str(nothing))
    return dump(drawn)


def dump(drawn: dict[str, Any]) -> str:
    """A figure as JSON, with arrays and numbers that JSON lacks in Plotly's form."""
    from plotly.io.json import to_json_plotly

    return str(to_json_plotly(drawn)) if drawn["data"] else json.dumps(drawn)


def _goal(study: Study, view: View) -> int:
    metrics = [goal.metric for goal in study.definition.goals]
    if view.metric is None:
        return 0
    if view.metric not in metrics:
        message = f"the study has no objective {view.metric!r:.80}; known are {all_of(metrics)}"
        raise Invalid("not valid: metric", [(("metric",), message)])
    return metrics.index(view.metric)


def _timeline(connection: Connection, study: Study, now: float) -> dict[str, Any]:
    latest = attempts.latest(connection, study.id, _ATTEMPTS)
    if not latest:
        raise SearchError("no trial has started yet")
    names = workers.names(connection, list({attempt.worker_id for attempt in latest}))
    drawn = timeline(latest, names, now)
    started = attempts.count(connection, study.id)
    return _titled(drawn, len(latest), started, "attempts, the latest")


def _curves(connection: Connection, study: Study, kind: str, view: View) -> dict[str, Any]:
    goals = study.definition.goals
    everything = [t for t in trials.outlines(connection, study.id) if t.steps]
    best = trials.best(connection, study.id, goals[0].direction) if len(goals) == 1 else None
    numbers = sample(_asked(everything, view), goals[0].direction, _CURVES[kind])
    if not numbers:
        raise SearchError(
            "no step was reported" if view.numbers else "no trial has reported a step yet"
        )
    chosen = trials.numbered(connection, study.id, numbers)
    points = reports.points_of(connection, study.id, numbers)
    if not any(value is not None for some in points.values() for _, value, _ in some):
        raise SearchError("no value that was reported is a number")
    curves = [Curve(trial, points[trial.number]) for trial in chosen]
    if kind == "intermediate_values":
        drawn = intermediate_values(study.definition, curves)
    else:
        number = None if best is None else best.number
        each = bool(view.numbers)
        drawn = learning_curves(study.definition, curves, number, of_each=each)
    return drawn if view.numbers else _titled(drawn, len(chosen), len(everything), "trials")


def _optuna(
    connection: Connection, study: Study, kind: str, view: View, goal: int
) -> dict[str, Any]:
    from lehr_service.search.figures import optuna_figure

    _check_params(study, view)
    found = trials.outlines(connection, study.id)
    complete = [t for t in _asked(found, view) if t.state == TrialState.COMPLETE]
    if not complete:
        raise SearchError("no trial is complete yet")
    complete = [_by_goal(trial, goal) for trial in complete]
    direction = study.definition.goals[goal].direction
    favoured = None if kind in _OF_ALL else direction
    numbers = sample(complete, favoured, _POINTS.get(kind, len(complete)))
    chosen = trials.numbered(connection, study.id, numbers)
    drawn = optuna_figure(
        kind,
        study.definition,
        [_snapshot(trial) for trial in chosen],
        goal=goal,
        params=view.params or None,
    )
    return _titled(drawn, len(chosen), len(complete), "complete trials")


def _by_goal(trial: Outline, goal: int) -> Outline:
    """Of several objectives, the value of one."""
    several = trial.objective_values
    return trial if several is None else replace(trial, value=several[goal])


def _pareto(connection: Connection, study: Study, view: View) -> dict[str, Any]:
    """All of the front, which is that of all trials, and a sample of what it dominates."""
    goals = study.definition.goals
    if len(goals) not in DRAWN:
        raise SearchError("a Pareto front is drawn for two or three objectives")
    found = _asked(trials.outlines(connection, study.id), view)
    complete = [t for t in found if t.state == TrialState.COMPLETE and t.objective_values]
    if not complete:
        raise SearchError("no trial is complete yet")
    values = [trial.objective_values or () for trial in complete]
    front = {complete[i].number for i in pareto_front(values, [g.direction for g in goals])}
    dominated = [trial for trial in complete if trial.number not in front]
    some = sample(dominated, None, _POINTS["pareto_front"])
    chosen = trials.numbered(connection, study.id, [*front, *some])
    what = f"dominated trials, and all {len(front):,} of the front"
    return _titled(pareto(goals, chosen, front), len(some), len(dominated), what)


def _check_params(study: Study, view: View) -> None:
    from lehr_service.search.figures import shown_params

    known = shown_params(study.definition)
    for name in view.params:
        if name not in known:
            message = f"no parameter is named {name!r:.80}; known are {all_of(known) or 'none'}"
            raise Invalid("not valid: params", [(("params",), message)])


def _asked(found: list[Outline], view: View) -> list[Outline]:
    return [trial for trial in found if trial.number in view.numbers] if view.numbers else found


def sample(found: Sequence[Outline], direction: str | None, limit: int) -> list[int]:
    """Numbers of at most ``limit`` trials, evenly spread over all.

    With a direction a third is for the best, and a third for those that run.
    """
    if len(found) <= limit:
        return [trial.number for trial in found]
    chosen: set[int] = set() if direction is None else _favourites(found, direction, limit // 3)
    rest = [trial for trial in found if trial.number not in chosen]
    room = limit - len(chosen)
    return sorted(chosen | {rest[i * len(rest) // room].number for i in range(room)})


def _favourites(found: Sequence[Outline], direction: str, some: int) -> set[int]:
    sign = 1 if direction == "minimize" else -1
    valued = [trial for trial in found if trial.value is not None]
    best = sorted(valued, key=lambda trial: sign * (trial.value or 0.0))[:some]
    running = [trial for trial in found if trial.state == TrialState.RUNNING][:some]
    return {trial.number for trial in (*best, *running)}


def _snapshot(trial: Trial) -> TrialSnapshot:
    several = trial.objective_values
    return TrialSnapshot(
        number=trial.number,
        state=trial.state,
        params=dict(trial.params or {}),
        fixed_params={},
        values=list(several) if several is not None else [trial.value or 0.0],
        reports={},
        attrs={},
    )


def _titled(drawn: dict[str, Any], shown: int, there: int, what: str) -> dict[str, Any]:
    layout = {**drawn["layout"], "title": {}}
    if shown < there:
        layout["title"] = {"text": f"{shown:,} of {there:,} {what}", "font": {"size": 13}}
    return {"data": drawn["data"], "layout": layout}


def _empty(message: str) -> dict[str, Any]:
    """A figure that says why it shows nothing."""
    note = {"text": message, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
    return {
        "data": [],
        "layout": {
            "annotations": [note | {"showarrow": False, "font": {"size": 16}}],
            "xaxis": {"visible": False},
            "yaxis": {"visible": False},
        },
    }
