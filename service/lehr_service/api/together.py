"""Requests of one kind that come together are answered by one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")

_MOST = 256


class Together(Generic[K, T]):
    """Answers questions in batches: what comes while one is answered is the next.

    An error is everybody's in its batch. A question whose client goes away stays in its batch.
    """

    def __init__(self, answer: Callable[[list[K]], Awaitable[Sequence[T]]]) -> None:
        """``answer``: of all questions, in their order."""
        self._answer = answer
        self._next: list[K] = []  # the batch that has not begun
        self._batch: asyncio.Task[Sequence[T]] | None = None  # the last one

    async def __call__(self, question: K) -> T:
        if len(self._next) == _MOST:
            self._next = []
        batch = self._next
        batch.append(question)
        index = len(batch) - 1
        task = self._batch
        if task is None or index == 0:
            task = self._batch = asyncio.create_task(self._run(batch, task))
        return (await asyncio.shield(task))[index]

    async def _run(self, batch: list[K], before: asyncio.Task[Sequence[T]] | None) -> Sequence[T]:
        if before is not None:
            await asyncio.wait([before])
        if self._next is batch:
            self._next = []
        return await self._answer(batch)
