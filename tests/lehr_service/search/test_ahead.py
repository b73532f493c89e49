"""Asking ahead: what a mirror suggests for pending points, and what it forgets of them."""

import random

import numpy as np
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState as OptunaState
from optuna.trial import create_trial

from lehr.wire.trials import TrialState
from lehr_service.search import Mirror, Suggestion, is_stale, most_ahead
from lehr_service.search.ahead import MOST_AHEAD
from lehr_service.search.samplers import build_sampler
from lehr_service.search.thinning import Thinned, few

from .stories import CONDITIONAL, SEED, define

TPE = {"name": "tpe", "n_startup_trials": 4}


def mirror_with(trials, **fields):
    mirror = Mirror(define(CONDITIONAL, **fields), "s", SEED)
    values = random.Random(3)
    for _ in range(trials):
        mirror.tell(mirror.ask().number, TrialState.COMPLETE, [values.random()])
    mirror.take_changes()
    return mirror


def test_what_is_asked_ahead_is_what_is_asked():
    ahead, usual = mirror_with(12, sampler=TPE), mirror_with(12, sampler=TPE)
    with ahead.pretending([]):
        made = [ahead.ask_ahead(12 + i) for i in range(3)]
    assert [m.params for m in made] == [usual.ask().params for _ in range(3)]


def test_a_mirror_forgets_what_it_pretended():
    mirror, fresh = mirror_with(8, sampler=TPE), mirror_with(8, sampler=TPE)
    with mirror.pretending([]):
        mirror.ask_ahead(100)
    assert mirror.size == 8
    assert mirror.take_changes().trials == {}
    assert mirror.ask() == fresh.ask()


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "nsga2"])
def test_an_adopted_suggestion_is_a_trial_like_any_other(sampler):
    fields = {"sampler": {"name": sampler}}
    maker, taker, asker = (mirror_with(6, **fields) for _ in range(3))
    with maker.pretending([]):
        suggestion = maker.ask_ahead(6)
    asked = asker.ask()
    assert taker.adopt(suggestion) == asked
    assert taker.take_changes() == asker.take_changes()
    for mirror in (taker, asker):
        mirror.tell(6, TrialState.COMPLETE, [0.25])
    assert taker.ask() == asker.ask()


def test_pending_points_count_as_running():
    mirror, usual = mirror_with(12, sampler=TPE), mirror_with(12, sampler=TPE)
    with mirror.pretending([]):
        first = mirror.ask_ahead(12)
    with mirror.pretending([first]):
        second = mirror.ask_ahead(13)
    assert [first.params, second.params] == [usual.ask().params, usual.ask().params]


def test_keys_tell_apart_what_is_searched():
    narrower = CONDITIONAL | {"warmup": {"low": 0.0, "high": 0.05}}
    keys = {Mirror(define(space), "s", SEED).key for space in (CONDITIONAL, narrower)}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        ({"name": "tpe"}, MOST_AHEAD),
        ({"name": "tpe", "seed": 1}, 0),
        ({"name": "tpe", "seed": 1, "ask_ahead": 5}, 5),
        ({"name": "tpe", "ask_ahead": 0}, 0),
        ({"name": "qmc"}, 0),
        ({"name": "grid", "ask_ahead": 0}, 0),
    ],
)
def test_who_asks_ahead(sampler, expected):
    space = {"optimizer": {"sgd": {"learning_rate": [0.1, 0.2]}}}
    assert most_ahead(define(space, sampler=sampler)) == expected


def test_grids_are_never_asked_ahead():
    with pytest.raises(ValueError, match="ask_ahead"):
        define(CONDITIONAL, sampler={"name": "grid", "ask_ahead": 3})


@pytest.mark.parametrize(
    ("stale_after", "at_work", "last_fresh"),
    [(0, 50, 10), (3, 50, 13), (None, 1, 18), (None, 30, 40)],
)
def test_staleness(stale_after, at_work, last_fresh):
    study = define(CONDITIONAL, sampler=TPE | {"stale_after": stale_after})
    suggestion = Suggestion({}, finished=10)
    assert not is_stale(suggestion, study, last_fresh, at_work)
    assert is_stale(suggestion, study, last_fresh + 1, at_work)


def told(number, value):
    trial = create_trial(state=OptunaState.COMPLETE, value=value)
    trial.number = number
    return trial


@pytest.mark.parametrize("direction", [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE])
def test_a_thinned_history_keeps_the_best_the_latest_and_a_sample(direction):
    values = random.Random(1)
    trials = [told(number, values.random()) for number in range(1000)]
    kept = Thinned(200, direction).of(trials)
    numbers = [trial.number for trial in kept]
    best = sorted(trials, key=lambda t: t.value, reverse=direction == StudyDirection.MAXIMIZE)
    assert len(kept) == 200
    assert numbers == sorted(numbers)
    assert {t.number for t in best[:60]} | set(range(940, 1000)) <= set(numbers)
    assert 0.3 < np.mean(np.array(numbers) < 500) < 0.6


def test_a_short_history_is_kept_whole_and_new_trials_are_seen_at_once():
    thinned = Thinned(50, StudyDirection.MINIMIZE)
    trials = [told(number, float(-number)) for number in range(80)]
    assert thinned.of(trials[:50]) == trials[:50]
    for count in range(51, 80):
        assert thinned.of(trials[:count])[-1] is trials[count - 1]


def test_a_thinned_history_is_by_number_and_has_no_failed_trials():
    ended = [told(number, float(number)) for number in range(100)]
    for trial in ended[::3]:
        trial.state = OptunaState.FAIL
    random.Random(2).shuffle(ended)
    thinned = Thinned(50, StudyDirection.MINIMIZE)
    for count in range(len(ended) + 1):
        shown = [trial.number for trial in thinned.of(ended[:count])]
        succeeded = sorted(t.number for t in ended[:count] if t.state == OptunaState.COMPLETE)
        assert shown == sorted(set(shown) & set(succeeded))
        assert shown == succeeded or len(shown) >= 50


def test_of_many_that_run_the_latest_and_a_sample_are_shown():
    running = [told(number, 0.0) for number in range(1000)]
    assert few(running[:100]) == running[:100]
    shown = [trial.number for trial in few(running)]
    assert shown[50:] == list(range(950, 1000))
    assert shown[:50] == list(range(0, 950, 19))


def test_a_thinned_mirror_shows_its_sampler_few_of_those_that_run():
    mirror = mirror_with(5, sampler=TPE)
    with mirror.pretending([]):
        point = mirror.ask_ahead(5)
    for _ in range(300):
        mirror.adopt(point)
    memory, running = mirror._memory, (OptunaState.RUNNING,)
    assert len(memory.get_all_trials(0, deepcopy=False, states=running)) == 300
    mirror.thin(50)
    assert len(memory.get_all_trials(0, deepcopy=False, states=running)) == 100
    assert len(memory.get_all_trials(0, deepcopy=False)) == 105


def test_scipys_normal_distribution_is_tpes_to_rounding(monkeypatch):
    from optuna.samplers._tpe import _truncnorm

    from lehr_service.search import hasten

    own = {name: getattr(_truncnorm, name) for name in ("_ndtr", "_log_ndtr")}
    for name, function in own.items():
        monkeypatch.setattr(_truncnorm, name, function)  # undoes what hasten does
    assert hasten()
    points = np.concatenate([-np.logspace(-8, 2.3, 500), np.logspace(-8, 1.5, 500)])
    for name, function in own.items():
        found = getattr(_truncnorm, name)
        assert found is not function
        np.testing.assert_allclose(found(points), function(points), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(
    ("liar", "direction", "history"),
    [(True, "minimize", 0), (True, "maximize", 25), (False, "minimize", 25)],
)
def test_what_is_kept_of_estimates_changes_no_suggestion(liar, direction, history):
    """Trials run, report, are pruned, fail and finish in any order; batches of several asks."""
    objective = {"metric": "loss", "direction": direction}
    fields = {"objective": objective, "sampler": TPE | {"constant_liar": liar}}
    recalling, usual = (Mirror(define(CONDITIONAL, **fields), "s", SEED) for _ in range(2))
    usual._recall = None
    for mirror in (recalling, usual):
        mirror.thin(history)
    luck, running, suggested, serial = random.Random(5), [], 0, 100
    while recalling.size < 50:
        if len(running) < 8:
            for mirror in (recalling, usual):
                with mirror.pretending([]):
                    made = [mirror.ask_ahead(serial + i) for i in range(2)]
                if mirror is recalling:
                    expected = made
            assert [m.params for m in made] == [m.params for m in expected]
            suggested, serial = suggested + len(made), serial + 10
            numbers = {m.adopt(made[-1]).number for m in (recalling, usual)}
            running += [numbers.pop()]
        else:
            number = running.pop(luck.randrange(len(running)))
            value = luck.random()
            state = luck.choices(list(ENDS), ENDS.values())[0]
            values = [value] if state is TrialState.COMPLETE else None
            for mirror in (recalling, usual):
                mirror.report(number, luck.randrange(1), value)
                mirror.tell(number, state, values, "error")
    assert suggested == 100
    assert recalling._recall.good_densities  # it was used at all


ENDS = {TrialState.COMPLETE: 5, TrialState.PRUNED: 4, TrialState.FAIL: 1}


def test_a_version_of_optuna_with_other_parts_is_left_alone(monkeypatch):
    from optuna.samplers import TPESampler

    from lehr_service.search.tpe import CompleteGoodSet, Recalling

    Recalling.is_possible.cache_clear()
    monkeypatch.delattr(TPESampler, "_compare")
    mirror = mirror_with(0, sampler=TPE)
    assert mirror._recall is None
    monkeypatch.undo()
    Recalling.is_possible.cache_clear()
    assert mirror_with(0, sampler=TPE)._recall is not None
    assert type(build_sampler(mirror._definition, 1, 2, mirror._recall)) is CompleteGoodSet


def test_memory_takes_trials_back():
    mirror = mirror_with(3, sampler={"name": "random"})
    memory = mirror._memory
    waiting = mirror.enqueue({"warmup": 0.01})
    mirror.ask(waiting)
    mirror.ask()
    memory.forget_from(4)
    assert (memory.size, memory.get_n_trials(0)) == (4, 4)
    assert memory.get_trial(3).state == OptunaState.RUNNING
    with pytest.raises(KeyError):
        memory.get_trial(4)
    assert mirror.ask().number == 4
