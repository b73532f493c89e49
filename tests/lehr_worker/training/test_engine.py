"""The engine: reset, reuse, learning rates, divergence, memory, resume."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lehr_worker import Data, task
from lehr_worker.tasks.digits import digits
from lehr_worker.training.checkpoints import BadCheckpoint, unpack
from lehr_worker.training.engine import Engine
from lehr_worker.training.errors import Diverged, OutOfMemory

from .conftest import tensorflow_only

pytestmark = pytest.mark.tensorflow

ADAM = {"name": "adam", "learning_rate": 0.01}
MOMENTUM = {"name": "momentum", "learning_rate": 0.1}
NADAM = {"name": "nadam", "learning_rate": 0.01}
DROPOUT = {"dropout": 0.3}


@pytest.fixture(scope="module")
def shared():
    """An engine that most tests share: reuse must not show."""
    engines = {}

    def engine(tasks):
        return engines.setdefault(tuple(tasks), Engine(tasks, xla=False))

    return engine


@pytest.fixture
def engine(shared, small_task):
    return shared({"small": small_task})


def traces(engine):
    return sum(program.traces for program in engine.programs.kept)


@pytest.mark.parametrize("optimizer", [ADAM, MOMENTUM, NADAM], ids=lambda o: o["name"])
@pytest.mark.parametrize("xla", [False, pytest.param(True, marks=tensorflow_only)])
def test_a_reused_program_gives_what_a_new_one_gives(optimizer, xla, small_task, trial, log):
    new, reused = log(), log()
    config = trial(optimizer, parameters=DROPOUT)
    Engine({"small": small_task}, xla=xla).train(config, new.on_epoch, checkpoint=new.checkpoint)
    engine = Engine({"small": small_task}, xla=xla)
    engine.train(trial(optimizer | {"learning_rate": 0.3}, seed=3, parameters=DROPOUT), lambda _: 1)
    engine.train(config, reused.on_epoch, checkpoint=reused.checkpoint)
    assert reused.facts == new.facts
    assert reused.checkpoints == new.checkpoints
    assert traces(engine) == 1


def test_live_numbers_need_no_new_program_and_take_effect(engine, trial, log):
    engine.train(trial(parameters=DROPOUT), log().on_epoch)
    before = traces(engine)
    losses = []
    for parameters, optimizer in [
        ({"dropout": 0.1}, ADAM),
        ({"dropout": 0.6}, ADAM),
        ({"dropout": 0.6}, ADAM | {"beta_1": 0.5}),
        ({"dropout": 0.6}, ADAM | {"beta_1": 0.5, "epsilon": 0.1}),
    ]:
        seen = log()
        engine.train(trial(optimizer, parameters=parameters), seen.on_epoch)
        losses.append(seen.reports[-1].metrics["loss"])
    assert traces(engine) == before
    assert len(set(losses)) == 4


def test_oldest_program_is_evicted(small_task, trial):
    engine = Engine({"small": small_task}, programs=2, xla=False)
    for units in (2, 3, 2, 4):
        engine.train(trial(epochs=1, parameters={"units": units}), lambda _: True)
    widths = [p.model.layers[1].units for p in engine.programs.kept]
    assert widths == [2, 4]


def test_reported_learning_rate_is_the_one_applied(small_task, trial, log):
    """Plain SGD on one constant gradient moves a weight by exactly the sum of the rates."""

    @task(loss=lambda: lambda y, prediction: prediction, batch_size=1)
    def slope():
        inputs = keras.Input((1,))
        layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        return keras.Model(inputs, layer(inputs))

    @slope.data
    def ones():
        return Data(*(np.ones((1, 1), np.float32) for _ in range(4)))

    seen = log()
    config = trial(
        {"name": "sgd", "learning_rate": 0.5},
        task="slope",
        schedule={"name": "cosine"},
        warmup={"updates": 2},
        epochs=8,
    )
    Engine({"slope": slope}).train(config, seen.on_epoch, checkpoint=seen.checkpoint)
    weights = [float(unpack(c)[0]["model_0"][0, 0]) for c in seen.checkpoints]
    applied = -np.diff([0.0, *weights])
    np.testing.assert_allclose(applied, [r.learning_rate for r in seen.reports], atol=1e-6)
    assert [r.learning_rate for r in seen.reports][:3] == [0.0, 0.25, 0.5]


def test_reports_say_what_was_done(engine, trial, log):
    seen = log()
    result = engine.train(trial(epochs=2), seen.on_epoch)
    assert (result.steps, result.stopped) == (2, False)
    assert [r.step for r in seen.reports] == [0, 1]
    assert all(r.updates == 3 and r.seconds > 0 for r in seen.reports)  # 64 samples, batches of 20
    assert set(seen.reports[0].metrics) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert seen.reports[0].learning_rate == pytest.approx(0.01 * 0.9)


def test_validation_metrics_cover_every_sample(shared, trial, log):
    """1,005 samples: a full evaluation batch and a rest."""

    @task(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    def wide():
        return keras.Sequential(
            [keras.layers.Input((64,)), keras.layers.Dense(10, activation="softmax")]
        )

    @wide.data
    def data():
        all_digits = digits()
        x, y = all_digits.x_train, all_digits.y_train
        return Data(x[:64], y[:64], x[:1005], y[:1005])

    seen, engine = log(), Engine({"wide": wide}, xla=False)
    engine.train(trial(task="wide", epochs=1), seen.on_epoch)
    (program,) = engine.programs.kept
    loss, accuracy = program.model.evaluate(data().x_validation, data().y_validation, verbose=0)
    assert seen.reports[0].metrics["val_loss"] == pytest.approx(loss, rel=1e-5)
    assert seen.reports[0].metrics["val_accuracy"] == pytest.approx(accuracy, rel=1e-5)


@tensorflow_only
@pytest.mark.parametrize(("dropout", "compiled"), [(0.0, True), (0.3, False)])
def test_xla_is_chosen_where_it_helps(dropout, compiled, small_task, trial):
    if tf.config.list_logical_devices("GPU"):
        pytest.skip("the rule is for CPUs")
    engine = Engine({"small": small_task})
    engine.train(trial(epochs=1, parameters={"dropout": dropout}), lambda _: True)
    (program,) = engine.programs.kept
    assert program.xla is compiled


def test_seed_decides_weights_order_and_dropout(engine, trial, log):
    logs = [log(), log()]
    for seed, seen in zip((7, 8), logs, strict=True):
        engine.train(trial(epochs=1, seed=seed, parameters=DROPOUT), seen.on_epoch)
    assert logs[0].facts != logs[1].facts


@pytest.mark.parametrize(
    "schedule",
    [
        {"name": "exponential", "decay_steps": {"updates": 2}, "decay_rate": 0.9},
        {"name": "reduce_on_plateau", "patience": 2, "min_delta": 9.0, "factor": 0.5},
    ],
    ids=lambda s: s["name"],
)
@pytest.mark.parametrize("optimizer", [ADAM, MOMENTUM, NADAM], ids=lambda o: o["name"])
def test_a_resumed_trial_equals_an_uninterrupted_one(
    optimizer, schedule, engine, small_task, trial, log
):
    config = trial(optimizer, schedule=schedule, parameters=DROPOUT, epochs=6)
    whole, start, rest = log(), log(stop_after=1), log()
    engine.train(config, whole.on_epoch, checkpoint=whole.checkpoint)
    result = engine.train(config, start.on_epoch, checkpoint=start.checkpoint)
    assert (result.steps, result.stopped) == (2, True)
    elsewhere = Engine({"small": small_task}, xla=False)
    elsewhere.train(config, rest.on_epoch, resume=start.checkpoints[-1], checkpoint=rest.checkpoint)
    assert start.facts + rest.facts == whole.facts
    assert rest.checkpoints[-1] == whole.checkpoints[-1]
    if schedule["name"] == "reduce_on_plateau":
        assert len({r.learning_rate for r in rest.reports}) > 1


@tensorflow_only
def test_a_trial_that_xla_compiles_resumes(small_task, trial, log):
    whole, start, rest = log(), log(stop_after=1), log()
    Engine({"small": small_task}, xla=True).train(trial(), whole.on_epoch)
    engine = Engine({"small": small_task}, xla=True)
    engine.train(trial(), start.on_epoch, checkpoint=start.checkpoint)
    engine.train(trial(seed=8), lambda _: True)
    engine.train(trial(), rest.on_epoch, resume=start.checkpoints[-1])
    assert start.facts + rest.facts == whole.facts


def test_a_finished_trial_resumes_to_nothing(engine, trial, log):
    whole, rest = log(), log()
    engine.train(trial(), whole.on_epoch, checkpoint=whole.checkpoint)
    result = engine.train(trial(), rest.on_epoch, resume=whole.checkpoints[-1])
    assert (result.steps, result.stopped, rest.reports) == (4, False, [])


def test_checkpoint_of_another_trial_or_damaged_is_refused(engine, trial, log):
    seen = log()
    engine.train(trial(epochs=1), seen.on_epoch, checkpoint=seen.checkpoint)
    (state,) = seen.checkpoints
    with pytest.raises(BadCheckpoint, match="another trial"):
        engine.train(trial(epochs=1, seed=8), seen.on_epoch, resume=state)
    middle = len(state) // 2
    damaged = state[:middle] + bytes([state[middle] ^ 255]) + state[middle + 1 :]
    for wrong in (b"", b"nonsense", state[:-40], damaged):
        with pytest.raises(BadCheckpoint, match="cannot read"):
            engine.train(trial(epochs=1), seen.on_epoch, resume=wrong)


@tensorflow_only  # XLA's arithmetic stays finite here
def test_diverged_epoch_is_not_reported(engine, trial, log):
    seen = log()
    with pytest.raises(Diverged) as caught:
        engine.train(
            trial({"name": "sgd", "learning_rate": 1e38}, parameters={"scale": 1e6}, epochs=9),
            seen.on_epoch,
        )
    assert caught.value.step == len(seen.reports) < 9
    assert not all(np.isfinite(list(caught.value.metrics.values())))


def test_missing_data_diverges_at_once_and_harms_no_later_trial(engine, trial, log):
    clean, again = log(), log()
    engine.train(trial(), clean.on_epoch)
    with pytest.raises(Diverged, match="step 0"):
        engine.train(trial(parameters={"forget": True}), log().on_epoch)
    engine.train(trial(), again.on_epoch)
    assert again.facts == clean.facts


def test_out_of_memory_is_told_apart_and_frees_the_programs(small_task, trial, log):
    engine = Engine({"small": small_task}, xla=False)
    engine.train(trial(epochs=1), log().on_epoch)
    with pytest.raises(OutOfMemory):
        engine.train(trial(parameters={"units": 2**36}), log().on_epoch)
    assert not engine.programs.kept
    assert engine.train(trial(epochs=1), log().on_epoch).steps == 1


@pytest.fixture
def strange():
    """A task that XLA cannot compile, where ``only_tested`` only its evaluation."""

    class Strange(keras.layers.Layer):
        def __init__(self, only_tested):
            super().__init__()
            self.only_tested = only_tested

        def call(self, x, training=False):
            if training and self.only_tested:
                return x
            y = tf.numpy_function(np.copy, [x], tf.float32, stateful=False)
            return x + 0.0 * tf.stop_gradient(tf.ensure_shape(y, x.shape))

    @task(loss="sparse_categorical_crossentropy")
    def strange(only_tested: bool = False):
        inputs = keras.layers.Input((64,))
        dense = keras.layers.Dense(10, activation="softmax")
        return keras.Model(inputs, dense(Strange(only_tested)(inputs)))

    strange.data(digits)
    return strange


@tensorflow_only
def test_a_task_that_xla_refuses_trains_without_it(strange, trial, log):
    seen = log()
    Engine({"strange": strange}).train(trial(task="strange", epochs=2), seen.on_epoch)
    assert seen.reports[1].metrics["loss"] < seen.reports[0].metrics["loss"]


@tensorflow_only
def test_an_evaluation_that_xla_refuses_leaves_it_the_epochs(strange, trial, log):
    first, later, engine = log(), log(), Engine({"strange": strange})
    config = trial(task="strange", parameters={"only_tested": True}, epochs=2, ema=0.9)
    engine.train(config, first.on_epoch)
    engine.train(config, later.on_epoch)
    (program,) = engine.programs.kept
    assert program.xla
    assert first.facts == later.facts


@tensorflow_only
def test_xla_evaluates_weights_and_averages_as_tensorflow_does(small_task, trial, log):
    compiled, plain = log(), log()
    config = trial(ADAM, ema=0.9)
    Engine({"small": small_task}, xla=True).train(config, compiled.on_epoch)
    Engine({"small": small_task}, xla=False).train(config, plain.on_epoch)
    for one, other in zip(compiled.reports, plain.reports, strict=True):
        assert one.metrics == pytest.approx(other.metrics, rel=1e-4)
        assert one.metrics["ema_val_loss"] != one.metrics["val_loss"]


def test_a_task_with_its_own_train_step_gets_it(trial, log):
    class Doubled(keras.Model):
        def train_step(self, *given):  # JAX gives the state before the data
            *state, (x, y) = given
            return super().train_step(*state, (x, (y + 1) % 10))

    @task(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    def doubled():
        inputs = keras.layers.Input((64,))
        return Doubled(inputs, keras.layers.Dense(10, activation="softmax")(inputs))

    doubled.data(digits)
    seen = log()
    config = trial({"name": "adam", "learning_rate": 0.03}, task="doubled")
    Engine({"doubled": doubled}).train(config, seen.on_epoch)
    last = seen.reports[-1].metrics
    assert last["accuracy"] > 0.8 > 0.2 > last["val_accuracy"]


def test_loss_can_depend_on_a_parameter(trial, log):
    def chosen(smoothing):
        return keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)

    @task(loss=chosen)
    def smoothed(smoothing: float = 0.0):
        inputs = keras.layers.Input((64,))
        return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(inputs))

    @smoothed.data
    def one_hot():
        data = digits()
        labels = np.eye(10, dtype=np.float32)
        return Data(
            data.x_train, labels[data.y_train], data.x_validation, labels[data.y_validation]
        )

    losses, engine = [], Engine({"smoothed": smoothed})
    for smoothing in (0.0, 0.5):
        seen = log()
        config = trial(task="smoothed", parameters={"smoothing": smoothing}, epochs=3)
        engine.train(config, seen.on_epoch)
        losses.append(seen.reports[-1].metrics["val_loss"])
    assert losses[1] > losses[0] + 0.2


def test_data_is_shared_between_programs(small_task, trial):
    engine = Engine({"small": small_task}, xla=False)
    for units in (2, 3):
        engine.train(trial(epochs=1, parameters={"units": units}), lambda _: True)
    first, second = engine.programs.kept
    assert first._data is second._data


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "none"}, "task: no none here; there are small"),
        ({"metric": "auc"}, "metric: task small reports loss, accuracy, val_loss, val_accuracy"),
        ({"parameters": {"unit": 3}}, "parameters.unit: unknown parameter of small"),
        ({"parameters": {"batch_size": 65}}, "parameters.batch_size: must be at most 64"),
        ({"optimizer": {"name": "adam", "learning_rate": 0}}, "optimizer.learning_rate: must be"),
        ({"schedule": {"name": "cosinus"}}, "schedule.name: must be one of"),
        ({"epochs": 0}, "epochs: must be at least 1"),
        ({"seed": -1}, "seed: must be from 0"),
    ],
)
def test_wrong_configurations_name_the_field(change, message, engine, trial, log):
    with pytest.raises(ValueError, match=message):
        engine.train(trial(**change), log().on_epoch)
