"""Suggestions ready to be claimed: made in sampler processes, as many as recent demand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import secrets
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from dataclasses import asdict, dataclass, field
from typing import Any

from lehr_service.domain.study import Study
from lehr_service.metrics import Metrics
from lehr_service.search import Suggestion, is_stale, most_ahead

log = logging.getLogger(__name__)

MODULE = "lehr_service.operations.suggesting"  # what a sampler process runs

_WAIT_SECONDS = 10.0  # of a claim for a suggestion, before it looks elsewhere
_DEMAND_SECONDS = 5.0  # what was claimed so recently is what will be
_STARTS = 3  # in a row, of a process that ends without an answer, before lanes ask themselves
_RETRY_SECONDS = 60.0  # then it gets another chance
_SMALL = 1000  # finished trials up to which a lane may ask while the process is starting
_SMALL_GP = 100  # the same for Gaussian processes, whose suggestions soon take seconds
_ROUND_SECONDS = 0.1  # from a claim to more suggestions, at least
_BATCH = 16  # suggestions a request, so that studies take turns
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


@dataclass
class _Stock:
    """The suggestions of one study, and who waits for them."""

    ready: deque[Suggestion] = field(default_factory=deque)
    waiting: deque[asyncio.Future[Suggestion]] = field(default_factory=deque)
    handed: deque[Suggestion] = field(default_factory=deque)  # to claims that are under way
    numbered: dict[int, list[asyncio.Future[Suggestion]]] = field(default_factory=dict)
    claimed_at: deque[float] = field(default_factory=lambda: deque(maxlen=1000))
    study: Study | None = None
    serial: int = 0
    seconds_each: float = 0.01  # that a suggestion takes
    is_fed: bool = False  # a task fills it

    @property
    def finished(self) -> int:
        return 0 if self.study is None else _finished(self.study)

    @property
    def is_blind(self) -> bool:
        """Whether the sampler looks at no other trial."""
        return self.study is not None and self.study.definition.sampler["name"] == "random"

    @property
    def is_outdated(self) -> bool:
        """Whether newer suggestions would know much more than those at hand."""
        if self.study is None or self.is_blind:
            return False
        return any(self.finished - s.finished > self.study.running // 2 for s in self.ready)

    def release(self, suggestion: Suggestion | None = None) -> None:
        """Let all that wait go; without a suggestion they look again."""
        futures = [*self.waiting, *(f for fs in self.numbered.values() for f in fs)]
        self.waiting.clear()
        self.numbered.clear()
        for future in futures:
            if not future.done():
                future.set_result(suggestion or Suggestion({}, used=True))

    def target(self, now: float) -> int:
        """How many to have ready: one, and what is claimed while the next are made.

        Claims come in any order, so twice the spread of their number is added, as long as it is
        few beside what runs: each suggestion waits for its claim, and more of them for longer.
        """
        recent = sum(1 for at in self.claimed_at if now - at <= _DEMAND_SECONDS)
        if self.study is None or recent == 0:
            return 0
        meanwhile = recent / _DEMAND_SECONDS * max(_ROUND_SECONDS, 2 * self.seconds_each)
        at_times = min(meanwhile + 2 * math.sqrt(meanwhile), self.study.running / 4)
        return min(1 + int(max(meanwhile, at_times)), most_ahead(self.study.definition))


class Suggestions:
    """The stocks of all studies. Used by the event loop only."""

    def __init__(
        self, settings: dict[str, Any], processes: int, metrics: Metrics | None = None
    ) -> None:
        self._metrics = metrics or Metrics()
        salted = settings | {"salt": secrets.randbits(31)}
        self.processes = [SamplerProcess(salted) for _ in range(processes)]
        self._stocks: dict[int, _Stock] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # those of stocks that are over, too
        self._is_open = True

    def begin(self) -> None:
        """Start the processes, one after the other, before the first claim has to wait for them."""
        self._run(self._warm())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _warm(self) -> None:
        for process in self.processes:
            try:
                await process.warm()
            except SamplerDied:
                log.warning("a sampler process did not start; it is tried again when it is needed")

    def asks_here(self, study: Study) -> bool:
        """Whether a study's lane asks its sampler itself; called by lanes' threads too."""
        if not self.processes or most_ahead(study.definition) == 0:
            return True
        process = self._process(study.id)
        if process.is_given_up:
            return True
        small = _SMALL_GP if study.definition.sampler["name"] == "gp" else _SMALL
        return not process.is_ready and _finished(study) <= small

    def note(self, study: Study | None) -> None:
        """A study as a lane has left it."""
        if study is None or not self.processes or most_ahead(study.definition) == 0:
            return
        if study.state.is_finished:
            over = self._stocks.pop(study.id, None)
            if over is not None:
                over.release()
            return
        self._stock(study.id).study = study
        self._feed(study.id)

    def ready(self, study_id: int) -> Suggestion | None:
        """For a claim: a suggestion that is there and fresh enough."""
        stock = self._stocks.get(study_id)
        if stock is None or stock.study is None:
            return None
        study = stock.study
        stock.claimed_at.append(time.monotonic())
        while stock.ready:
            suggestion = stock.ready.popleft()
            if not is_stale(suggestion, study.definition, stock.finished, study.running):
                stock.handed.append(suggestion)
                return suggestion
        return None

    def must_wait(self, study_id: int) -> bool:
        """Whether a claim can have nothing of a study before a suggestion is made."""
        stock = self._stocks.get(study_id)
        if stock is None or stock.study is None or self.asks_here(stock.study):
            return False
        return stock.study.waiting == 0 and not stock.study.is_testing

    def end(self) -> None:
        """Let all that wait go: the server is leaving."""
        for stock in self._stocks.values():
            stock.release()

    def give_back(self, study_id: int, suggestion: Suggestion | None) -> None:
        """Keep a suggestion that its claim did not need for the next one."""
        stock = self._stocks.get(study_id)
        if suggestion is None or suggestion.used or suggestion.number is not None or not stock:
            return
        with contextlib.suppress(ValueError):
            stock.handed.remove(suggestion)
        if not _hand_over(stock, suggestion):
            stock.ready.appendleft(suggestion)

    async def next(self, study_id: int, number: int | None) -> Suggestion | None:
        """The next suggestion, or one for a waiting trial; None where it takes too long."""
        stock = self._stock(study_id)
        future: asyncio.Future[Suggestion] = asyncio.get_running_loop().create_future()
        if number is None:
            stock.waiting.append(future)
        else:
            stock.numbered.setdefault(number, []).append(future)
        self._feed(study_id)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                return await future
        except TimeoutError:
            return None

    async def close(self) -> None:
        """End the processes; none is started any more, whatever lanes still have to finish."""
        self._is_open = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in self.processes:
            await process.stop()

    def _stock(self, study_id: int) -> _Stock:
        return self._stocks.setdefault(study_id, _Stock())

    def _process(self, study_id: int) -> SamplerProcess:
        return self.processes[study_id % len(self.processes)]

    def _feed(self, study_id: int) -> None:
        """See to it that somebody fills the stock, if it needs to be."""
        stock, process = self._stocks[study_id], self._process(study_id)
        if process.is_given_up or not self._is_open:
            stock.release()
        elif not stock.is_fed and (not process.is_ready or _wanted(stock) is not None):
            stock.is_fed = True
            self._run(self._fill(study_id, stock, process))

    async def _fill(self, study_id: int, stock: _Stock, process: SamplerProcess) -> None:
        try:
            await process.warm()
            while (wanted := _wanted(stock)) is not None:
                if not await self._ask(study_id, stock, process, wanted):
                    self._stocks.pop(study_id, None)  # the study is gone
                    stock.release()
                    return
        except SamplerDied as death:
            how = "hung" if isinstance(death.__cause__, TimeoutError) else "ended"
            log.warning("a sampler process %s; it is started again", how)
        finally:
            stock.is_fed = False
        if study_id in self._stocks:
            self._feed(study_id)

    async def _ask(
        self, study_id: int, stock: _Stock, process: SamplerProcess, wanted: _Wanted
    ) -> int:
        """Put what the process suggests into the stock; how many suggestions."""
        begin, made = time.monotonic(), 0
        stock.serial += _BATCH
        request = {
            "study_id": study_id,
            "count": wanted.count,
            "serial": stock.serial,
            "number": wanted.number,
            "pending": [asdict(suggestion) for suggestion in wanted.pending],
        }
        async for suggestion in process.ask(request):
            if made == 0 and wanted.replaces:
                stock.ready.clear()
            made += 1
            self._metrics.ask(suggestion.seconds)
            _deliver(stock, suggestion)
        if made:
            stock.seconds_each += 0.3 * ((time.monotonic() - begin) / made - stock.seconds_each)
        return made


@dataclass(frozen=True)
class _Wanted:
    """What to ask a process for: new points, or one for a waiting trial."""

    count: int
    pending: list[Suggestion] = field(default_factory=list)
    number: int | None = None
    replaces: bool = False  # those at hand


def _wanted(stock: _Stock) -> _Wanted | None:
    """The next request to the process, None where enough is there."""
    for number, futures in list(stock.numbered.items()):
        if any(not future.done() for future in futures):
            return _Wanted(1, number=number)
        del stock.numbered[number]
    waiting = sum(1 for future in stock.waiting if not future.done())
    target = stock.target(time.monotonic())
    is_outdated = waiting == 0 and target > 0 and stock.is_outdated
    have = 0 if is_outdated else len(stock.ready)
    count = min(_BATCH, waiting + target - have)
    if count <= 0:
        return None
    stock.handed = deque(s for s in stock.handed if not s.used)
    known = [] if stock.is_blind else [*stock.handed, *(() if is_outdated else stock.ready)]
    return _Wanted(count, known, replaces=is_outdated)


def _deliver(stock: _Stock, suggestion: Suggestion) -> None:
    if suggestion.error:
        stock.release(suggestion)
    elif suggestion.number is not None:
        for future in stock.numbered.get(suggestion.number, ()):
            if not future.done():
                future.set_result(suggestion)
                return
    elif not _hand_over(stock, suggestion):
        stock.ready.append(suggestion)


def _hand_over(stock: _Stock, suggestion: Suggestion) -> bool:
    while stock.waiting:
        future = stock.waiting.popleft()
        if not future.done():
            future.set_result(suggestion)
            stock.handed.append(suggestion)
            return True
    return False


def _finished(study: Study) -> int:
    return study.complete + study.pruned + study.fail
