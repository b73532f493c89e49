"""The tables of samplers and pruners against the Optuna that is installed."""

import inspect

import pytest
from optuna import pruners, samplers

from lehr.schedules import REQUIRED
from lehr.wire.base import Problems
from lehr.wire.search import PRUNERS, SAMPLERS, read_choice
from lehr_service.search.forecast import ForecastPruner

CLASSES = {
    "tpe": samplers.TPESampler,
    "random": samplers.RandomSampler,
    "gp": samplers.GPSampler,
    "cmaes": samplers.CmaEsSampler,
    "qmc": samplers.QMCSampler,
    "grid": samplers.GridSampler,
    "brute_force": samplers.BruteForceSampler,
    "nsga2": samplers.NSGAIISampler,
    "nsga3": samplers.NSGAIIISampler,
    "none": pruners.NopPruner,
    "median": pruners.MedianPruner,
    "percentile": pruners.PercentilePruner,
    "successive_halving": pruners.SuccessiveHalvingPruner,
    "hyperband": pruners.HyperbandPruner,
    "forecast": ForecastPruner,
    "patient": pruners.PatientPruner,
    "threshold": pruners.ThresholdPruner,
    "wilcoxon": pruners.WilcoxonPruner,
}
OPTIONS = {**SAMPLERS, **PRUNERS}

OURS = {("tpe", "good_set")}

# How the service asks a sampler; no sampler of Optuna's sees them.
AHEAD = {"ask_ahead", "stale_after", "max_history"}
# Options that are Python objects, that Optuna has deprecated, or that only silence its log.
LEFT_OUT = {
    "after_trial_strategy",
    "child_generation_strategy",
    "consider_endpoints",
    "consider_magic_clip",
    "consider_prior",
    "constraints_func",
    "elite_population_selection_strategy",
    "gamma",
    "inc_popsize",
    "independent_sampler",
    "mutation",
    "n_steps",
    "prior_weight",
    "rates",
    "reference_points",
    "restart_strategy",
    "search_space",
    "select",
    "source_trials",
    "warn_asynchronous_seeding",
    "warn_independent_sampling",
    "weights",
    "x0",
}
# Ours differ where Optuna's depends on who finishes first, or stands for what we write out.
OTHER_DEFAULTS = {
    ("tpe", "multivariate"): True,
    ("tpe", "group"): True,
    ("successive_halving", "min_resource"): 1,
    ("hyperband", "max_resource"): None,
    ("patient", "wrapped_pruner"): None,
    ("forecast", "dominance"): "auto",
    ("forecast", "eager"): None,
}


def optuna_options(name):
    kind = CLASSES[name]
    if kind.__init__ is object.__init__:
        return {}
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return {p.name: REQUIRED if p.default is p.empty else p.default for p in parameters}


def test_every_sampler_and_pruner_of_optuna_is_in_the_tables():
    known = {getattr(samplers, n) for n in dir(samplers) if n.endswith("Sampler")}
    known |= {getattr(pruners, n) for n in dir(pruners) if n.endswith("Pruner")}
    helpers = {
        samplers.BaseSampler,
        samplers.BaseGASampler,
        samplers.PartialFixedSampler,
        pruners.BasePruner,
    }
    assert set(CLASSES.values()) - {ForecastPruner} == known - helpers
    assert CLASSES.keys() == OPTIONS.keys()


@pytest.mark.parametrize("name", OPTIONS)
def test_options_and_defaults_are_those_of_optuna(name):
    known = optuna_options(name)
    ours = AHEAD | {option for of, option in OURS if of == name}
    assert OPTIONS[name].keys() - ours == known.keys() - LEFT_OUT
    for option, described in OPTIONS[name].items():
        if option in ours:
            continue
        expected = OTHER_DEFAULTS.get((name, option), known[option])
        assert described.default == expected, option
        if described.default not in (REQUIRED, None):
            described.check(option, described.default)


def test_every_option_left_out_still_exists():
    assert set().union(*map(optuna_options, OPTIONS)) >= LEFT_OUT


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("tpe", {"name": "tpe"}),
        ({"name": "tpe", "startup_trials": 3}, {"name": "tpe", "n_startup_trials": 3}),
        ({"name": "tpe", "n_startup_trials": 3}, {"name": "tpe", "n_startup_trials": 3}),
        ({"name": "tpe", "good_set": "all"}, {"name": "tpe", "good_set": "all"}),
        ({"name": "cmaes", "sigma0": None}, {"name": "cmaes", "sigma0": None}),
    ],
)
def test_options_are_read_by_optunas_names(raw, read):
    problems = Problems()
    assert read_choice(raw, "sampler", SAMPLERS, problems, ()) == read
    problems.raise_if_any()


def test_the_options_of_a_wrapped_pruner_are_read_too():
    raw = {"name": "patient", "patience": 1, "wrapped_pruner": {"name": "median", "min_trials": 2}}
    problems = Problems()
    read = read_choice(raw, "pruner", PRUNERS, problems, ())
    problems.raise_if_any()
    assert read["wrapped_pruner"] == {"name": "median", "n_min_trials": 2}
