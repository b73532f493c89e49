"""The forecast: when it judges, what it says, and that a good set counts complete trials."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from lehr_service.search.forecast import CHECKS, ForecastPruner
from lehr_service.search.memory import Memory
from lehr_service.search.outlook import Outlook, rates_of
from lehr_service.search.tpe import CompleteGoodSet

from .stories import define


def add(study: optuna.Study, curve: list[float], value: float | None = None) -> None:
    """A complete trial that ends where its curve ends, or in another value."""
    study.add_trial(
        create_trial(
            value=curve[-1] if value is None else value, intermediate_values=dict(enumerate(curve))
        )
    )


def running(number: int, curve: list[float], **attributes: Any) -> Any:
    trial = create_trial(
        state=TrialState.RUNNING, intermediate_values=dict(enumerate(curve)), **attributes
    )
    trial.number = number
    return trial


def study_of(gains: list[float], direction: str = "maximize") -> optuna.Study:
    """Complete trials of ten steps that gain so much after the fourth; all end at .8 or lower."""
    study = optuna.create_study(direction=direction)
    sign = 1.0 if direction == "maximize" else -1.0
    for gain in gains:
        curve = [0.1, 0.3, 0.5, 0.8 - gain, *[0.8 - gain] * 5, 0.8]
        add(study, [sign * value for value in curve])
    return study


GAINS = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1]


def test_prunes_what_the_luckiest_tenth_would_not_bring_to_the_best() -> None:
    study, pruner = study_of(GAINS), ForecastPruner(10)
    assert not pruner.prune(study, running(10, [0.1, 0.3, 0.5, 0.71]))
    assert not pruner.prune(study, running(10, [0.1, 0.3, 0.5, 0.7001]))
    trial = running(10, [0.1, 0.3, 0.5, 0.69])
    assert pruner.prune(study, trial)
    assert pruner.reason(study, trial) == (
        "at 40% 0.69; even with the gain of the luckiest 10% (0.1) it stays "
        "under the best final 0.8"
    )


def test_minimizes_alike() -> None:
    study, pruner = study_of(GAINS, "minimize"), ForecastPruner(10)
    assert not pruner.prune(study, running(10, [-0.1, -0.3, -0.5, -0.71]))
    assert "stays over the best final -0.8" in str(
        pruner.reason(study, running(10, [-0.1, -0.3, -0.5, -0.69]))
    )


def test_alpha_says_which_gain_is_granted() -> None:
    study, trial = study_of(GAINS), running(10, [0.1, 0.3, 0.5, 0.7199])
    assert not ForecastPruner(10, alpha=0.1).prune(study, trial)
    assert ForecastPruner(10, alpha=0.3).prune(study, trial)  # the third largest of ten: 0.08
    assert not ForecastPruner(10, alpha=0.05).prune(study, running(10, [0.1, 0.3, 0.5, 0.11]))


def test_makes_no_forecast_before_enough_trials_are_complete() -> None:
    study, trial = study_of(GAINS[:9]), running(9, [0.1, 0.3, 0.5, 0.6])
    assert not ForecastPruner(10).prune(study, trial)
    assert ForecastPruner(10, n_min=9).prune(study, trial)


def test_cuts_once_at_a_quarter_until_then() -> None:
    study, pruner = study_of(GAINS[:3]), ForecastPruner(10)
    worse, as_good = [0.1, 0.3, 0.4], [0.1, 0.3, 0.5]
    assert pruner.prune(study, running(3, worse))
    assert "better half of 4 trials" in str(pruner.reason(study, running(3, worse)))
    assert not pruner.prune(study, running(3, as_good))
    assert not pruner.prune(study, running(3, [0.1, 0.2]))
    assert not pruner.prune(study, running(3, [*as_good, 0.51]))
    assert not pruner.prune(study_of(GAINS[:2]), running(2, worse))  # too few were seen there


def test_eager_halving_cuts_earlier() -> None:
    study, trial = study_of(GAINS[:3]), running(3, [0.1, 0.2])
    assert ForecastPruner(10, eager=True).prune(study, trial)
    assert not ForecastPruner(10).prune(study, trial)


def test_eager_halving_needs_two_other_trials() -> None:
    study, trial = study_of(GAINS[:2]), running(2, [0.05])
    reason = ForecastPruner(10, eager=True).reason(study, trial)
    assert reason == "at 10% 0.05: outside the better half of 3 trials seen there (0.1)"
    assert not ForecastPruner(10, eager=True).prune(study_of(GAINS[:1]), running(1, [0.05]))


def test_what_is_no_better_than_the_start_goes_unless_nobody_is() -> None:
    study, pruner = study_of(GAINS[:3]), ForecastPruner(10)
    reason = pruner.reason(study, running(3, [0.05, 0.1]))
    assert reason == "at 20% 0.1: no better than the median first value 0.1"
    assert not pruner.prune(study, running(3, [0.05]))
    flat = optuna.create_study(direction="maximize")
    for _ in range(12):
        add(flat, [0.5] * 10)
    assert not any(pruner.prune(flat, running(12, [0.5] * n)) for n in range(1, 10))


def test_what_is_not_finite_goes() -> None:
    study = optuna.create_study()
    assert ForecastPruner(10).prune(study, running(0, [math.inf]))
    assert ForecastPruner(10).prune(study, running(0, [0.1, math.nan]))


def test_gains_are_those_of_the_final_value_whatever_was_reported() -> None:
    study = optuna.create_study(direction="maximize")
    for _ in range(10):
        add(study, [0.1, 0.3, 0.5, 0.75, *[0.75] * 6], value=0.7)  # judged above its worth
    assert ForecastPruner(10).prune(study, running(10, [0.1, 0.3, 0.5, 0.74]))
    assert not ForecastPruner(10).prune(study, running(10, [0.1, 0.3, 0.5, 0.76]))


def test_the_audit_lets_a_share_of_trials_go_on() -> None:
    study, pruner = study_of(GAINS), ForecastPruner(10, audit=0.25)
    kept = [n for n in range(10, 410) if not pruner.prune(study, running(n, [0.1, 0.3, 0.5, 0.2]))]
    assert 70 < len(kept) < 130
    assert kept == [n for n in range(10, 410) if pruner.is_audited(running(n, []))]


DOMINANCE = {
    "optimizer": {"sgd": {"learning_rate": 0.1}},
    "schedule": {"constant": {}, "linear": {}},
}


def test_dominance_compares_with_as_much_decay_to_come() -> None:
    """Constant rates gain nothing from here on; what decays may gain more than they do."""
    study = study_of([0.01] * 10)
    lively = optuna.create_study(direction="maximize")
    for trial in study.trials:
        lively.add_trial(trial)
    for _ in range(10):
        add(lively, [0.1, 0.3, 0.4, 0.5, *[0.6] * 5, 0.79])

    def rates(trial: Any) -> list[float]:
        decays = trial.number >= 10
        return [1.0 - 0.1 * step * decays for step in range(10)]

    pruner = ForecastPruner(10, dominance=True, rates=rates)
    value = [0.1, 0.3, 0.5, 0.52]
    assert not pruner.prune(study, running(20, value))  # nobody to compare with
    assert not pruner.prune(lively, running(20, value))  # .52 + .29
    assert pruner.prune(lively, running(20, [0.1, 0.3, 0.5, 0.505]))
    assert ForecastPruner(10, alpha=0.6, rates=rates).prune(study, running(20, value))


@pytest.mark.parametrize(
    ("rates", "judged"),
    [
        (None, {0, 1, 2, 3, 4, 5}),
        ([1, 1, 1, 1, 1, 1], {0, 1, 2, 3, 4, 5}),
        ([6, 5, 4, 3, 2, 1], {0, 1, 2, 3, 4, 5}),
        ([1, 2, 3, 3, 2, 1], {2, 3, 4, 5}),  # nothing while it rises
        ([2, 1, 2, 1, 2, 1], {1, 3}),  # the ends of cycles, and not within the last one
        ([1, 2, 1, 3, 2, 1], {2}),
    ],
)
def test_judges_where_the_rate_hides_nothing(rates: Any, judged: set[int]) -> None:
    outlook = Outlook(rates, 6)
    assert {step for step in range(6) if outlook.is_due(range(6), step - 1, step)} == judged


def test_a_check_that_nobody_reports_is_made_at_the_next_report() -> None:
    outlook = Outlook(None, 10)
    assert outlook.is_due([3], 2, 5)
    assert not outlook.is_due([3], 3, 5)
    warm = Outlook([1, 2, 3, 4, 3, 2], 6)
    assert warm.is_due([1], 2, 3)
    assert not warm.is_due([1], 3, 4)


def rates_in(space: dict[str, Any], params: dict[str, Any], epochs: int = 4) -> Any:
    definition = define({"optimizer": {"sgd": {"learning_rate": 0.5}}} | space)
    definition = definition.model_copy(
        update={"training": definition.training.model_copy(update={"epochs": epochs})}
    )
    chosen = {n: optuna.distributions.CategoricalDistribution([v]) for n, v in params.items()}
    trial = create_trial(
        state=TrialState.RUNNING,
        params={"optimizer": "sgd"} | params,
        distributions=chosen | {"optimizer": optuna.distributions.CategoricalDistribution(["sgd"])},
    )
    return rates_of(definition)(trial)


def test_rates_are_those_of_the_schedules() -> None:
    linear = rates_in({"schedule": {"linear": {}}}, {"schedule": "linear"})
    assert linear == pytest.approx([0.5 * (1 - (100 * e + 99) / 400) for e in range(4)])
    assert rates_in({}, {}) == (0.5,) * 4
    growth = {"batch_growth": {"boundaries": [0.5], "growth": 5}}
    rates = rates_in({"schedule": growth}, {"schedule": "batch_growth"})
    assert rates == pytest.approx([0.5, 0.5, 0.1, 0.1])


@pytest.mark.parametrize(
    "schedule",
    [
        {"reduce_on_plateau": {}},
        {"piecewise_constant": {"boundaries": [{"updates": 10}], "factors": [1, 0.1]}},
    ],
)
def test_rates_that_only_a_worker_knows_are_unknown(schedule: dict[str, Any]) -> None:
    assert rates_in({"schedule": schedule}, {"schedule": next(iter(schedule))}) is None
    assert Outlook(None, 4).decay(2) is None


@pytest.mark.filterwarnings("ignore:`gamma` has been deprecated")
@pytest.mark.parametrize(("pruned", "is_wider"), [(0, False), (300, True)])
def test_pruned_trials_do_not_widen_the_good_set(pruned: int, is_wider: bool) -> None:
    """Twenty complete trials, the better the nearer to .9; without pruned ones both are alike."""
    axis = {"x": FloatDistribution(0.0, 1.0)}
    study = optuna.create_study()
    for index in range(20):
        x = index / 20
        study.add_trial(create_trial(value=abs(x - 0.9), params={"x": x}, distributions=axis))
    for index in range(pruned):
        x = (index % 100) / 100
        study.add_trial(
            create_trial(
                state=TrialState.PRUNED,
                params={"x": x},
                distributions=axis,
                intermediate_values={0: 1.0},
            )
        )

    def spread(kind: Any) -> float:
        asked = []
        for seed in range(40):
            study.sampler = kind(seed=seed, multivariate=True, constant_liar=False)
            asked.append(abs(study.ask(axis).params["x"] - 0.9))
        return sum(asked) / len(asked)

    ours, theirs = spread(CompleteGoodSet), spread(optuna.samplers.TPESampler)
    assert (theirs > 1.5 * ours) is is_wider
    assert is_wider or ours == theirs


def test_a_mirror_reads_each_finished_trial_once_for_a_step_and_decides_as_plain_optuna() -> None:
    """With trials that run beside, that were pruned, and that finish in between."""
    mirror, plain, asked = Memory(), InMemoryStorage(), []
    studies = [
        optuna.create_study(storage=s, study_name="s", direction="maximize")
        for s in (mirror, plain)
    ]

    def rates(trial: Any) -> list[float]:
        asked.append(trial.number)
        return [1.0] * 5 + [0.1] * 5

    pruners = [
        ForecastPruner(10, dominance=True, rates=known)
        for known in (rates, lambda trial: [1.0] * 5 + [0.1] * 5)
    ]
    draw, reasons = random.Random(3), []
    for number in range(60):
        top, running = draw.random(), [study.ask() for study in studies]
        for step in range(10):
            value = top * (1 - 0.7**step) + 0.1 * draw.random()
            for trial in running:
                trial.report(value, step)
            said = [
                pruner.reason(study, study.trials[number])
                for pruner, study in zip(pruners, studies, strict=True)
            ]
            assert said[0] == said[1]
            reasons.append(said[0])
            if said[0] and number % 5:
                break
        state = TrialState.PRUNED if step < 9 else TrialState.COMPLETE
        if number % 7:
            for study, trial in zip(studies, running, strict=True):
                study.tell(trial, value if state is TrialState.COMPLETE else None, state=state)
    assert any("luckiest" in str(reason) for reason in reasons)
    assert any("first value" in str(reason) for reason in reasons)
    complete = {t.number for t in studies[0].trials if t.state is TrialState.COMPLETE}
    read = Counter(number for number in asked if number in complete)
    assert max(read.values()) <= 10 + CHECKS  # for its own verdicts, then once for each step
