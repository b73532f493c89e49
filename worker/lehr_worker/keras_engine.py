"""The training engine as a trainer drives it; importing this loads Keras and its back end."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

import keras

from lehr.wire.range_tests import RangeTestLease
from lehr.wire.workers import Lease
from lehr_worker.tasks import registry
from lehr_worker.training import range_test
from lehr_worker.training.checkpoints import BadCheckpoint
from lehr_worker.training.config import TrialConfig
from lehr_worker.training.engine import Engine, EpochReport
from lehr_worker.training.errors import Diverged

LIBRARIES = ("lehr", "tensorflow", "jax", "keras", "numpy")

log = logging.getLogger(__name__)


class KerasEngine:
    """Trains leases with one ``Engine`` for the built-in tasks and those of the given modules."""

    def __init__(self, modules: Sequence[str]) -> None:
        """Raises TaskError where no task at all can be used."""
        found = registry.find(modules)
        for problem in found.problems.values():
            if not found.tasks:
                raise problem
            log.error("%s", problem, exc_info=problem.__cause__)
        self.problems = {name: str(problem) for name, problem in found.problems.items()}
        self.schemas = {name: task.schema() for name, task in found.tasks.items()}
        self.versions = versions()
        self._tasks = found.tasks
        self._engine = Engine(found.tasks)
        _warn_without_gpu()

    def train(
        self,
        lease: Lease,
        on_epoch: Callable[[EpochReport], bool],
        *,
        resume: bytes | None,
        checkpoint: Callable[[int, Callable[[], bytes]], None],
    ) -> None:
        """Train from the checkpoint, or from the start where it is of no use."""
        config = trial_config(lease)
        with self._named(lease.task):
            try:
                self._engine.train(config, on_epoch, resume=resume, checkpoint=checkpoint)
            except BadCheckpoint as error:
                log.warning("%s #%d starts anew: %s", lease.study, lease.trial.number, error)
                self._engine.train(config, on_epoch, checkpoint=checkpoint)

    def range_test(
        self, lease: RangeTestLease, goes_on: Callable[[], bool]
    ) -> dict[int, list[float]]:
        """The losses of each seed; see ``lehr_worker.training.range_test.losses``."""
        config = range_test.RangeTestConfig(
            task=lease.task,
            optimizer=lease.optimizer,
            parameters=lease.parameters,
            start=lease.start,
            end=lease.end,
            updates=lease.updates,
            seeds=lease.seeds,
        )
        with self._named(lease.task):
            return range_test.losses(config, self._engine.programs, goes_on)

    @contextmanager
    def _named(self, name: str) -> Iterator[None]:
        """Say of what is raised in which task, unless it was said in which part of it."""
        try:
            yield
        except Diverged:
            raise
        except BaseException as error:
            task = self._tasks.get(name)
            if task is not None and not getattr(error, "__notes__", ()):
                error.add_note(f"task {name} of {task.module}")
            raise


def trial_config(lease: Lease) -> TrialConfig:
    """What the lease asks the engine to train."""
    goal = lease.objectives[0]
    return TrialConfig(
        task=lease.task,
        number=lease.trial.number,
        optimizer=lease.optimizer,
        schedule=lease.schedule,
        epochs=lease.training.epochs,
        seed=lease.training.seed,
        metric=goal.metric,
        direction=goal.direction,
        parameters=lease.parameters,
        warmup=lease.warmup,
        ema=lease.training.ema,
    )


def versions() -> dict[str, str]:
    """Of Python and of the libraries that the numbers of a training depend on."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:  # tensorflow-cpu and the like go by other names
            continue
    return found


def _warn_without_gpu() -> None:
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES", "-1")
    if wanted != "-1" and not _has_gpu():
        log.warning(
            "Keras on %s cannot use GPU %s and trains on the CPU; install lehr[worker-gpu], or for "
            "KERAS_BACKEND=jax lehr[worker-jax] and jax[cuda12]",
            keras.backend.backend(),
            wanted,
        )


def _has_gpu() -> bool:
    if keras.backend.backend() == "jax":
        import jax

        return any(device.platform == "gpu" for device in jax.devices())
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
