"""A trial as a Python program in plain Keras that trains it again."""

from __future__ import annotations

import pprint
from typing import Any

from lehr.schedules import REQUIRED
from lehr.wire.optimizers import KERAS_CLASSES, OPTIMIZERS
from lehr.wire.space import resolve
from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import Trial

_PROGRAM = '''\
"""Trial {number} of study {study}: {reached}.

Trains the configuration again in plain Keras, with the same initial weights and the same order of
samples, and prints what it reaches. Needs: pip install 'lehr[worker]'. A task of your own is found
in the modules that are named behind the program: python FILE my_package.my_tasks
"""

import random
import sys

import keras
import numpy as np

from lehr.schedules import build
from lehr_worker.tasks.registry import load
from lehr_worker.training.data import prepared, sample_weights

EPOCHS, SEED = {epochs}, {seed}

task = load(sys.argv[1:]).get({task!r})
if task is None:
    sys.exit("name the module that has the task {task}: python FILE my_package.my_tasks")
parameters = task.complete({parameters})
data = task.load_data(parameters)
source = prepared(data)
batch_size, accumulated = parameters["batch_size"], {accumulated!r}  # batches to an update
updates = source.batches(batch_size) // accumulated  # in an epoch; the last samples sit it out

random.seed(SEED)
np.random.seed(SEED)
model = task.build_model(parameters)
model.compile(
    optimizer=keras.optimizers.{optimizer},
    loss=task.build_loss(parameters),
    metrics=task.build_metrics(parameters),
)
learning_rate = build(
    {schedule},
    learning_rate={learning_rate!r},
    warmup={warmup!r},
    epochs=EPOCHS,
    updates_per_epoch=updates,
    direction={direction!r},
    batch_size=batch_size,
    samples=source.samples,
)


class FollowSchedule(keras.callbacks.Callback):
    """Sets the learning rate of each update."""

    first = 0

    def on_train_batch_begin(self, batch, logs=None):
        getattr(self.model, "jax_state_sync", lambda: None)()  # or JAX would not see the new rate
        self.model.optimizer.learning_rate = learning_rate(self.first + batch // accumulated)


def epoch_arguments(epoch):
    """What `fit` gets: the epoch's batches in the order of the search."""
    size = learning_rate.batch_size(epoch)
    batches = source.batches(size) // accumulated * accumulated
    feed = source.feed(SEED, epoch, batches, size)
    if source.is_stream:
        return {{"x": feed, "steps_per_epoch": batches}}
    rows, weights = feed.reshape(-1), sample_weights(data)
    x, y = keras.tree.map_structure(lambda part: part[rows], (data.x_train, data.y_train))
    weights = None if weights is None else weights[rows]
    return {{"x": x, "y": y, "sample_weight": weights, "batch_size": size, "shuffle": False}}


validation = (data.validation,) if source.is_stream else (data.x_validation, data.y_validation)
follow = FollowSchedule()
for epoch in range(EPOCHS):
    follow.first = learning_rate.first_update(epoch)
    model.fit(**epoch_arguments(epoch), callbacks=[follow], verbose=0)
    metrics = model.evaluate(*validation, return_dict=True, verbose=0)
    metrics = {{f"val_{{name}}": value for name, value in metrics.items()}}
    learning_rate.observe(metrics.get({metric!r}))
    print(f"epoch {{epoch + 1}}/{{EPOCHS}}", {{k: round(v, 4) for k, v in metrics.items()}})

print("{metric}:", metrics.get({metric!r}), "(the search reported {value})")
'''


def keras_code(definition: StudyDefinition, trial: Trial, seed: int) -> str:
    """A program that trains the trial's configuration again and prints its metrics.

    ``seed`` is the training's. The program needs the task's package, no server.
    """
    params = trial.params
    point = resolve(definition.space, lambda name, _value: params[name])
    goals = definition.goals
    values = trial.values if trial.values is not None else [trial.value]
    reached = ", ".join(f"{g.metric} {v}" for g, v in zip(goals, values, strict=False))
    return _PROGRAM.format(
        number=trial.number,
        study=trial.study,
        reached=trial.state.value if values == [None] else reached,
        metric=goals[0].metric,
        value=values[0],
        direction=goals[0].direction,
        epochs=definition.training.epochs,
        seed=seed,
        task=definition.task,
        parameters=pprint.pformat(point.parameters),
        optimizer=_optimizer(point.optimizer),
        accumulated=point.optimizer.get("gradient_accumulation_steps", 1),
        schedule=pprint.pformat(point.schedule, sort_dicts=False),
        learning_rate=point.optimizer["learning_rate"],
        warmup=point.warmup,
    )


def _optimizer(optimizer: dict[str, Any]) -> str:
    """``SGD(learning_rate=0.1, momentum=0.9)``: what differs from Keras's own defaults."""
    name = optimizer["name"]
    given = {n: v for n, v in optimizer.items() if n != "name"}
    if name == "momentum":
        given.setdefault("momentum", OPTIMIZERS[name]["momentum"].default)
    required = {n for n, a in OPTIMIZERS[name].items() if a.default is REQUIRED}
    ordered = sorted(given, key=lambda n: n not in required)
    return f"{KERAS_CLASSES[name]}({', '.join(f'{n}={given[n]!r}' for n in ordered)})"
