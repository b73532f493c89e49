"""Which programs run on the Keras back end that is set (KERAS_BACKEND)."""

from typing import Any

import keras

from lehr_worker.training.program import Program


def make_program(*args: Any, xla: bool | None = None, **options: Any) -> Program:
    """A `Program` of the back end; JAX always compiles by XLA. RuntimeError for another one."""
    name = keras.backend.backend()
    if name == "tensorflow":
        from lehr_worker.training.tensorflow_program import TensorFlowProgram

        return TensorFlowProgram(*args, xla=xla, **options)
    if name == "jax":
        from lehr_worker.training.jax_program import JaxProgram

        return JaxProgram(*args, **options)
    raise RuntimeError(f"KERAS_BACKEND is {name}; lehr trains on tensorflow or jax")
