"""A look at the database that many may ask for, and that is worth something for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cached(Generic[T]):
    """What a look found, for so many seconds; who asks while it is under way shares it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0
        self._look: asyncio.Task[T] | None = None

    async def get(self, look: Callable[[], Awaitable[T]]) -> T:
        """Raises what the look raises; the next one who asks looks again."""
        if self._look is None or (self._look.done() and time.monotonic() >= self._until):
            self._look = asyncio.create_task(self._run(look))
        return await asyncio.shield(self._look)

    async def _run(self, look: Callable[[], Awaitable[T]]) -> T:
        found = await look()
        self._until = time.monotonic() + self._seconds
        return found
