"""What is compiled, and what lies on the device: shared by trials and range tests."""

import gc
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from lehr_worker.task import Task
from lehr_worker.training import live, optimizers
from lehr_worker.training.backend import make_program
from lehr_worker.training.data import DeviceData, StreamData, prepared
from lehr_worker.training.errors import OutOfMemory
from lehr_worker.training.program import Program

T = TypeVar("T")


class Programs:
    """The programs of the last few kinds of trial, and the data that they read.

    `most` is how many, and `memory` how many bytes of weights, slots and data they may hold
    together; the one in use is always kept. `xla` None leaves it to the task. Not for use from
    several threads.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        *,
        most: int = 16,
        memory: int = 2 * 2**30,
        xla: bool | None = None,
    ) -> None:
        self._tasks = tasks
        self._most = most
        self._memory = memory
        self._xla = xla
        self._kept: OrderedDict[Any, Program] = OrderedDict()
        self._data: WeakValueDictionary[Any, DeviceData | StreamData] = WeakValueDictionary()

    @property
    def kept(self) -> list[Program]:
        """The programs that are compiled, the one used longest ago first."""
        return list(self._kept.values())

    def task(self, name: str) -> Task:
        """The task of this name. Raises ValueError if there is none."""
        if name not in self._tasks:
            raise ValueError(f"task: no {name} here; there are {', '.join(self._tasks)}")
        return self._tasks[name]

    def data(self, task: Task, parameters: Mapping[str, Any]) -> DeviceData | StreamData:
        """The task's data at these parameters, loaded unless a program that is kept reads them."""
        key = (task.name, *sorted(task.data_parameters(parameters).items()))
        data = self._data.get(key)
        if data is None:
            loaded = task.load_data(parameters)
            with task.part("data"):
                data = self._data[key] = prepared(loaded)
        return data

    def program(
        self,
        task: Task,
        parameters: Mapping[str, Any],
        optimizer: Mapping[str, Any],
        data: DeviceData | StreamData,
        *,
        averages: bool = False,
    ) -> Program:
        """A program for these, compiled unless an equal one is kept; `reset` it before use."""
        key = (
            task.name,
            live.shape(parameters, task.live),
            optimizers.shape(optimizer),
            averages,
        )
        if key not in self._kept:
            self._make_room(self._most - 1)
            xla = task.xla if self._xla is None else self._xla
            self._kept[key] = make_program(
                task, parameters, optimizer, data, xla=xla, averages=averages
            )
            self._make_room(self._most)
        self._kept.move_to_end(key)
        return self._kept[key]

    def clear(self) -> None:
        """Let everything go."""
        self._kept.clear()
        gc.collect()  # a program and its graphs refer to each other

    def with_room(self, act: Callable[[], T]) -> T:
        """Do this, a second time with all other programs gone if the device was full.

        Raises OutOfMemory where it is too large by itself.
        """
        others = len(self._kept)
        try:
            return act()
        except OutOfMemory:
            if not others:
                raise
        self.clear()
        return act()

    def _make_room(self, most: int) -> None:
        """Drop the programs used longest ago until the others keep to both bounds."""
        dropped = False
        while len(self._kept) > most or (len(self._kept) > 1 and self._nbytes() > self._memory):
            self._kept.popitem(last=False)
            dropped = True
        if dropped:
            gc.collect()

    def _nbytes(self) -> int:
        programs = sum(program.nbytes for program in self._kept.values())
        return programs + sum(data.nbytes for data in list(self._data.values()))
