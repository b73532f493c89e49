"""Requests of one kind that come together: who shares an answer's transaction with whom."""

import asyncio

import pytest

from lehr_service.api import together
from lehr_service.api.together import Together


class Slow:
    """Answers in capitals, each batch once it is let go; an exclamation mark is refused."""

    def __init__(self):
        self.asked, self._gates = [], []
        self.ask = Together(self._answer)

    async def _answer(self, questions):
        self._gates.append(asyncio.Event())
        await self._gates[-1].wait()
        self.asked.append(list(questions))
        if "!" in questions:
            raise LookupError("!")
        return [question.upper() for question in questions]

    async def begun(self, batches):
        while len(self._gates) < batches:
            await asyncio.sleep(0)

    async def let_go(self, batch):
        await self.begun(batch)
        self._gates[batch - 1].set()


def asking(slow, questions):
    return [asyncio.create_task(slow.ask(question)) for question in questions]


def test_what_comes_while_one_is_answered_is_the_next():
    async def scene():
        slow = Slow()
        first = asking(slow, "ab")
        await slow.begun(1)
        later = asking(slow, "cac")
        await slow.let_go(1)
        await slow.let_go(2)
        return slow.asked, await asyncio.gather(*first, *later)

    asked, answers = asyncio.run(scene())
    assert asked == [["a", "b"], ["c", "a", "c"]]
    assert answers == ["A", "B", "C", "A", "C"]


def test_an_error_is_everybodys_in_its_batch_and_nobody_elses():
    async def scene():
        slow = Slow()
        tasks = asking(slow, "a")
        await slow.begun(1)
        tasks += asking(slow, "b!")
        await slow.let_go(1)
        await slow.begun(2)
        tasks += asking(slow, "c")
        await slow.let_go(2)
        await slow.let_go(3)
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(scene())
    assert [str(answer) for answer in answers] == ["A", "!", "!", "C"]


def test_a_client_that_goes_away_takes_nobodys_answer_with_it():
    async def scene():
        slow = Slow()
        tasks = asking(slow, "abc")
        await slow.begun(1)
        tasks[0].cancel()
        await slow.let_go(1)
        return await asyncio.gather(*tasks, return_exceptions=True)

    gone, *others = asyncio.run(scene())
    assert isinstance(gone, asyncio.CancelledError)
    assert others == ["B", "C"]


@pytest.mark.parametrize("count", [4, 9])
def test_a_batch_is_bounded(monkeypatch, count):
    monkeypatch.setattr(together, "_MOST", 4)

    async def scene():
        slow = Slow()
        tasks = asking(slow, "x" * count)
        for batch in range(1, -(-count // 4) + 1):
            await slow.let_go(batch)
        return slow.asked, await asyncio.gather(*tasks)

    asked, answers = asyncio.run(scene())
    assert [len(batch) for batch in asked] == [4] * (count // 4) + [count % 4] * (count % 4 > 0)
    assert answers == ["X"] * count
