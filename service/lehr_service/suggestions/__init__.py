"""Suggestions ready to be claimed: made in sampler processes, as many as recent demand."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Coroutine
from dataclasses import asdict
from typing import Any

from lehr_service.domain.study import Study
from lehr_service.metrics import Metrics
from lehr_service.search import Suggestion, is_stale, most_ahead
from lehr_service.suggestions.process import SamplerDied, SamplerProcess
from lehr_service.suggestions.stock import BATCH, Stock, Wanted, finished

log = logging.getLogger(__name__)

_WAIT_SECONDS = 10.0  # of a claim for a suggestion, before it looks elsewhere
_SMALL = 1000  # finished trials up to which a lane may ask while the process is starting
_SMALL_GP = 100  # the same for Gaussian processes, whose suggestions soon take seconds


class Suggestions:
    """The stocks of all studies. Used by the event loop only."""

    def __init__(
        self, settings: dict[str, Any], processes: int, metrics: Metrics | None = None
    ) -> None:
        self._metrics = metrics or Metrics()
        salted = settings | {"salt": secrets.randbits(31)}
        self.processes = [SamplerProcess(salted) for _ in range(processes)]
        self._stocks: dict[int, Stock] = {}
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
        return not process.is_ready and finished(study) <= small

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
        if not stock.hand_over(suggestion):
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

    def _stock(self, study_id: int) -> Stock:
        return self._stocks.setdefault(study_id, Stock())

    def _process(self, study_id: int) -> SamplerProcess:
        return self.processes[study_id % len(self.processes)]

    def _feed(self, study_id: int) -> None:
        """See to it that somebody fills the stock, if it needs to be."""
        stock, process = self._stocks[study_id], self._process(study_id)
        if process.is_given_up or not self._is_open:
            stock.release()
        elif not stock.is_fed and (not process.is_ready or stock.wanted() is not None):
            stock.is_fed = True
            self._run(self._fill(study_id, stock, process))

    async def _fill(self, study_id: int, stock: Stock, process: SamplerProcess) -> None:
        try:
            await process.warm()
            while (wanted := stock.wanted()) is not None:
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
        self, study_id: int, stock: Stock, process: SamplerProcess, wanted: Wanted
    ) -> int:
        """Put what the process suggests into the stock; how many suggestions."""
        begin, made = time.monotonic(), 0
        stock.serial += BATCH
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
            stock.deliver(suggestion)
        if made:
            stock.seconds_each += 0.3 * ((time.monotonic() - begin) / made - stock.seconds_each)
        return made
