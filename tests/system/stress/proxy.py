"""A TCP proxy that misbehaves as networks do: it refuses, delays, and cuts answers."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

_REQUEST = b" HTTP/1.1\r\n"


class Network(threading.Thread):
    """The event loop of all proxies."""

    def __init__(self) -> None:
        super().__init__(name="network")
        self.loop = asyncio.new_event_loop()

    def run(self) -> None:
        self.loop.run_forever()

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def end(self) -> None:
        self.call(self._cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.join(10)
        self.loop.close()

    async def _cancel_all(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Proxy:
    """Stands between clients and one server.

    What it does is set by ``refusing``, ``latency`` (seconds for each piece of data) and
    ``cutting`` (the share of answers that are thrown away with their connection, after the server
    has given them).
    """

    def __init__(self, network: Network, server_port: int, seed: int) -> None:
        self.server_port = server_port
        self.refusing, self.latency, self.cutting = False, 0.0, 0.0
        self.requests, self.cut, self.dropped = 0, 0, 0
        self._random = random.Random(seed)
        self._open: set[asyncio.StreamWriter] = set()
        self._network = network
        self._server = network.call(asyncio.start_server(self._meet, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def drop(self) -> None:
        """End all connections that are open."""
        self._network.call(self._drop())

    def close(self) -> None:
        self._network.loop.call_soon_threadsafe(self._server.close)
        self.drop()

    def calm(self) -> None:
        self.refusing, self.latency, self.cutting = False, 0.0, 0.0

    async def _drop(self) -> None:
        self.dropped += len(self._open)
        for writer in list(self._open):
            writer.transport.abort()

    async def _meet(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        self._open.add(answers)
        try:
            if self.refusing:
                return
            server, requests = await asyncio.open_connection("127.0.0.1", self.server_port)
            try:
                there = asyncio.create_task(self._pass_on(client, requests, is_answer=False))
                back = asyncio.create_task(self._pass_on(server, answers, is_answer=True))
                await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
                for task in (there, back):
                    task.cancel()
                await asyncio.gather(there, back, return_exceptions=True)
            finally:
                requests.transport.abort()
        except OSError:
            return
        finally:
            self._open.discard(answers)
            answers.close()

    async def _pass_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_answer: bool
    ) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if not is_answer:
                    self.requests += data.count(_REQUEST)
                elif self._random.random() < self.cutting:
                    self.cut += 1
                    return
                if self.refusing:
                    return
                if self.latency:
                    await asyncio.sleep(self.latency)
                sink.write(data)
                await sink.drain()
