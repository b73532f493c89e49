"""Who waits for something to change, and what wakes them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Hashable


class Changes:
    """Wakes the requests of this server that wait for a change.

    A change that another server made is not heard of here, so no wait is longer than
    ``poll_seconds``: who waits looks again after that.
    """

    def __init__(self, poll_seconds: float = 0.5) -> None:
        self.ended = False
        self._poll_seconds = poll_seconds
        self._waiting: dict[Hashable, set[asyncio.Event]] = defaultdict(set)

    def end(self) -> None:
        """Wake everybody for the last time: the server is leaving."""
        self.ended = True
        for events in self._waiting.values():
            for event in events:
                event.set()

    def notify(self, *keys: Hashable) -> None:
        for key in keys:
            for event in self._waiting.get(key, ()):
                event.set()

    def watch(self, key: Hashable) -> Watch:
        """Notes changes from its beginning on, so none between a look and a wait is missed."""
        return Watch(self._waiting, key, self._poll_seconds)


class Watch:
    """A context in which ``wait`` returns when the key changed since the last wait."""

    def __init__(
        self, waiting: dict[Hashable, set[asyncio.Event]], key: Hashable, poll_seconds: float
    ) -> None:
        self._waiting, self._key, self._poll_seconds = waiting, key, poll_seconds
        self._event = asyncio.Event()

    def __enter__(self) -> Watch:
        self._waiting[self._key].add(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting[self._key].discard(self._event)
        if not self._waiting[self._key]:
            del self._waiting[self._key]

    async def wait(self, seconds: float) -> None:
        """Until the next change, or at most so long."""
        try:
            async with asyncio.timeout(min(seconds, self._poll_seconds)):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()
