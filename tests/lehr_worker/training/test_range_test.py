"""Range tests of real models: true losses of the batches, seeds, divergence."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lehr import range_tests
from lehr.errors import LehrError
from lehr.wire.range_tests import RangeTestLease
from lehr_worker import task
from lehr_worker.keras_engine import KerasEngine
from lehr_worker.tasks.digits import digits, digits_mlp
from lehr_worker.training import range_test
from lehr_worker.training.engine import Engine
from lehr_worker.training.errors import OutOfMemory
from lehr_worker.training.programs import Programs
from lehr_worker.training.range_test import RangeTestConfig, batches, losses, measure, run

from .conftest import tensorflow_only

pytestmark = pytest.mark.tensorflow

TASKS = {"digits_mlp": digits_mlp}


def config(**given):
    facts = {"task": "digits_mlp", "optimizer": {"name": "sgd"}, "updates": 60, "seeds": (3,)}
    return RangeTestConfig(**facts | given)


def naive_losses(tested, seed):
    """By Keras alone: the loss of each batch, then an update at its rate."""
    keras.utils.set_random_seed(seed)
    parameters = digits_mlp.complete(tested.parameters)
    model, data = digits_mlp.build_model(parameters), digits_mlp.load_data(parameters)
    optimizer = keras.optimizers.SGD()
    loss = keras.losses.SparseCategoricalCrossentropy()
    order = np.concatenate(
        [np.random.default_rng((seed, epoch)).permutation(1437)[:1408] for epoch in range(2)]
    ).reshape(-1, 32)
    losses = []
    rates = np.geomspace(tested.start, tested.end, tested.updates)
    for rows, rate in zip(order, rates, strict=False):
        optimizer.learning_rate = rate
        with tf.GradientTape() as tape:
            value = loss(data.y_train[rows], model(data.x_train[rows], training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        losses.append(float(value))
    return losses


@tensorflow_only
def test_losses_are_those_of_the_batches_in_a_plain_loop():
    """60 updates: more than the 44 of an epoch, so that the samples are shuffled again."""
    tested = config(start=1e-3, end=1.0)
    (curve,) = run(tested, TASKS)
    assert curve.rates == tuple(range_tests.growing_rates(1e-3, 1.0, 60))
    np.testing.assert_allclose(curve.losses, naive_losses(tested, 3), rtol=1e-4)


def test_no_sample_is_drawn_twice_in_an_epoch():
    order = batches(seed=1, samples=10, batch_size=3, updates=8)
    assert order.shape == (8, 3)
    for epoch in (order[:3], order[3:6]):
        assert len(set(epoch.ravel())) == 9
    assert not np.array_equal(order[:3], order[3:6])


@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
def test_same_seeds_same_curves_and_a_seed_does_not_depend_on_the_others(optimizer):
    tested = {"optimizer": {"name": optimizer}, "parameters": {"dropout": 0.3}}
    first = run(config(seeds=(0, 1), **tested), TASKS)
    assert run(config(seeds=(0, 1), **tested), TASKS) == first
    assert run(config(seeds=(1,), **tested), TASKS) == first[1:]
    assert first[0].losses != first[1].losses


def test_the_engine_of_a_worker_measures_what_is_measured_by_hand():
    lease = RangeTestLease(
        token="t",
        attempt=1,
        study="study",
        task="digits_mlp",
        deadline="2026-01-01T00:00:00Z",
        optimizer={"name": "adam", "beta_1": 0.8},
        parameters={"batch_size": 64},
        start=1e-5,
        end=10.0,
        updates=60,
        seeds=[0, 2],
    )
    facts = lease.model_dump(include={"optimizer", "parameters", "start", "end", "seeds"})
    engine, asked = KerasEngine([]), []
    measured = engine.range_test(lease, lambda: True)
    rates = range_tests.growing_rates(1e-5, 10.0, 60)
    by_hand = measure(config(**facts))
    assert [range_tests.cut(rates, losses) for losses in measured.values()] == by_hand
    assert list(measured) == [0, 2]
    assert len(measured[0]) == 60
    until_told = engine.range_test(lease, lambda: not asked and asked.append(1) is None)
    assert until_told == {0: measured[0]}


def test_a_range_test_shares_program_and_data_with_the_trials(trial, log):
    """And leaves nothing behind that a trial could notice."""
    engine, before, after = Engine(TASKS), log(), log()
    adam = {"name": "adam", "learning_rate": 0.01}
    training = trial(adam, task="digits_mlp", parameters={}, epochs=2)
    tested = config(optimizer={"name": "adam"}, parameters=training.parameters)
    engine.train(training, before.on_epoch)
    measured = losses(tested, engine.programs)
    engine.train(training, after.on_epoch)
    (program,) = engine.programs.kept
    assert program.traces == 1
    assert [r.metrics for r in after.reports] == [r.metrics for r in before.reports]
    assert measured == losses(tested, Programs(TASKS))


def test_trials_make_room_for_a_range_test(monkeypatch):
    programs, run_one = Programs(TASKS), range_test._losses
    expected = losses(config(), programs)

    def crowded(*args):
        if programs.kept:
            raise OutOfMemory("full")
        return run_one(*args)

    monkeypatch.setattr(range_test, "_losses", crowded)
    assert losses(config(), programs) == expected


def test_divergence_is_cut():
    (curve,) = run(config(end=1e30, optimizer={"name": "momentum"}), TASKS)
    assert curve.diverged_at is not None
    assert len(curve.rates) < 60
    assert np.isfinite(curve.smoothed).all()


def test_arguments_of_the_optimizer_count():
    plain, nesterov = (
        run(config(optimizer={"name": "momentum", **more}), TASKS)[0].losses
        for more in ({}, {"momentum": 0.5})
    )
    assert plain[:2] == nesterov[:2]
    assert plain != nesterov


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"task": "nothing"}, "task: no nothing here; there are .*digits_mlp"),
        ({"optimizer": {"name": "adamm"}}, "name: must be one of"),
        ({"optimizer": {"name": "adam", "beta_1": 2.0}}, "beta_1: "),
        ({"parameters": {"width": 3}}, "width: unknown parameter"),
        ({"parameters": {"batch_size": 5000}}, "parameters.batch_size: must be at most 1437"),
        ({"start": 1.0}, "end: must be above start"),
        ({"seeds": ()}, "seeds: "),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(wrong, said):
    with pytest.raises(LehrError, match=f"^{said}"):
        measure(config(**wrong))


@tensorflow_only
def test_steps_without_a_loss_cannot_be_tested():
    class Lossless(keras.Model):
        def train_step(self, data):
            return {"right": super().train_step(data)["loss"]}

    @task(loss="sparse_categorical_crossentropy")
    def lossless():
        inputs = keras.Input((64,))
        return Lossless(inputs, keras.layers.Dense(10, activation="softmax")(inputs))

    lossless.data(digits)
    with pytest.raises(ValueError, match="a range test needs a train_step with a loss, not right"):
        run(config(task="lossless"), {"lossless": lossless})


def test_a_missing_module_says_so():
    with pytest.raises(LehrError, match="no module named nowhere_at_all"):
        measure(config(), ["nowhere_at_all"])
