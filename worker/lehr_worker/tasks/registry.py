"""Finds tasks: the built-in ones and those of the user's own modules."""

import importlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from lehr_worker.failures import raised_at
from lehr_worker.task import Task

BUILT_IN: Final = tuple(
    f"lehr_worker.tasks.{name}" for name in ("digits", "mnist", "fashion_mnist", "cifar10")
)


class TaskError(Exception):
    """A module of tasks cannot be used."""


@dataclass(frozen=True)
class Found:
    """Tasks by name, and by module why it, or a task of it, cannot be used."""

    tasks: Mapping[str, Task]
    problems: Mapping[str, TaskError]


def load(modules: Iterable[str] = ()) -> dict[str, Task]:
    """The built-in tasks and those of the named modules, by name; loads no TensorFlow by itself.

    Modules are found as `import` finds them, and in the current folder. Raises TaskError where a
    module is missing, fails, or holds no task, and where two tasks have one name.
    """
    found = find(modules)
    for problem in found.problems.values():
        raise problem
    return dict(found.tasks)


def find(modules: Iterable[str] = ()) -> Found:
    """As `load`, but a module that cannot be used keeps nobody from the tasks of the others."""
    tasks: dict[str, Task] = {}
    problems: dict[str, TaskError] = {}
    for name in (*BUILT_IN, *modules):
        try:
            for task in _tasks(_module(name)):
                _add(tasks, task)
        except TaskError as error:
            problems[name] = error
    return Found(tasks, problems)


def _add(tasks: dict[str, Task], task: Task) -> None:
    other = tasks.setdefault(task.name, task)
    if other is not task:
        raise TaskError(
            f"two tasks are named {task.name}: in {other.module} and in {task.module}; "
            f"rename one with @task(name=...)"
        )


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
        raise TaskError(_import_failed(name, str(error), error)) from error
    except BaseException as error:  # a module may as well call sys.exit
        said = f"{type(error).__name__}: {error}"
        raise TaskError(_import_failed(name, said, error)) from error


def _import_failed(name: str, said: str, error: BaseException) -> str:
    place = raised_at(error)
    return f"importing {name} failed: {said}" + (f" ({place})" if place else "")
