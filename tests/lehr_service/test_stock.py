"""How many suggestions are made ahead, and which of them a claim gets."""

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from lehr.wire.studies import StudyDefinition
from lehr_service.operations.studies import new_study
from lehr_service.search import Suggestion
from lehr_service.suggestions import Suggestions
from lehr_service.suggestions.stock import Stock


@pytest.fixture
def study(definition):
    drawn = definition(sampler={"name": "tpe", "ask_ahead": 20, "stale_after": 3})
    study = new_study(StudyDefinition.model_validate(drawn), 0.0)
    return replace(study, id=1, running=4, complete=10)


@pytest.fixture
def kept(study):
    """Suggestions with a stock of one study, whose process is never asked."""
    suggestions = Suggestions({}, processes=1)
    suggestions.processes[0].is_ready = True
    suggestions._stocks[1] = Stock(study=study)
    return suggestions


def made(finished=10):
    return Suggestion({"x": 1.0}, finished=finished)


def test_nothing_is_made_ahead_that_nobody_asked_for(study):
    assert Stock(study=study).wanted() is None


@pytest.mark.parametrize(
    ("claims", "seconds_each", "expected"),
    [(1, 0.01, 1), (100, 0.01, 3), (100, 0.2, 9), (1000, 0.5, 20)],
)
def test_as_many_are_ready_as_are_claimed_meanwhile(study, claims, seconds_each, expected):
    stock, now = Stock(study=study, seconds_each=seconds_each), time.monotonic()
    stock.claimed_at.extend([now] * claims)
    assert stock.target(now + 4.9) == expected
    assert stock.target(now + 5.1) == 0


@pytest.mark.parametrize(
    ("claims", "running", "expected"),
    [(1, 16, 1), (25, 16, 2), (50, 16, 4), (50, 4, 2), (250, 16, 6), (250, 64, 10)],
)
def test_more_are_ready_where_claims_may_come_together(study, claims, running, expected):
    """At a claim a second, 5, 10 and 50, when each suggestion takes 10 ms."""
    stock, now = Stock(study=replace(study, running=running)), time.monotonic()
    stock.claimed_at.extend([now] * claims)
    assert stock.target(now) == expected


def test_a_claim_gets_the_oldest_that_is_fresh(kept):
    fresh = made(7)
    kept._stocks[1].ready.extend([made(6), fresh, made(9)])
    assert kept.ready(1) is fresh
    assert len(kept._stocks[1].ready) == 1


def test_what_a_claim_did_not_need_goes_to_the_next(kept):
    suggestion = made()
    kept._stocks[1].ready.append(suggestion)
    assert kept.ready(1) is suggestion
    kept.give_back(1, suggestion)
    assert kept.ready(1) is suggestion
    suggestion.used = True
    kept.give_back(1, suggestion)
    assert kept.ready(1) is None


def test_what_is_under_way_counts_as_pending_until_it_is_stored(kept):
    stock = kept._stocks[1]
    first, second = made(), made()
    stock.ready.extend([first, second])
    kept.ready(1)
    stock.claimed_at.extend([time.monotonic()] * 200)
    assert stock.wanted().pending == [first, second]
    first.used = True
    assert stock.wanted().pending == [second]


def test_old_ones_are_replaced_where_nobody_waits(kept):
    stock = kept._stocks[1]
    stock.ready.append(made(finished=7))  # more than half of the four that run have finished since
    stock.claimed_at.append(time.monotonic())
    wanted = stock.wanted()
    assert (wanted.replaces, wanted.pending, wanted.count) == (True, [], 1)


def test_who_waits_is_let_go_when_the_study_ends(kept, study):
    async def wait():
        stock = kept._stocks[1]
        future = asyncio.get_running_loop().create_future()
        stock.waiting.append(future)
        kept.note(replace(study, state=study.state.CANCELLED))
        return await future

    assert asyncio.run(wait()).used


def children():
    return set(Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split())


def test_no_process_is_started_for_what_ends_after_the_server_has_left(kept, study):
    async def left():
        before = children()
        await kept.close()
        kept.note(study)  # a lane finishes what is queued
        await asyncio.sleep(0.0)
        assert children() == before
        assert asyncio.all_tasks() == {asyncio.current_task()}

    uvloop.run(left())


def test_who_fills_the_stock_of_a_study_that_is_over_leaves_with_the_server(study):
    async def left():
        suggestions, before = Suggestions({}, processes=1), children()
        suggestions.note(study)
        await asyncio.sleep(0.0)
        suggestions.note(replace(study, state=study.state.CANCELLED))
        await suggestions.close()
        assert children() == before
        assert asyncio.all_tasks() == {asyncio.current_task()}

    uvloop.run(left())


@pytest.mark.parametrize("turns", range(8))
def test_a_process_that_is_starting_as_the_server_leaves_is_waited_for(turns):
    """Otherwise it may end after the loop, which cannot take that."""

    async def started_and_left():
        suggestions = Suggestions({}, processes=1)
        before = children()
        suggestions.begin()
        for _ in range(turns):
            await asyncio.sleep(0)
        await suggestions.close()
        assert children() == before

    uvloop.run(started_and_left())
