"""A training as anybody writes it in Keras: `fit`, `evaluate`, and a callback for the rate."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from lehr import schedules
from lehr.wire.optimizers import OPTIMIZERS
from lehr_worker import Data, Task
from lehr_worker.training import optimizers
from lehr_worker.training.config import TrialConfig

AfterUpdate = Callable[[keras.Model], None]


def plain_keras(
    task: Task, config: TrialConfig, after_update: AfterUpdate | None = None
) -> Iterator[tuple[keras.Model, dict[str, float]]]:
    """The model and the metrics after each epoch; the model is the same object each time."""
    keras.utils.set_random_seed(config.seed)
    parameters = task.complete(config.parameters)
    data = task.load_data(parameters)
    assert isinstance(data, Data)
    model = compiled(task, config)
    weights = sample_weights(data)
    accumulated = config.optimizer.get("gradient_accumulation_steps", 1)
    size, samples = parameters["batch_size"], len(data.x_train)
    curve = schedules.build(
        config.schedule,
        learning_rate=config.optimizer["learning_rate"],
        epochs=config.epochs,
        updates_per_epoch=samples // size // accumulated,
        batch_size=size,
        samples=samples,
    )
    for epoch in range(config.epochs):
        size = curve.batch_size(epoch) or size
        order = np.random.default_rng((config.seed, epoch)).permutation(samples)
        updates = samples // size // accumulated
        rows = order[: updates * accumulated * size]
        rates = np.repeat(curve.rates(curve.first_update(epoch), updates), accumulated)
        weighed = None if weights is None else weights[rows]
        batches = {"batch_size": size, "sample_weight": weighed}
        metrics = fitted(
            model, rates, after_update, data.x_train[rows], data.y_train[rows], **batches
        )
        yield model, metrics | evaluated(model, data)


def fitted(
    model: keras.Model, rates: Any, after_update: AfterUpdate | None, *data: Any, **options: Any
) -> dict[str, float]:
    """The metrics of one epoch over the data as it comes, each batch at its learning rate."""

    class Follow(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            synced(model)
            inner_optimizer(model).learning_rate = rates[batch]

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if after_update:
                synced(model)
                after_update(model)

    history = model.fit(*data, shuffle=False, verbose=0, callbacks=[Follow()], **options).history
    return {name: values[0] for name, values in history.items()}


def weights_of(model: keras.Model) -> list[np.ndarray]:
    """Copies of all weights, as `get_weights` gives them without NumPy 2's warning on JAX."""
    values = [weight.value for weight in model.weights]
    return [np.array(v.numpy() if hasattr(v, "numpy") else np.asarray(v)) for v in values]


def synced(model: keras.Model) -> None:
    """On JAX `fit` keeps the variables' values to itself unless asked to give them back."""
    getattr(model, "jax_state_sync", lambda: None)()


def compiled(task: Task, config: TrialConfig) -> keras.Model:
    """A new model, compiled with the trial's optimizer."""
    parameters = task.complete(config.parameters)
    arguments = {n: v for n, v in config.optimizer.items() if n != "name"}
    name = config.optimizer["name"]
    if name == "momentum":
        arguments = {"momentum": OPTIMIZERS[name]["momentum"].default} | arguments
    model = task.build_model(parameters)
    model.compile(
        optimizers.CLASSES[name](**arguments),
        task.build_loss(parameters),
        metrics=task.build_metrics(parameters),
    )
    return model


def inner_optimizer(model: keras.Model) -> Any:
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


def evaluated(model: keras.Model, data: Data) -> dict[str, float]:
    """The metrics of the validation data, by Keras's own name with the prefix val_."""
    metrics = model.evaluate(data.x_validation, data.y_validation, verbose=0, return_dict=True)
    return {f"val_{name}": value for name, value in metrics.items()}


def sample_weights(data: Data) -> Any:
    if data.class_weight is None:
        return data.sample_weight
    weights = np.array([data.class_weight.get(int(label), 1.0) for label in data.y_train])
    return weights if data.sample_weight is None else weights * data.sample_weight
