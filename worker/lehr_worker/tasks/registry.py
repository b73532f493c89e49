"""Finds tasks: the built-in ones and those of the user's own modules."""

import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Final

from lehr_worker.task import Task

BUILT_IN: Final = tuple(
    f"lehr_worker.tasks.{name}" for name in ("digits", "mnist", "fashion_mnist", "cifar10")
)


class TaskError(Exception):
    """A module of tasks cannot be used."""


def load(modules: Iterable[str] = ()) -> dict[str, Task]:
    """The built-in tasks and those of the named modules, by name; loads no TensorFlow by itself.

    Modules are found as `import` finds them, and in the current folder. Raises TaskError where a
    module is missing, fails, or holds no task, and where two tasks have one name.
    """
    found: dict[str, Task] = {}
    for name in (*BUILT_IN, *modules):
        for task in _tasks(_module(name)):
            other = found.setdefault(task.name, task)
            if other is not task:
                raise TaskError(
                    f"two tasks are named {task.name}: in {other.module} and in {task.module}; "
                    f"rename one with @task(name=...)"
                )
    return found


def _tasks(module: ModuleType) -> Sequence[Task]:
    tasks = [value for value in vars(module).values() if isinstance(value, Task)]
    if not tasks:
        raise TaskError(f"{module.__name__} holds no task; decorate a function with @task")
    return tasks


def _module(name: str) -> ModuleType:
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise TaskError(
                f"no module named {name}; give its import path (my_package.my_tasks), and install "
                f"it or start in the folder that holds it"
            ) from None
        raise TaskError(f"importing {name} failed: {error}") from error
    except Exception as error:
        raise TaskError(f"importing {name} failed: {type(error).__name__}: {error}") from error
