"""Pruners on summaries decide as Optuna's own do, whatever was reported."""

import math
import warnings

import numpy as np
import optuna
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.pruners import MedianPruner, PercentilePruner
from optuna.samplers import RandomSampler
from optuna.trial import TrialState, create_trial

from lehr_service.search.memory import Memory
from lehr_service.search.ranking import RankingMedianPruner, RankingPruner
from lehr_service.search.summaries import Summaries

value = st.one_of(
    st.floats(-3, 3).map(lambda v: round(v, 1)),  # ties
    st.floats(allow_nan=False, width=64),
    st.sampled_from([math.nan, math.inf, -math.inf]),
)
curve = st.dictionaries(st.integers(0, 8), value, max_size=9)
history = st.lists(st.tuples(curve, st.sampled_from(["COMPLETE", "PRUNED", "FAIL"])), max_size=14)
options = st.fixed_dictionaries(
    {
        "n_startup_trials": st.integers(0, 4),
        "n_warmup_steps": st.integers(0, 3),
        "interval_steps": st.integers(1, 3),
        "n_min_trials": st.integers(1, 4),
    }
)


def add(memory, study_id, reports, state):
    finished = create_trial(
        state=TrialState[state],
        value=0.0 if state == "COMPLETE" else None,
        intermediate_values=reports,
    )
    memory.create_new_trial(study_id, finished)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    history=history,
    judged=st.lists(curve.filter(bool), min_size=1, max_size=4),
    options=options,
    percentile=st.one_of(st.sampled_from([0.0, 25.0, 50.0, 100.0]), st.floats(0, 100)),
    direction=st.sampled_from(["minimize", "maximize"]),
)
def test_decisions_are_optunas(history, judged, options, percentile, direction):
    memory = Memory()
    study = optuna.create_study(storage=memory, direction=direction, sampler=RandomSampler(seed=0))
    pairs = [
        (RankingPruner(percentile, **options), PercentilePruner(percentile, **options)),
        (RankingMedianPruner(**options), MedianPruner(**options)),
    ]
    before, after = history[: len(history) // 2], history[len(history) // 2 :]
    for part in (before, after):  # verdicts in between: summaries grow as trials finish
        for reports, state in part:
            add(memory, study._study_id, reports, state)
        for reports in judged:
            trial = create_trial(state=TrialState.RUNNING, intermediate_values=reports)
            for ours, theirs in pairs:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # numpy's, of values that are all NaN
                    expected = bool(theirs.prune(study, trial))
                assert bool(ours.prune(study, trial)) is expected


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60),
    percentile=st.floats(0, 100),
)
def test_percentiles_are_numpys_to_the_last_bit(values, percentile):
    summaries = Summaries()
    for v in values:
        summaries.add(create_trial(state=TrialState.COMPLETE, value=v, intermediate_values={3: v}))
    expected = float(np.nanpercentile(np.array(values), percentile))
    assert summaries.percentile(3, percentile) == expected
    assert summaries.count(3) == len(values)
    assert math.isnan(summaries.percentile(4, percentile))
