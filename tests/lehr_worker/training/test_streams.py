"""Data that is read as it is needed, held against plain Keras on the same seeds."""

import threading
from typing import Any

import keras
import numpy as np
import pytest

from lehr_worker import Stream, task
from lehr_worker.tasks.digits import digits
from lehr_worker.training.data import StreamData
from lehr_worker.training.engine import Engine

from .conftest import tensorflow_only
from .plain import compiled, evaluated, fitted

pytestmark = pytest.mark.tensorflow

ADAM = {"name": "adam", "learning_rate": 0.01}


def a_stream(batches: int | None = None, known: bool = True, short: bool = False):
    """A task that reads digits through tf.data, and what its train dataset was made of."""
    seeds: list[int] = []

    @task(loss="sparse_categorical_crossentropy", metrics=["accuracy"], batch_size=16)
    def streamed():
        """One layer."""
        return keras.Sequential(
            [keras.layers.Input((64,)), keras.layers.Dense(10, activation="softmax")]
        )

    @streamed.data
    def stream(batch_size: int) -> Stream:
        import tensorflow as tf

        data = digits()
        x, y = data.x_train[:70], data.y_train[:70]

        def train(seed: int) -> Any:
            seeds.append(seed)
            order = np.random.default_rng(seed).permutation(70)
            parts = tf.data.Dataset.from_tensor_slices((x[order], y[order]))
            parts = parts.batch(batch_size)
            if short and len(seeds) > 2:
                parts = parts.take(1)
            return parts if known else parts.filter(lambda x, y: True)

        validation = tf.data.Dataset.from_tensor_slices((data.x_validation, data.y_validation))
        return Stream(train, validation.batch(50), batches)

    return streamed, stream, seeds


@pytest.mark.parametrize(("known", "batches"), [(True, None), (False, 5), (True, 3)])
def test_a_stream_equals_plain_keras(known, batches, trial, log):
    streamed, stream, seeds = a_stream(batches, known)
    seen, engine = log(), Engine({"streamed": streamed})
    config = trial(ADAM, task="streamed", epochs=3, schedule={"name": "constant"})
    engine.train(trial(ADAM, task="streamed", epochs=1, seed=1), log().on_epoch)
    seeds.clear()
    engine.train(config, seen.on_epoch)
    assert len(set(seeds)) == 3
    drawn = list(seeds)
    import tensorflow as tf

    keras.utils.set_random_seed(config.seed)
    model, source = compiled(streamed, config), stream(16)
    for report, seed in zip(seen.reports, drawn, strict=True):
        count = batches or 5
        epoch = source.train(seed).take(count).apply(tf.data.experimental.assert_cardinality(count))
        expected = fitted(model, [0.01] * 6, None, epoch) | evaluated(model, digits())
        assert report.metrics == pytest.approx(expected, rel=1e-4)
        assert report.updates == (batches or 5)


def test_a_stream_is_read_ahead_of_the_training():
    """Nobody asks for the second batch, and yet it is made."""
    import tensorflow as tf

    second_is_read = threading.Event()

    def samples():
        yield [0.0]
        second_is_read.set()
        yield [1.0]

    itself = tf.data.Options()
    itself.experimental_optimization.inject_prefetch = False  # by TensorFlow, where it sees fit
    source = tf.data.Dataset.from_generator(samples, output_signature=tf.TensorSpec((1,)))
    source = source.with_options(itself)
    data = StreamData(Stream(lambda seed: source, source, updates_per_epoch=2))
    batches = iter(data.feed(seed=7, epoch=0, batches=2, batch_size=1))
    next(batches)
    assert second_is_read.wait(30)


def test_a_stream_resumes(trial, log):
    streamed, _, _ = a_stream()
    config = trial(ADAM, task="streamed", epochs=4)
    whole, start, rest = log(), log(stop_after=1), log()
    engine = Engine({"streamed": streamed})
    engine.train(config, whole.on_epoch)
    engine.train(config, start.on_epoch, checkpoint=start.checkpoint)
    Engine({"streamed": streamed}).train(config, rest.on_epoch, resume=start.checkpoints[-1])
    assert start.facts + rest.facts == whole.facts


def test_a_stream_of_unknown_length_says_what_to_do(trial, log):
    streamed, _, _ = a_stream(known=False)
    with pytest.raises(ValueError, match=r"say Stream\(updates_per_epoch=...\)"):
        Engine({"streamed": streamed}).train(trial(task="streamed"), log().on_epoch)


def test_a_stream_that_ends_early_says_so(trial, log):
    streamed, _, _ = a_stream(short=True)
    with pytest.raises(ValueError, match=r"the stream ended .* its epoch's 5 batches"):
        Engine({"streamed": streamed}).train(trial(task="streamed"), log().on_epoch)


@tensorflow_only
def test_the_end_of_something_else_is_not_called_the_streams(trial, log):
    import tensorflow as tf

    def end(x):
        raise StopIteration

    class Ends(keras.layers.Layer):
        def call(self, x, training=False):
            ended = tf.numpy_function(end, [x], tf.float32) if training else x
            return tf.ensure_shape(ended, x.shape)

    @task(loss="sparse_categorical_crossentropy")
    def ending():
        inputs = keras.layers.Input((64,))
        return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(Ends()(inputs)))

    ending.data(digits)
    with pytest.raises(tf.errors.OutOfRangeError):
        Engine({"ending": ending}, xla=False).train(trial(task="ending"), log().on_epoch)


def test_a_growing_batch_needs_arrays(trial, log):
    streamed, _, _ = a_stream()
    with pytest.raises(ValueError, match=r"schedule.name: batch_growth needs a task whose data"):
        Engine({"streamed": streamed}).train(
            trial(task="streamed", schedule={"name": "batch_growth"}), log().on_epoch
        )
