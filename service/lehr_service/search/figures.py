"""Optuna's own visualisations of a study, as Plotly figures in the form that JSON takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import FrozenTrial

from lehr.wire.space import searched
from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import TrialState
from lehr_service.search.errors import SearchError
from lehr_service.search.memory import Memory
from lehr_service.search.quiet import quiet
from lehr_service.search.snapshots import TrialSnapshot, freeze
from lehr_service.search.space import distribution, encode_all

LEARNING_RATE = "learning_rate"
"""The initial learning rate, whichever optimizer it belongs to: a parameter of pictures only."""

_SEVERAL_RATES = "several_rates"  # attribute of a study whose optimizers have a rate each

_SLICES = 12  # pictures beside each other
_MARKED = 50  # up to so many values of a distribution have a mark each
_WORST_TO_BEST: list[list[Any]] = [[0.0, "#9fb8cc"], [0.6, "#4a8fc2"], [1.0, "#dd6b20"]]
"""Colours of lines by value, to be told apart on white and on black."""
_EARLY_TO_LATE = [[0.0, "#a3c9ea"], [1.0, "#2a74bb"]]
_EARLY_TO_LATE_BEST = [[0.0, "#f2a184"], [1.0, "#c9303a"]]
"""Colours of points by the number of the trial, to be seen on white and on black, as above."""
_TO_COMPARE = 2  # parameters of a contour
_SINGLE_TICKS = 10  # up to this number of trials each has its tick, and none is between them


def optuna_figure(
    kind: str,
    definition: StudyDefinition,
    trials: Sequence[TrialSnapshot],
    *,
    goal: int = 0,
    params: Sequence[str] | None = None,
) -> dict[str, Any]:
    """A figure of complete trials; of several objectives the one at ``goal`` is shown.

    ``params`` are those to show; without them the figure chooses. Raises SearchError, with a
    sentence for people, where there is nothing that this kind could show.
    """
    name = definition.goals[goal].metric
    draw = _KINDS[kind]
    with quiet():
        try:
            study = _study(definition, trials, goal)
            figure = draw(study, name, None if params is None else list(params))
        except ValueError as error:
            raise SearchError(str(error)) from error
    figure.update_xaxes(exponentformat="power")  # a rate of 1e-4, not of 100 micro
    figure.update_yaxes(exponentformat="power")
    drawn: dict[str, Any] = figure.to_plotly_json()
    return drawn


def shown_params(definition: StudyDefinition) -> list[str]:
    """The parameters that a figure of this study can show."""
    names = list(searched(definition.space))
    return [LEARNING_RATE, *names] if _has_several_rates(definition) else names


def _has_several_rates(definition: StudyDefinition) -> bool:
    space = definition.space
    rates = [n for n in searched(space) if n.endswith(f".{LEARNING_RATE}")]
    return len(rates) > 1 and LEARNING_RATE not in space.parameters


def _study(definition: StudyDefinition, trials: Sequence[TrialSnapshot], goal: int) -> optuna.Study:
    """The complete trials as Optuna's study of one of the objectives."""
    memory, goals = Memory(), definition.goals
    study = optuna.create_study(
        storage=memory, study_name="figure", direction=goals[goal].direction
    )
    study.set_metric_names([goals[goal].metric])
    known = searched(definition.space)
    distributions = {name: distribution(value) for name, value in known.items()}
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    frozen = [
        freeze(trial, encode_all(known, trial.params or {}), {}, distributions, len(goals))
        for trial in complete
    ]
    if _has_several_rates(definition):
        study.set_user_attr(_SEVERAL_RATES, True)
        _add_rates(frozen, distributions)
    study_id = memory.get_study_id_from_name("figure")
    for position, trial in enumerate(frozen):
        trial.values = [trial.values[goal]]
        # Optuna's memory wants numbers without gaps; the figure shows the trial's own.
        number, trial.number = trial.number, position
        memory.add_trial(study_id, trial)
        memory.get_trial(position).number = number
    return study


def _add_rates(trials: Sequence[FrozenTrial], known: Mapping[str, BaseDistribution]) -> None:
    ranges = [
        value
        for name, value in known.items()
        if name.endswith(f".{LEARNING_RATE}") and isinstance(value, FloatDistribution)
    ]
    found = {id(trial): rate for trial in trials if (rate := _rate(trial)) is not None}
    ends = [end for value in ranges for end in (value.low, value.high)] + list(found.values())
    if not ends:
        return
    every = FloatDistribution(min(ends), max(ends), log=min(ends) > 0)
    for trial in trials:
        if id(trial) in found:
            trial.params = {LEARNING_RATE: found[id(trial)], **trial.params}
            trial.distributions = {LEARNING_RATE: every, **trial.distributions}


def _rate(trial: FrozenTrial) -> float | None:
    rates = [v for name, v in trial.params.items() if name.endswith(f".{LEARNING_RATE}")]
    return float(rates[0]) if rates and isinstance(rates[0], int | float) else None


def _common(study: optuna.Study) -> list[str]:
    """Parameters that every complete trial has."""
    trials = study.get_trials(deepcopy=False)
    first = trials[0].params
    return [name for name in first if all(name in trial.params for trial in trials)]


def _own(study: optuna.Study) -> list[str]:
    """The parameters that trials have, without the one that is there for pictures."""
    added = {LEARNING_RATE} if study.user_attrs.get(_SEVERAL_RATES) else set()
    names = dict.fromkeys(n for t in study.get_trials(deepcopy=False) for n in t.params)
    return [name for name in names if name not in added]


def _two_that_matter(study: optuna.Study) -> list[str]:
    common = _common(study)
    varied = [n for n in common if len({str(t.params[n]) for t in study.get_trials(False)}) > 1]
    if len(varied) < _TO_COMPARE:
        raise SearchError("a contour needs two parameters that all trials have and that vary")
    weights = optuna.importance.get_param_importances(study, params=varied)
    return sorted(varied, key=lambda name: -weights.get(name, 0.0))[:_TO_COMPARE]


def _history(study: optuna.Study, name: str, _params: list[str] | None) -> Any:
    """Optuna draws it for numbers without gaps; here the trials keep theirs."""
    from optuna.visualization import plot_optimization_history

    trials = study.get_trials(deepcopy=False)
    numbers = [trial.number for trial in trials]
    for position, trial in enumerate(trials):
        trial.number = position
    figure = plot_optimization_history(study, target_name=name)
    for data in figure.data:
        data.x = [numbers[position] for position in data.x]
        if data.mode == "lines":
            data.line.shape = "hv"  # a best value lasts until it is beaten
            data.name = "best so far"
    figure.update_xaxes(title_text="trial")
    if max(numbers) <= _SINGLE_TICKS:
        figure.layout.xaxis.dtick = 1
    return figure


def _parallel(study: optuna.Study, name: str, params: list[str] | None) -> Any:
    from optuna.visualization import plot_parallel_coordinate
    from plotly.colors import sample_colorscale

    shown = params or _common(study)
    if not shown:
        raise SearchError("no parameter is searched in every trial")
    figure = plot_parallel_coordinate(study, params=shown, target_name=name)
    scale = _WORST_TO_BEST
    if study.directions[0] == optuna.study.StudyDirection.MINIMIZE:
        scale = [[1.0 - share, colour] for share, colour in reversed(scale)]
    for data in figure.data:
        if data.mode == "lines":
            height = min(max(data.y[0], 0.0), 1.0)  # on the axis of the value, which is the first
            data.line.color = sample_colorscale(scale, height)[0]
        else:
            data.marker.update(colorscale=scale, reversescale=False)
    for note in figure.layout.annotations:
        note.font.color = None  # that of the page
    return figure


def _slice(study: optuna.Study, name: str, params: list[str] | None) -> Any:
    from optuna.visualization import plot_slice

    shown = params or _own(study)[:_SLICES]
    if not shown:
        raise SearchError("no parameter is searched")
    figure = plot_slice(study, params=shown, target_name=name)
    for data in figure.data:
        data.x = [_unquoted(value) for value in data.x]
    _colour_by_number(figure, study)
    for axis in figure.select_xaxes():
        axis.title.font.size = 11
        if axis.type == "log":
            axis.minorloglabels = "none"  # there is no room for them
            axis.nticks = 4
        elif axis.categoryarray is None:
            axis.nticks = 4
        else:
            axis.categoryarray = [_unquoted(value) for value in axis.categoryarray]
            axis.range = [-0.5, len(axis.categoryarray) - 0.5]  # names are as wide as their share
    return figure


def _colour_by_number(figure: Any, study: optuna.Study) -> None:
    """One range of numbers for all points, so that a colour is the same trial everywhere."""
    numbers = [trial.number for trial in study.get_trials(deepcopy=False)]
    first, last = min(numbers), max(numbers)
    for data in figure.data:
        if data.marker.color is None:
            continue
        best = data.marker.colorbar.title.text == "Best Trial"
        scale = _EARLY_TO_LATE_BEST if best else _EARLY_TO_LATE
        data.marker.update(colorscale=scale, cmin=first, cmax=last)
        data.marker.colorbar.title.text = "trial"
        if last - first <= _SINGLE_TICKS:
            data.marker.colorbar.update(tick0=0, dtick=1)


def _unquoted(value: Any) -> Any:
    """Optuna labels a choice with its ``repr``; of texts that is with quotes."""
    quoted = isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == "'"
    return value[1:-1] if quoted else value


def _contour(study: optuna.Study, name: str, params: list[str] | None) -> Any:
    from optuna.visualization import plot_contour

    return plot_contour(study, params=params or _two_that_matter(study), target_name=name)


def _importances(study: optuna.Study, name: str, params: list[str] | None) -> Any:
    """PED-ANOVA's shares. Those of each optimizer's own rate add up to that of the learning rate,
    for it says how much of the differences among an optimizer's trials are due to their rates."""
    import plotly.graph_objects as go

    if len(study.get_trials(deepcopy=False)) < _TO_COMPARE:
        raise SearchError("importances need at least two complete trials")
    found = optuna.importance.get_param_importances(study, params=params or _own(study))
    if not found:
        raise SearchError("no parameter is searched")
    has_rates = params is None and study.user_attrs.get(_SEVERAL_RATES)
    shares: dict[str, float] = defaultdict(float)
    for param, share in found.items():
        is_rate = has_rates and param.endswith(f".{LEARNING_RATE}")
        shares[LEARNING_RATE if is_rate else param] += share
    names = sorted(shares, key=lambda param: shares[param])
    bars = go.Bar(
        x=[shares[param] for param in names],
        y=names,
        orientation="h",
        texttemplate="%{x:.0%}",
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
        marker={"color": "#4477aa"},
    )
    figure = go.Figure(bars)
    most = 1.15 * max(shares.values()) or 1.0  # with room for the share behind the bar
    return figure.update_xaxes(
        title_text=f"importance<br>for {name}", tickformat=".0%", range=[0.0, most], nticks=6
    )


def _edf(study: optuna.Study, name: str, _params: list[str] | None) -> Any:
    """The share of trials whose value is at most x: a step at each value."""
    import plotly.graph_objects as go

    values = sorted(trial.values[0] for trial in study.get_trials(deepcopy=False))
    shares = [(position + 1) / len(values) for position in range(len(values))]
    mode = "lines+markers" if len(values) <= _MARKED else "lines"
    steps = {"x": [values[0], *values], "y": [0.0, *shares], "line": {"shape": "hv"}}
    figure = go.Figure(go.Scatter(mode=mode, **steps))
    figure.update_xaxes(title_text=name)
    return figure.update_yaxes(
        title_text="share of trials at most x", range=[0.0, 1.02], tickformat=".0%"
    )


_KINDS: dict[str, Callable[[optuna.Study, str, list[str] | None], Any]] = {
    "history": _history,
    "parallel_coordinate": _parallel,
    "slice": _slice,
    "contour": _contour,
    "importances": _importances,
    "edf": _edf,
}
