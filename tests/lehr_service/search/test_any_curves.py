"""The forecast on whatever curves there may be: its verdicts follow from their order and gains."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import optuna
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState, create_trial

from lehr_service.domain.trial import select_value
from lehr_service.search.forecast import ForecastPruner
from lehr_service.search.memory import Memory

Curve = list[float]
Past = list[tuple[str, Curve, float]]  # state, reports, final value

SELECTED = "last", "best", "mean_of_last_3"
exact = st.integers(-(2**12), 2**12).map(lambda n: n / 16)  # sums of them are not rounded
odd = st.sampled_from([math.nan, math.inf, -math.inf])
rates = st.sampled_from(
    [
        None,
        lambda step, number: 1.0,
        lambda step, number: 0.5 ** (step * (number % 3)),
        lambda step, number: min(step + 1, 4) / 4,  # a warm-up
        lambda step, number: 1.0 - 0.4 * (step % 3),  # restarts
    ]
)


@st.composite
def studies(draw: Any, values: Any = exact, select: tuple[str, ...] = SELECTED) -> Any:
    """A training's length, the pruner's options, what finished, and a running trial's curve."""
    n_steps = draw(st.sampled_from([1, 2, 3, 5, 10, 17, 50]))
    curve = st.lists(st.one_of(values, values, values, odd), min_size=1, max_size=n_steps)
    final = st.one_of(values, values, values, st.sampled_from([math.inf, -math.inf]))
    state = st.sampled_from(["COMPLETE", "COMPLETE", "PRUNED", "FAIL", "RUNNING"])
    past = draw(st.lists(st.tuples(state, curve, final), max_size=16))
    options = {
        "alpha": draw(st.sampled_from([0.05, 0.1, 0.3, 0.9])),
        "n_min": draw(st.sampled_from([1, 3, 10])),
        "early_cut": draw(st.sampled_from([0.0, 0.25, 1.0])),
        "eager": draw(st.booleans()),
        "dominance": draw(st.booleans()),
        "select": draw(st.sampled_from(select)),
    }
    known: Callable[..., float] | None = draw(rates)
    if known is not None:
        options["rates"] = lambda trial: [known(step, trial.number) for step in range(n_steps)]
    return n_steps, options, past, draw(curve)


def reasons(
    pruner: ForecastPruner, past: Past, curve: Curve, direction: str, storage: Any = None
) -> list[str | None]:
    """What the pruner says of a running trial at each of its steps."""
    study = optuna.create_study(direction=direction, storage=storage)
    for state, reports, final in past:
        study.add_trial(
            create_trial(
                state=TrialState[state],
                value=final if state == "COMPLETE" else None,
                intermediate_values=dict(enumerate(reports)),
            )
        )
    judged = [running(len(past), curve[: step + 1]) for step in range(len(curve))]
    return [pruner.reason(study, trial) for trial in judged]


def running(number: int, curve: Curve) -> FrozenTrial:
    trial = create_trial(state=TrialState.RUNNING, intermediate_values=dict(enumerate(curve)))
    trial.number = number
    return trial


@settings(max_examples=80)
@given(studies(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)))
def test_it_has_an_answer_to_anything_and_the_same_in_a_mirror(study: Any) -> None:
    n_steps, options, past, curve = study
    pruner = ForecastPruner(n_steps, **options)
    said = reasons(pruner, past, curve, "maximize")
    assert said == reasons(pruner, past, curve, "maximize")
    assert said == reasons(ForecastPruner(n_steps, **options), past, curve, "maximize", Memory())


@settings(max_examples=80)
@given(studies())
def test_it_judges_finite_values_at_its_checks_and_cuts_only(study: Any) -> None:
    n_steps, options, past, curve = study
    said = reasons(ForecastPruner(n_steps, **options), past, curve, "maximize")
    first = math.ceil(n_steps * min(0.1, 0.02 if options["eager"] else options["early_cut"])) - 1
    for step, reason in enumerate(said):
        if step < first or step == n_steps - 1:
            assert reason is None or "not finite" in reason
        if not math.isfinite(curve[step]) and step < n_steps - 1:
            assert reason == f"the value at step {step} is not finite"


@settings(max_examples=100)
@given(
    study=studies(select=("last", "best")),  # means are rounded
    scale=st.sampled_from([1.0, 2.0**-20, 2.0**20, 3.0]),
    shift=st.sampled_from([0.0, 1000.0, -(2.0**20)]),
    turned=st.booleans(),
)
def test_scale_shift_and_sign_of_the_metric_change_nothing(
    study: Any, scale: float, shift: float, turned: bool
) -> None:
    n_steps, options, past, curve = study
    sign = -1.0 if turned else 1.0

    def other(values: Curve) -> Curve:
        return [sign * (scale * value + shift) for value in values]

    moved = [(state, other(reports), *other([final])) for state, reports, final in past]
    pruner = ForecastPruner(n_steps, **options)
    direction = "minimize" if turned else "maximize"
    was = reasons(pruner, past, curve, "maximize")
    now = reasons(pruner, moved, other(curve), direction)
    assert [reason is None for reason in now] == [reason is None for reason in was]


@settings(max_examples=100)
@given(
    curve=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20),
    others=st.integers(0, 14),
    eager=st.booleans(),
    select=st.sampled_from(SELECTED),
    direction=st.sampled_from(["minimize", "maximize"]),
)
def test_what_does_as_all_others_did_is_never_pruned(
    curve: Curve, others: int, eager: bool, select: str, direction: str
) -> None:
    past = [("COMPLETE", curve, select_value(select, direction, curve))] * others
    pruner = ForecastPruner(len(curve), eager=eager, select=select)
    assert not any(reasons(pruner, past, curve, direction))


@settings(max_examples=100)
@given(
    curves=st.lists(st.lists(st.floats(-1e9, 1e9), min_size=10, max_size=10), min_size=10),
    alpha=st.sampled_from([0.1, 0.5, 0.9]),
)
def test_with_the_best_selected_what_leads_is_never_pruned(
    curves: list[Curve], alpha: float
) -> None:
    """However it falls after its peak: pruned, its value would be lost."""
    past = [("COMPLETE", curve, max(curve)) for curve in curves]
    best = max(max(curve) for curve in curves)
    leading = [best, *sorted(curves[0], reverse=True)]
    pruner = ForecastPruner(10, alpha=alpha, select="best")
    assert not any(reasons(pruner, past, leading[:10], "maximize"))


def test_a_mean_that_is_not_finite_recovers_where_others_did() -> None:
    options: dict[str, Any] = {"select": "mean_of_last_3", "n_min": 1, "alpha": 0.9}
    curve = [0.0, -math.inf, 0.0, 0.0, 0.5, 0.5]
    past = [("COMPLETE", [0.0, -math.inf, *[0.5] * 8], 0.5)] * 3
    assert not any(reasons(ForecastPruner(10, **options), past, curve, "maximize")[2:4])
    steady = [("COMPLETE", [0.0] * 9 + [0.5], 0.5)] * 3
    said = reasons(ForecastPruner(10, **options), steady, curve, "maximize")
    assert (
        said[2] == "at 30% -inf; even with the gain of the luckiest 90% (0.5) it stays under "
        "the best final 0.5"
    )
