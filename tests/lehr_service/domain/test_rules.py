"""The pure rules, as properties."""

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lehr.demand import work_at_once
from lehr.wire.parts import Limits
from lehr.wire.studies import Study as ShownStudy
from lehr.wire.studies import StudyDefinition, StudyState
from lehr.wire.trials import Outcome, TrialState
from lehr_service.domain.attempt import is_expired
from lehr_service.domain.study import (
    MOST_STARTABLE,
    Study,
    has_room_for_epochs,
    may_start,
    may_test,
    next_state,
    startable,
    training_seed,
    transition,
)
from lehr_service.domain.trial import ending, pareto_front, select_value
from lehr_service.errors import InvalidTransition

counts = st.integers(0, 30)
limit = st.none() | st.integers(1, 60)


def study(**values):
    limits = Limits(**values.pop("limits", {}))
    definition = StudyDefinition.model_validate(
        {
            "name": "study",
            "task": "task",
            "objective": {"metric": "m", "direction": "minimize"},
            "search_space": {"optimizer": {"sgd": {"learning_rate": 0.1}}},
            "training": values.pop("training", {"epochs": 3}),
        }
    ).model_copy(update={"limits": limits})
    zeros = {f.name: 0 for f in fields(Study)}
    given_values = {
        "name": "study",
        "definition": definition,
        "state": StudyState.ACTIVE,
        "reason": None,
        "exhausted": False,
        "created_at": 1000.0,
        "finished_at": None,
    }
    return Study(**(zeros | given_values | values))


@st.composite
def studies(draw):
    waiting = draw(counts)
    return study(
        waiting=waiting,
        returned=draw(st.integers(0, waiting)),
        running=draw(counts),
        complete=draw(counts),
        fail=draw(counts),
        finished_epochs=draw(counts),
        exhausted=draw(st.booleans()),
        state=draw(st.sampled_from(StudyState)),
        limits={
            "max_trials": draw(limit),
            "max_parallel": draw(limit),
            "max_epochs": draw(limit),
        },
    )


@given(studies(), st.booleans(), st.booleans())
def test_no_trial_starts_beyond_a_limit(study, new_point, restart):
    restart = restart and not new_point
    limits = study.definition.limits
    if not may_start(study, new_point=new_point, restart=restart):
        return
    assert study.state is StudyState.ACTIVE
    assert limits.max_parallel is None or study.running < limits.max_parallel
    if new_point:
        assert limits.max_trials is None or study.trials < limits.max_trials
        assert not study.exhausted
    if not restart and limits.max_epochs is not None:
        under_way = study.running + study.returned + 1
        assert study.finished_epochs + 3 * under_way <= limits.max_epochs


def started(study, *, waiting=0, returned=0):
    return replace(
        study,
        running=study.running + 1,
        waiting=study.waiting - waiting,
        returned=study.returned - returned,
    )


def next_start(study):
    """The study after one more of it was started, None where nothing may."""
    if may_test(study):
        left, running = study.range_tests_waiting - 1, study.range_tests_running + 1
        return replace(study, range_tests_waiting=left, range_tests_running=running)
    if study.returned and may_start(study, new_point=False, restart=True):
        return started(study, waiting=1, returned=1)
    if study.unstarted and may_start(study, new_point=False, restart=False):
        return started(study, waiting=1)
    return started(study) if may_start(study, new_point=True, restart=False) else None


tests = st.just(0) | st.integers(0, 4)


@given(studies(), tests, tests)
def test_as_many_are_startable_as_may_start_one_after_the_other(study, waiting, running):
    study = replace(study, range_tests_waiting=waiting, range_tests_running=running)
    count, left = 0, study
    while count < MOST_STARTABLE and (left := next_start(left)) is not None:
        count += 1
    assert startable(study) == count


@given(studies(), tests, tests, st.floats(0, 1))
def test_what_a_client_reads_of_a_study_never_says_too_little(study, waiting, running, part):
    study = replace(study, range_tests_waiting=waiting, range_tests_running=running)
    full = study.definition.training.epochs
    reported = int(part * (study.running + study.returned) * full)
    counts = {name: getattr(study, name) for name in ("waiting", "running", "complete", "fail")}
    states = ["waiting"] * waiting + ["running"] * running
    shown = ShownStudy(
        name=study.name,
        state=study.state,
        revision=0,
        counts=counts,
        epochs=study.finished_epochs + reported,
        range_tests={str(index): {"state": state} for index, state in enumerate(states)},
        definition=study.definition,
        created_at=datetime.fromtimestamp(study.created_at, UTC),
    )
    really = study.running + study.range_tests_running + startable(study)
    if study.definition.limits.max_epochs is None and not study.exhausted:
        assert startable(study) == MOST_STARTABLE or work_at_once(shown) == really
    assert work_at_once(shown) >= really


@given(studies())
def test_an_active_study_has_work_or_runs_or_ends(study):
    """No study is stuck: what waits can start, something runs, or it moves on by itself."""
    if study.state is not StudyState.ACTIVE or study.running or next_state(study, 1000.0):
        return
    can = [
        study.returned and may_start(study, new_point=False, restart=True),
        study.unstarted and may_start(study, new_point=False, restart=False),
        may_start(study, new_point=True, restart=False),
    ]
    assert any(can)


@given(studies())
def test_a_finished_study_stays(study):
    if study.state.is_finished:
        assert next_state(study, 1e12) is None
        for action in ("pause", "resume", "stop"):
            with pytest.raises(InvalidTransition, match=str(study.state)):
                transition(study, action)


def test_a_study_times_out_at_its_time_and_not_before():
    timed = study(limits={"timeout": 60})
    assert next_state(timed, 1059.9) is None
    assert next_state(timed, 1060.0)[0] is StudyState.COMPLETED
    assert next_state(study(limits={"timeout": 60}, running=1), 1060)[0] is StudyState.STOPPING


@given(st.lists(st.floats(-10, 10), min_size=1), st.integers(1, 12))
def test_selected_values(curve, count):
    assert select_value("last", "minimize", curve) == curve[-1]
    assert select_value("best", "minimize", curve) == min(curve)
    assert select_value("best", "maximize", curve) == max(curve)
    tail = curve[-count:]
    mean = select_value(f"mean_of_last_{count}", "minimize", curve)
    assert mean == pytest.approx(sum(tail) / len(tail))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_the_pareto_front_is_what_nothing_dominates(points):
    front = pareto_front(points, ["maximize", "minimize"])
    for i, (a, b) in enumerate(points):
        beaten = any(x >= a and y <= b and (x, y) != (a, b) for x, y in points)
        assert (i in front) is not beaten


@given(st.integers(0, 6), st.integers(1, 6))
def test_only_lost_attempts_wear_a_trial_out(lost, allowed):
    state, _ = ending(Outcome.LOST, lost, allowed)
    assert state is (TrialState.WAITING if lost < allowed else TrialState.FAIL)
    assert ending(Outcome.PREEMPTED, lost, allowed)[0] is TrialState.WAITING


@pytest.mark.parametrize(
    ("outcome", "state", "reason"),
    [
        (Outcome.COMPLETE, TrialState.COMPLETE, None),
        (Outcome.PRUNED, TrialState.PRUNED, None),
        (Outcome.ERROR, TrialState.FAIL, "error"),
        (Outcome.DIVERGED, TrialState.FAIL, "diverged"),
        (Outcome.OUT_OF_MEMORY, TrialState.FAIL, "out_of_memory"),
        (Outcome.CANCELLED, TrialState.FAIL, "cancelled"),
    ],
)
def test_what_the_configuration_did_reaches_the_sampler(outcome, state, reason):
    assert ending(outcome, 0, 3) == (state, reason)


def test_expiry_at_the_deadline_and_one_moment_before():
    assert not is_expired(deadline=10.0, now=9.999, grace_until=0.0)
    assert is_expired(deadline=10.0, now=10.0, grace_until=0.0)
    assert not is_expired(deadline=10.0, now=10.0, grace_until=10.001)


def test_seeds_of_trials():
    per_trial = study(training={"epochs": 3, "seed": "per_trial"}, seed=5)
    assert len({training_seed(per_trial, number) for number in range(1000)}) == 1000
    fixed = study(training={"epochs": 3, "seed": 9})
    assert {training_seed(fixed, number) for number in range(10)} == {9}


def test_room_for_epochs_is_exact():
    limits = {"max_epochs": 9}
    assert has_room_for_epochs(study(limits=limits, finished_epochs=3, running=1))
    assert not has_room_for_epochs(study(limits=limits, finished_epochs=4, running=1))
