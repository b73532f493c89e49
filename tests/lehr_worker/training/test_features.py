"""What a task may ask of its training, each held against plain Keras on the same seeds."""

from typing import Annotated, Any, Literal

import keras
import numpy as np
import pytest

from lehr_worker import Data, Parameter, task
from lehr_worker.tasks.digits import digits
from lehr_worker.training.engine import Engine
from lehr_worker.training.errors import OutOfMemory

from .conftest import tensorflow_only
from .plain import compiled, evaluated, plain_keras, weights_of

pytestmark = pytest.mark.tensorflow

ON_JAX = keras.backend.backend() == "jax"
MOMENTUM = {"name": "momentum", "learning_rate": 0.05}
ADAM = {"name": "adam", "learning_rate": 0.01}


def chosen_loss(own_loss):
    def squared(y, prediction):
        wanted = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(y, (-1,)), "int32"), 10)
        return keras.ops.sum(keras.ops.square(wanted - prediction), axis=-1)

    return squared if own_loss else keras.losses.SparseCategoricalCrossentropy()


def top_3():
    return keras.metrics.SparseTopKCategoricalAccuracy(3, name="top_3")


@task(loss=chosen_loss, metrics=["accuracy", top_3], batch_size=20)
def various(
    dropout: Annotated[float, Parameter(low=0.0, below=1.0, live=True)] = 0.0,
    l2: float = 0.0,
    normed: bool = False,
    own_loss: bool = False,
    weights: Literal["none", "class", "sample", "both"] = "none",
) -> Any:
    """One hidden layer on 64 digits, with what is asked for."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(16, kernel_regularizer=keras.regularizers.L2(l2) if l2 else None),
            *([layers.BatchNormalization(momentum=0.8)] if normed else []),
            layers.Activation("tanh"),
            layers.Dropout(dropout),
            layers.Dense(10),
            layers.Activation("softmax", dtype="float32"),
        ]
    )


@various.data
def some_digits(weights: str) -> Data:
    data = digits()
    return Data(
        data.x_train[:64],
        data.y_train[:64],
        data.x_validation[:30],
        data.y_validation[:30],
        sample_weight=np.linspace(0, 2, 64) if weights in ("sample", "both") else None,
        class_weight={1: 3.0, 7: 0.25} if weights in ("class", "both") else None,
    )


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "batch norm and dropout": (MOMENTUM, {"normed": True, "dropout": 0.3}),
    "regulariser": (ADAM, {"l2": 0.05}),
    "own loss": (MOMENTUM, {"own_loss": True}),
    "class weights": (MOMENTUM, {"weights": "class"}),
    "sample weights": (ADAM, {"weights": "sample"}),
    "both weights": (MOMENTUM, {"weights": "both"}),
    "accumulated gradients": (MOMENTUM | {"gradient_accumulation_steps": 3}, {"batch_size": 5}),
    "bfloat16": (MOMENTUM, {"precision": "mixed_bfloat16"}),
    "float16": (MOMENTUM, {"precision": "mixed_float16"}),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_plain_keras(case, trial, log):
    optimizer, parameters = CASES[case]
    config = trial(optimizer, task="various", parameters=parameters, epochs=3)
    first, seen = log(), log()
    engine = Engine({"various": various}, xla=False)
    engine.train(trial(optimizer, task="various", parameters=parameters, seed=1), first.on_epoch)
    engine.train(config, seen.on_epoch)
    assert [program.traces for program in engine.programs.kept] == [1]
    tolerance = 2e-2 if "float16" in case else 1e-4
    for report, (_, metrics) in zip(seen.reports, plain_keras(various, config), strict=True):
        assert report.metrics == pytest.approx(metrics, rel=tolerance)


def test_accumulated_batches_are_one_update(trial, log):
    seen = log()
    optimizer = MOMENTUM | {"gradient_accumulation_steps": 3}
    config = trial(optimizer, task="various", parameters={"batch_size": 5}, epochs=1)
    Engine({"various": various}, xla=False).train(config, seen.on_epoch)
    assert seen.reports[0].updates == 4  # 64 samples are 12 whole batches of 5
    assert seen.reports[0].learning_rate == pytest.approx(0.05 * 0.9**1.5)


def test_a_growing_batch_equals_plain_keras(trial, log):
    schedule = {"name": "batch_growth", "boundaries": [0.4], "growth": 4.0, "max_batch_size": 32}
    config = trial(
        MOMENTUM, task="various", schedule=schedule, parameters={"batch_size": 10}, epochs=5
    )
    seen, engine = log(), Engine({"various": various}, xla=False)
    engine.train(config, seen.on_epoch)
    assert [r.updates for r in seen.reports] == [6, 6, 2, 2, 2]
    assert seen.reports[-1].learning_rate == pytest.approx(0.05 * 32 / 40)
    for report, (_, metrics) in zip(seen.reports, plain_keras(various, config), strict=True):
        assert report.metrics == pytest.approx(metrics, rel=1e-4)


def test_a_growing_batch_resumes(trial, log):
    schedule = {"name": "batch_growth", "boundaries": [0.5], "growth": 3.0, "max_batch_size": 30}
    config = trial(ADAM, task="various", schedule=schedule, parameters={"batch_size": 10})
    whole, start, rest = log(), log(stop_after=2), log()
    engine = Engine({"various": various}, xla=False)
    engine.train(config, whole.on_epoch)
    engine.train(config, start.on_epoch, checkpoint=start.checkpoint)
    Engine({"various": various}, xla=False).train(
        config, rest.on_epoch, resume=start.checkpoints[-1]
    )
    assert start.facts + rest.facts == whole.facts


def test_averaged_weights_are_judged_beside_the_raw_ones(trial, log):
    """Against an average kept by hand, statistics of batch normalisation included."""
    config = trial(
        MOMENTUM, task="various", parameters={"normed": True, "dropout": 0.3}, ema=0.8, epochs=4
    )
    seen, bare, engine = log(), log(), Engine({"various": various}, xla=False)
    engine.train(config, seen.on_epoch)
    engine.train(trial(MOMENTUM, task="various", parameters=config.parameters), bare.on_epoch)
    average, count = list[np.ndarray](), 0

    def follow(model):
        nonlocal count
        keep = min(0.8, (1 + count) / (10 + count))
        count += 1
        for mean, weight in zip(average, weights_of(model), strict=True):
            mean += (1 - keep) * (weight - mean)

    keras.utils.set_random_seed(config.seed)
    average += weights_of(compiled(various, config))
    data = some_digits("none")
    epochs = zip(seen.reports, bare.reports, plain_keras(various, config, follow), strict=True)
    for report, without, (model, _) in epochs:
        weights = weights_of(model)
        model.set_weights(average)
        expected = {f"ema_{name}": value for name, value in evaluated(model, data).items()}
        model.set_weights(weights)
        assert report.metrics == pytest.approx(without.metrics | expected, rel=1e-4)
    assert report.metrics["val_loss"] != pytest.approx(report.metrics["ema_val_loss"], rel=1e-3)


def test_averaged_weights_resume(trial, log):
    config = trial(ADAM, task="various", parameters={"normed": True}, ema=0.9)
    whole, start, rest = log(), log(stop_after=1), log()
    engine = Engine({"various": various}, xla=False)
    engine.train(config, whole.on_epoch)
    engine.train(config, start.on_epoch, checkpoint=start.checkpoint)
    engine.train(config, rest.on_epoch, resume=start.checkpoints[-1])
    assert start.facts + rest.facts == whole.facts


def test_the_average_can_be_the_judge(trial, log):
    seen = log()
    schedule = {"name": "reduce_on_plateau", "patience": 1, "min_delta": 9.0, "factor": 0.5}
    config = trial(
        MOMENTUM, task="various", metric="ema_val_loss", ema=0.9, schedule=schedule, epochs=3
    )
    Engine({"various": various}, xla=False).train(config, seen.on_epoch)
    assert [r.learning_rate for r in seen.reports] == [0.05, 0.05, 0.025]


@task(loss="mse", batch_size=20)
def own_steps():
    """Steps over raw TensorFlow, whose names are not those of the trackers, as in many examples."""
    import tensorflow as tf

    class Squeezed(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.layer = keras.layers.Dense(64)
            self.tracker = keras.metrics.Mean("total_loss")

        @property
        def metrics(self) -> Any:
            return [self.tracker]

        def call(self, x: Any) -> Any:
            return self.layer(x)

        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x) - y) ** 2)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            self.tracker.update_state(loss)
            return {"loss": self.tracker.result(), "norm": tf.linalg.global_norm(gradients)}

        def test_step(self, data: Any) -> Any:
            x, y = data
            self.tracker.update_state(tf.reduce_mean((self(x) - y) ** 2))
            return {"loss": self.tracker.result(), "least": tf.reduce_min(self(x))}

    return Squeezed()


@own_steps.data
def doubles() -> Data:
    data = digits()
    x, v = data.x_train[:64].astype("float64"), data.x_validation[:30].astype("float64")
    return Data(x, x, v, v)


@tensorflow_only
@pytest.mark.parametrize("xla", [False, True])
def test_what_own_steps_return_is_reported_as_fit_does(xla, trial, log):
    config = trial(MOMENTUM, task="own_steps", epochs=3)
    seen = log()
    Engine({"own_steps": own_steps}, xla=xla).train(config, seen.on_epoch)
    for report, (_, metrics) in zip(seen.reports, plain_keras(own_steps, config), strict=True):
        assert set(metrics) == {"loss", "norm", "val_loss", "val_least"}
        assert report.metrics == pytest.approx(metrics, rel=1e-4)


@task(loss="sparse_categorical_crossentropy", batch_size=20)
def two_optimizers():
    """A hidden layer that an optimizer of the task's own trains."""
    import tensorflow as tf

    class Pair(keras.Model):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.own = keras.optimizers.Adam(0.003)

        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape() as tape:
                prediction = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=prediction)
            first, last = (layer.trainable_variables for layer in self.layers[1:])
            gradients = tape.gradient(loss, [first, last])
            self.own.apply(gradients[0], first)
            self.optimizer.apply([*gradients[0], *gradients[1]], [*first, *last])
            self._loss_tracker.update_state(loss)
            return self.compute_metrics(x, y, prediction)

    inputs = keras.Input((64,))
    hidden = keras.layers.Dense(8, activation="tanh")(inputs)
    return Pair(inputs, keras.layers.Dense(10, activation="softmax")(hidden))


two_optimizers.data(lambda: some_digits("none"))


@tensorflow_only
def test_an_optimizer_of_the_tasks_own_is_reset_and_resumed(trial, log):
    config = trial(MOMENTUM, task="two_optimizers")
    tasks = {"two_optimizers": two_optimizers}
    whole, start, rest = log(), log(stop_after=1), log()
    engine = Engine(tasks, xla=False)
    engine.train(config, whole.on_epoch)
    engine.train(config, start.on_epoch, checkpoint=start.checkpoint)
    Engine(tasks, xla=False).train(config, rest.on_epoch, resume=start.checkpoints[-1])
    assert start.facts + rest.facts == whole.facts
    for report, (_, metrics) in zip(
        whole.reports, plain_keras(two_optimizers, config), strict=True
    ):
        assert report.metrics == pytest.approx(metrics, rel=1e-4)


def test_a_list_of_numbers_is_no_array(trial, log):
    @task(loss="mse")
    def listed():
        return keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])

    listed.data(lambda: Data([1.0, 2.0], [1.0, 2.0], [1.0], [1.0]))
    with pytest.raises(ValueError, match=r"the train data must be arrays, .* make arrays of lists"):
        Engine({"listed": listed}).train(trial(task="listed"), log().on_epoch)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"optimizer": MOMENTUM | {"gradient_accumulation_steps": 4}},
            "optimizer.gradient_accumulation_steps: must be at most 3",
        ),
        (
            {
                "optimizer": MOMENTUM | {"gradient_accumulation_steps": 2},
                "schedule": {"name": "batch_growth"},
            },
            "optimizer.gradient_accumulation_steps: goes with any schedule but batch_growth",
        ),
        ({"ema": 1.0}, "ema: must be above 0 and below 1"),
        ({"metric": "ema_val_loss"}, "metric: task various reports loss, .*, not ema_val_loss"),
        ({"parameters": {"precision": "float8"}}, "parameters.precision: must be one of float32"),
    ],
)
def test_parts_that_do_not_fit_name_the_field(change, message, trial, log):
    engine = Engine({"various": various}, xla=False)
    with pytest.raises(ValueError, match=message):
        engine.train(trial(task="various", **change), log().on_epoch)


def test_memory_bounds_the_programs_that_are_kept(trial):
    engine = Engine({"various": various}, memory=1, xla=False)
    for l2 in (0.0, 0.1):
        engine.train(trial(task="various", epochs=1, parameters={"l2": l2}), lambda _: True)
    (left,) = engine.programs.kept
    assert left.model.layers[0].kernel_regularizer is not None
    roomy = Engine({"various": various}, memory=10**9, xla=False)
    for l2 in (0.0, 0.1):
        roomy.train(trial(task="various", epochs=1, parameters={"l2": l2}), lambda _: True)
    assert len(roomy.programs.kept) == 2


def test_other_programs_make_room_before_a_trial_is_out_of_memory(trial, log, monkeypatch):
    engine = Engine({"various": various}, xla=False)
    engine.train(trial(task="various", epochs=1), log().on_epoch)
    run = engine._first_epoch

    def crowded(*args):
        if engine.programs.kept:
            raise OutOfMemory("full")
        return run(*args)

    monkeypatch.setattr(engine, "_first_epoch", crowded)
    seen = log()
    engine.train(trial(task="various", parameters={"l2": 0.1}), seen.on_epoch)
    assert [r.step for r in seen.reports] == [0, 1, 2, 3]
