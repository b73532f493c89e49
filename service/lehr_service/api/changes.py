"""Who waits for something to change, and what wakes them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Hashable

ALONE_SECONDS = 0.5  # between looks, while other servers cannot be heard
HEARING_SECONDS = 5.0  # while they can, or there are none


class Changes:
    """Wakes the requests of this server that wait for a change.

    What other servers change is heard through the database. No wait is longer than
    ``poll_seconds``, though: who waits looks again after that, should a message be lost.
    """

    def __init__(self) -> None:
        self.ended = False
        self.poll_seconds = ALONE_SECONDS
        self.news: set[Hashable] = set()  # what other servers were not told yet
        self.has_news = asyncio.Event()
        self._waiting: dict[Hashable, set[asyncio.Event]] = defaultdict(set)

    def end(self) -> None:
        """Wake everybody for the last time: the server is leaving."""
        self.ended = True
        for events in self._waiting.values():
            for event in events:
                event.set()

    def notify(self, *keys: Hashable) -> None:
        """Something changed here."""
        self.news.update(keys)
        self.has_news.set()
        self.hear(*keys)

    def hear(self, *keys: Hashable) -> None:
        """Something changed, here or in another server."""
        for key in keys:
            for event in self._waiting.get(key, ()):
                event.set()

    def watch(self, key: Hashable) -> Watch:
        """Notes changes from its beginning on, so none between a look and a wait is missed."""
        return Watch(self._waiting, key, self)


class Watch:
    """A context in which ``wait`` returns when the key changed since the last wait."""

    def __init__(
        self, waiting: dict[Hashable, set[asyncio.Event]], key: Hashable, changes: Changes
    ) -> None:
        self._waiting, self._key, self._changes = waiting, key, changes
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
            async with asyncio.timeout(min(seconds, self._changes.poll_seconds)):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()
