"""Pruners, and why they prune."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from optuna import pruners
from optuna.pruners import BasePruner
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from lehr.wire.space import searches_schedule
from lehr.wire.studies import StudyDefinition
from lehr_service.search.errors import SearchError
from lehr_service.search.forecast import ForecastPruner
from lehr_service.search.outlook import rates_of
from lehr_service.search.quiet import quiet
from lehr_service.search.ranking import RankingMedianPruner, RankingPruner, best_of, summaries_of


@dataclass(frozen=True)
class Decision:
    """A pruner's word on a trial, and one sentence that explains it."""

    word: Literal["continue", "prune"]
    reason: str


def build_pruner(definition: StudyDefinition) -> BasePruner:
    """The study's pruner. Raises SearchError where its options do not go together."""
    try:
        with quiet():
            return _build(definition.pruner, definition)
    except ValueError as error:
        name = definition.pruner["name"]
        raise SearchError(f"the pruner {name} refuses its options: {error}") from error


def _build(pruner: dict[str, Any] | None, definition: StudyDefinition) -> BasePruner:
    if pruner is None:
        return None
    epochs = definition.training.epochs
    options = {o: v for o, v in pruner.items() if o != "name" and v is not None}
    match pruner["name"]:
        case "none":
            return pruners.NopPruner()
        case "successive_halving":
            return pruners.SuccessiveHalvingPruner(**({"min_resource": 1} | options))
        case "hyperband":
            return pruners.HyperbandPruner(**({"max_resource": epochs} | options))
        case "patient":
            wrapped = _build(options.pop("wrapped_pruner", None), definition)
            return pruners.PatientPruner(wrapped, **options)
        case "forecast":
            return _forecast(options, definition)
        case name:
            return _BUILDERS[name](**options)


def _forecast(options: dict[str, Any], definition: StudyDefinition) -> ForecastPruner:
    schedules_differ = searches_schedule(definition.space)
    dominance = options.pop("dominance", "auto")
    # Of schedules that differ, those with the most decay to come look worst at the start.
    by_default = not schedules_differ and "early_cut" not in options
    return ForecastPruner(
        definition.training.epochs,
        eager=options.pop("eager", by_default),
        dominance=schedules_differ if dominance == "auto" else dominance == "on",
        select=definition.goals[0].select,
        rates=rates_of(definition),
        **options,
    )


_BUILDERS = {
    "median": RankingMedianPruner,
    "percentile": RankingPruner,
    "threshold": pruners.ThresholdPruner,
    "wilcoxon": pruners.WilcoxonPruner,
}


def prepare(pruner: BasePruner, study: Study) -> None:
    """Let Hyperband make its brackets now.

    It makes them at its first verdict, and until then holds that all trials are in one bracket:
    a mirror built in mid-study would show a sampler other trials than one that lived on.
    """
    pruner.prune(study, create_trial(state=TrialState.RUNNING))


def explain(definition: StudyDefinition, study: Study, trial: FrozenTrial) -> str:
    """Why the study's pruner prunes ``trial`` at its last step, in one sentence."""
    return _explain(definition.pruner, definition, study, trial)


def _explain(
    options: dict[str, Any], definition: StudyDefinition, study: Study, trial: FrozenTrial
) -> str:
    name, step = options["name"], trial.last_step
    value = trial.intermediate_values[step]
    if math.isnan(value):
        return f"the {name} pruner: the value at step {step} is not a number"
    match name:
        case "median":
            return _below(name, 50.0, study, trial)
        case "percentile":
            return _below(name, options["percentile"], study, trial)
        case "successive_halving" | "hyperband":
            factor = options.get("reduction_factor", 4 if name == "successive_halving" else 3)
            return (
                f"the {name} pruner: {value:.6g} at step {step} is not among the best "
                f"1 in {factor} of the trials that came to this rung"
            )
        case "threshold":
            return _beyond(options, value, step)
        case "patient":
            return _no_gain(options, definition, study, trial)
        case "forecast":
            return f"forecast: {_build(options, definition).reason(study, trial)}"
        case _:
            return f"the {name} pruner: up to step {step} it is worse than the best trial"


def _no_gain(
    options: dict[str, Any], definition: StudyDefinition, study: Study, trial: FrozenTrial
) -> str:
    reason = (
        f"the patient pruner: no gain of more than {options.get('min_delta', 0.0):g} "
        f"in the last {options['patience'] + 1} steps up to step {trial.last_step}"
    )
    wrapped = options.get("wrapped_pruner")
    return f"{reason}; {_explain(wrapped, definition, study, trial)}" if wrapped else reason


def _below(name: str, percentile: float, study: Study, trial: FrozenTrial) -> str:
    step, upwards = trial.last_step, study.direction == StudyDirection.MAXIMIZE
    best = best_of(trial.intermediate_values.values(), upwards)
    summaries = summaries_of(study)
    if summaries is None:
        return f"the {name} pruner: {best:.6g}, the best up to step {step}, is not enough there"
    others = summaries.count(step)
    limit = summaries.percentile(step, 100 - percentile if upwards else percentile)
    if name == "median":
        where = f"the median {limit:.6g} of {others} trials there"
    else:
        where = f"{limit:.6g}, where the best {percentile:g} % of {others} trials there end"
    side = "below" if upwards else "above"
    return f"the {name} pruner: {best:.6g}, the best up to step {step}, is {side} {where}"


def _beyond(options: dict[str, Any], value: float, step: int) -> str:
    lower, upper = options.get("lower"), options.get("upper")
    limit = f"below {lower:g}" if lower is not None and value < lower else f"above {upper:g}"
    return f"the threshold pruner: {value:.6g} at step {step} is {limit}"
