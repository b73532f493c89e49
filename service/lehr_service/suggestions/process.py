"""A sampler process, as the server sees it: requests in, suggestions out, line by line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from lehr_service.search import Suggestion

MODULE = "lehr_service.operations.suggesting"  # what it runs

_STARTS = 3  # in a row, of a process that ends without an answer, before lanes ask themselves
_RETRY_SECONDS = 60.0  # then it gets another chance
_ANSWER_SECONDS = 300.0  # a process that says nothing for longer hangs


class SamplerDied(Exception):
    """The sampler process ended without an answer, or was ended, for it hung."""


class SamplerProcess:
    """One process that suggests; started when it is first needed, and again when it died."""

    pid: int | None = None

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self.is_ready = False
        self.failures = 0
        self._retry_at = 0.0

    async def ask(self, request: dict[str, Any]) -> AsyncIterator[Suggestion]:
        """Suggestions as they are made. Raises SamplerDied."""
        async with self._turn:
            if not self.is_ready:
                await self._start()
            try:
                await self._write(request)
                while "done" not in (answer := await self._receive()):
                    yield Suggestion(**answer)
            except BaseException:  # what it still has to say would be taken for the next answer
                await self.stop()
                raise
            self.failures = 0

    async def warm(self) -> None:
        """See to it that it runs. Raises SamplerDied."""
        async with self._turn:
            if not self.is_ready:
                await self._start()

    @property
    def is_given_up(self) -> bool:
        """Whether it fails to answer, again and again, and its next chance is not yet."""
        return self.failures >= _STARTS and time.monotonic() < self._retry_at

    async def _start(self) -> None:
        await self.stop()
        started = asyncio.create_task(
            asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                MODULE,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,  # a Ctrl-C is the server's, which then closes the pipe
                limit=2**24,
            )
        )
        try:
            await asyncio.shield(started)
        finally:  # cancelled halfway, it would be a process that nobody stops
            self._process = await started
        self.pid = self._process.pid
        await self._write(self._settings)
        await self._receive()
        self.is_ready = True

    async def _write(self, message: dict[str, Any]) -> None:
        stdin = self._process.stdin if self._process else None
        if stdin is None:
            raise SamplerDied
        try:
            stdin.write(json.dumps(message).encode() + b"\n")
            async with asyncio.timeout(_ANSWER_SECONDS):
                await stdin.drain()
        except (OSError, RuntimeError) as error:  # RuntimeError: uvloop's, of a closed pipe
            await self._failed(error)

    async def _receive(self) -> dict[str, Any]:
        stdout = self._process.stdout if self._process else None
        line = b""
        hangs: Exception | None = None
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                line = await stdout.readline() if stdout else b""
        except TimeoutError as error:
            hangs = error
        if not line.endswith(b"\n"):
            await self._failed(hangs)
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _failed(self, error: Exception | None) -> None:
        self.failures += 1
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        await self.stop()
        raise SamplerDied from error

    async def stop(self) -> None:
        self.is_ready = False
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()
        if self._process is process:
            self._process = None
