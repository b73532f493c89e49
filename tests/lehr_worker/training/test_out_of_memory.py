"""A device without room ends a trial as such, however it is put, and the next one runs."""

import errno
import os
from typing import Literal

import keras
import numpy as np
import pytest

from lehr_worker import task
from lehr_worker.tasks.digits import digits
from lehr_worker.training.engine import Engine
from lehr_worker.training.errors import OutOfMemory, raises_out_of_memory

from .conftest import same_with_every_backend

JAX = keras.backend.backend() == "jax"


def tensorflows(name, text):
    import tensorflow as tf

    return getattr(tf.errors, name)(None, None, text)


def jaxs(text):
    import jax

    return jax.errors.JaxRuntimeError(text)


TENSORFLOWS = [  # as its 2.21 and the libraries below it put it
    ("ResourceExhaustedError", "OOM when allocating tensor with shape[8192,8192] [Op:Mul]"),
    ("ResourceExhaustedError", "Out of memory while trying to allocate 17179869184 bytes."),
    ("ResourceExhaustedError", ""),
    ("InternalError", "Failed to load in-memory CUBIN: CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
    ("InternalError", "CUDA runtime implicit initialization failed. Status: out of memory"),
    ("InternalError", "Failed copying to GPU:0: Dst tensor is not initialized."),
    ("InternalError", "CUDA error (failed to allocate 17179869184 bytes)"),
    ("NotFoundError", "CUDNN failed to allocate the scratch space for the runner"),
    ("InternalError", "cuBLAS: CUBLAS_STATUS_ALLOC_FAILED"),
    ("InternalError", "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    ("UnknownError", "JIT compilation failed: cudaErrorMemoryAllocation"),
]
JAXS = [
    "RESOURCE_EXHAUSTED: Out of memory allocating 17179869184 bytes.",
    "RESOURCE_EXHAUSTED: Failed to allocate request for 16.0GiB (17179869184B) on device ordinal 0",
    "INTERNAL: Failed to load in-memory CUBIN: CUDA_ERROR_OUT_OF_MEMORY: out of memory",
    "UNKNOWN: cudnn: CUDNN_STATUS_ALLOC_FAILED",
]


@same_with_every_backend
@pytest.mark.parametrize(("name", "text"), TENSORFLOWS)
def test_tensorflow_says_that_a_device_is_full(name, text):
    with pytest.raises(OutOfMemory) as caught, raises_out_of_memory():
        raise tensorflows(name, text)
    assert str(caught.value) == text


@same_with_every_backend
@pytest.mark.parametrize("text", JAXS)
def test_jax_says_that_a_device_is_full(text):
    with pytest.raises(OutOfMemory) as caught, raises_out_of_memory():
        raise jaxs(text)
    assert str(caught.value) == text


@same_with_every_backend
def test_an_error_that_a_full_device_has_caused_is_one():
    def trains():
        try:
            raise jaxs(JAXS[0])
        except Exception as error:
            raise RuntimeError("the generator cannot be trained") from error

    with pytest.raises(OutOfMemory, match="Out of memory allocating"), raises_out_of_memory():
        trains()


@same_with_every_backend
def test_an_error_in_the_handling_of_a_full_device_is_one():
    """Keras cannot rebuild TensorFlow's errors while it infers shapes, and raises a TypeError."""

    def infers():
        try:
            raise tensorflows(*TENSORFLOWS[3])
        except Exception as error:
            raise type(error)("Could not automatically infer") from None

    with pytest.raises(OutOfMemory, match="CUDA_ERROR_OUT_OF_MEMORY"), raises_out_of_memory():
        infers()


@same_with_every_backend
@pytest.mark.parametrize(
    "error",
    [
        tensorflows("InternalError", "ptxas exited with non-zero error code 2"),
        tensorflows("ResourceExhaustedError", f"cache.data: {os.strerror(errno.ENOSPC)}"),
        jaxs("INTERNAL: failed to allocate VGPR for implicit arguments"),
        ValueError("units: must be at most 64"),
        MemoryError("Unable to allocate 8.00 GiB for an array"),
    ],
    ids=lambda error: str(error)[:20],
)
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as caught, raises_out_of_memory():
        raise error
    assert caught.value is error


class Greedy(keras.layers.Layer):
    """Has no room while the model is built, or while it runs."""

    def __init__(self, when):
        super().__init__()
        self.when = when

    def call(self, x):
        if self.when == "building":
            text = "CUDA_ERROR_OUT_OF_MEMORY: out of memory"
            raise jaxs(f"INTERNAL: {text}") if JAX else tensorflows("InternalError", text)
        if self.when == "running":
            return x + 0.0 * (self.on_jax(x) if JAX else self.on_tensorflow(x))
        return x

    def on_jax(self, x):
        import jax

        def fails(_):
            raise jaxs(JAXS[0])

        like = jax.ShapeDtypeStruct(x.shape, x.dtype)
        return jax.pure_callback(fails, like, jax.lax.stop_gradient(x))

    def on_tensorflow(self, x):
        import tensorflow as tf

        def fails(x):
            if len(x) > 1:  # in a compiled epoch, where TensorFlow makes a status of its own of it
                raise MemoryError("17179869184 bytes")
            return x

        y = tf.numpy_function(fails, [x], tf.float32, stateful=False)
        return tf.stop_gradient(tf.ensure_shape(y, x.shape))


@task(loss="sparse_categorical_crossentropy", batch_size=100)
def greedy(when: Literal["never", "building", "running"] = "never"):
    inputs = keras.layers.Input((64,))
    outputs = keras.layers.Dense(10, activation="softmax")(Greedy(when)(inputs))
    return keras.Model(inputs, outputs)


greedy.data(digits)


@pytest.mark.parametrize("when", ["building", "running"])
def test_after_a_trial_without_room_the_next_one_runs(when, trial, log):
    engine = Engine({"greedy": greedy}, xla=False)
    with pytest.raises(OutOfMemory) as caught:
        engine.train(trial(task="greedy", parameters={"when": when}), log().on_epoch)
    assert "call()" not in str(caught.value)  # where it was, which Keras says first
    assert not engine.programs.kept
    seen = log()
    engine.train(trial(task="greedy", epochs=1), seen.on_epoch)
    assert np.isfinite(seen.reports[0].metrics["val_loss"])
