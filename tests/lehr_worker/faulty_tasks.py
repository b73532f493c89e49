"""Tasks of which each has one mistake, as people make them."""

from __future__ import annotations

import numpy as np

from lehr_worker import Data, task

X = np.linspace(-1, 1, 80, dtype=np.float32).reshape(20, 4)
Y = (X.sum(1) > 0).astype(np.int32)


def model(**options):
    import keras

    return keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2, **options)])


def data():
    return Data(X, Y, X, Y)


def faulty(**options):
    """A task with the usual loss, metric and batch size."""
    usual = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], "batch_size": 5}
    return task(**(usual | options))


@faulty()
def sound():
    return model(activation="softmax")


sound.data(data)


@faulty()
def model_is_none():
    model()


model_is_none.data(data)


@faulty()
def model_raises():
    raise RuntimeError("no such layer")


model_raises.data(data)


@faulty()
def data_is_a_tuple():
    return model()


@data_is_a_tuple.data
def returns_a_tuple():
    return X, Y


@faulty()
def data_raises():
    return model()


@data_raises.data
def raises_when_loaded():
    raise FileNotFoundError("/data/train.npz")


@faulty()
def data_of_two_lengths():
    return model()


@data_of_two_lengths.data
def one_label_less():
    return Data(X, Y[:-1], X, Y)


@faulty()
def data_of_another_shape():
    return model()


@data_of_another_shape.data
def three_columns():
    return Data(X[:, :3], Y, X[:, :3], Y)


def bad_loss():
    raise ValueError("no such loss")


@faulty(loss=bad_loss)
def loss_raises():
    return model()


loss_raises.data(data)


def by_class():
    import keras

    class ByClass(keras.metrics.Metric):
        def update_state(self, y_true, y_pred, sample_weight=None):
            """Nothing to count."""

        def result(self):
            return keras.ops.ones((3,))

    return ByClass(name="by_class")


@faulty(metrics=[by_class])
def metric_is_a_vector():
    return model()


metric_is_a_vector.data(data)


def in_words():
    import keras

    class InWords(keras.metrics.Metric):
        def update_state(self, y_true, y_pred, sample_weight=None):
            """Nothing to count."""

        def result(self):
            return "good"

    return InWords(name="in_words")


@faulty(metrics=[in_words])
def metric_is_a_string():
    return model()


metric_is_a_string.data(data)


@faulty()
def step_raises():
    import keras

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = keras.layers.Dense(2)

        def call(self, x):
            return self.inner(x)

        def train_step(self, data):
            raise KeyError("teacher")

    return Own()


step_raises.data(data)


@faulty()
def step_interrupts():
    import keras

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = keras.layers.Dense(2)

        def call(self, x):
            return self.inner(x)

        def train_step(self, data):
            raise KeyboardInterrupt

    return Own()


step_interrupts.data(data)


@faulty()
def data_is_no_number():
    return model(activation="softmax")


@data_is_no_number.data
def not_a_number():
    return Data(X * np.nan, Y, X, Y)


@faulty()
def disk_is_full():
    return model()


@disk_is_full.data
def writes_too_much():
    import tensorflow as tf

    tf.io.write_file("/dev/full", "x" * 2**20)
