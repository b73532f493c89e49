"""What several studies' lanes do to one another: one transaction on SQLite, and no more."""

import asyncio
import threading
from contextlib import contextmanager

import pytest
from sqlalchemy.exc import OperationalError

from lehr_service.errors import LimitReached, StudyDeleted, Unavailable
from lehr_service.lanes import Lanes
from lehr_service.storage import studies
from lehr_service.writes import Writes


@pytest.fixture
def ids(study_ids):
    return study_ids(5)


def count(desk):
    """Changes the study; what it answers is stored."""
    desk.change(epochs=desk.study.epochs + 1)
    return desk.study.epochs


def told(database, study_id):
    with database.read() as connection:
        return studies.by_id(connection, study_id).epochs


def at_once(database, acts):
    """The answers to acts by study, which all wait when the lanes' thread comes to them.

    And how many transactions were stored for them.
    """
    first, *_ = acts

    async def answers():
        lanes, may_go = Lanes(database, lease_seconds=30, queue_commands=100), threading.Event()
        begun = threading.Event()

        def hold(desk):
            begun.set()
            assert may_go.wait(30)

        holding = [asyncio.create_task(lanes.submit(first, hold))]
        await asyncio.to_thread(begun.wait, 30)
        waiting = [asyncio.create_task(lanes.submit(n, act)) for n, act in acts.items()]
        await asyncio.sleep(0)  # they are submitted now
        may_go.set()
        try:
            await asyncio.gather(*holding)
            found = await asyncio.gather(*waiting, return_exceptions=True)
        finally:
            await lanes.close()
        return found

    stored, take_turn = [], database.turn

    @contextmanager
    def turn(questions):
        with take_turn(questions) as taken:
            yield taken
        stored.append(questions)

    database.turn = turn
    return asyncio.run(answers()), len(stored) - 1


def test_on_sqlite_lanes_that_wait_are_of_one_transaction(database, ids):
    answers, stored = at_once(database, dict.fromkeys(ids, count))
    assert answers == [1] * 5
    assert [told(database, study_id) for study_id in ids] == [1] * 5
    assert stored == (1 if database.is_sqlite else 5)


def test_what_cannot_be_done_in_one_study_is_done_in_the_others(database, ids):
    def breaks(desk):
        count(desk)
        raise RuntimeError("an act that is wrong")

    answers, _ = at_once(database, dict.fromkeys(ids, count) | {ids[2]: breaks})
    assert str(answers.pop(2)) == "an act that is wrong"
    assert answers == [1] * 4
    assert [told(database, study_id) for study_id in ids] == [1, 1, 0, 1, 1]


def test_a_refusal_and_a_deleted_study_are_nobody_elses(database, ids):
    def refuse(desk):
        raise LimitReached("not now")

    with database.write() as connection:
        studies.remove(connection, ids[3])
    acts = dict.fromkeys(ids, count) | {ids[1]: refuse}
    answers, stored = at_once(database, acts)
    assert [type(answer) for answer in answers] == [int, LimitReached, int, StudyDeleted, int]
    assert stored == (1 if database.is_sqlite else 5)


def test_a_fault_answers_all_and_nothing_of_it_is_stored(database, ids):
    def fill_up(desk):
        raise OperationalError("", None, Exception("disk I/O error"))

    answers, stored = at_once(database, dict.fromkeys(ids, count) | {ids[4]: fill_up})
    assert type(answers[4]) is Unavailable
    if database.is_sqlite:
        assert [type(answer) for answer in answers] == [Unavailable] * 5
        assert stored == 0
    kept = [told(database, study_id) for study_id in ids]
    assert kept == [answer if isinstance(answer, int) else 0 for answer in answers]


def test_a_study_goes_on_after_the_others_failure(database, ids):
    """What a lane knows of its study is forgotten with what was undone."""

    def breaks(desk):
        raise RuntimeError("an act that is wrong")

    async def answers():
        lanes = Lanes(database, lease_seconds=30, queue_commands=100)
        try:
            await asyncio.gather(*(lanes.submit(n, count) for n in ids))
            acts = dict.fromkeys(ids, count) | {ids[0]: breaks}
            await asyncio.gather(
                *(lanes.submit(n, act) for n, act in acts.items()), return_exceptions=True
            )
            return await asyncio.gather(*(lanes.submit(n, count) for n in ids))
        finally:
            await lanes.close()

    assert asyncio.run(answers()) == [2, 3, 3, 3, 3]


def test_a_lane_goes_on_whatever_its_listener_does(database, ids):
    def changed(study_id, opened, study):
        raise RuntimeError("a listener that is wrong")

    async def answers():
        lanes = Lanes(database, lease_seconds=30, queue_commands=100, changed=changed)
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        try:
            async with asyncio.timeout(30):
                return [await lanes.submit(ids[0], count) for _ in range(3)]
        finally:
            await lanes.close()

    assert asyncio.run(answers()) == [1, 2, 3]


@pytest.mark.parametrize("kind", ["lanes", "writes"])
def test_closing_ends_where_a_thread_has_just_left(database, kind):
    """Python's gather answers at once where all is done, and nobody hears of it in between."""

    async def close():
        if kind == "lanes":
            closing = Lanes(database, lease_seconds=30, queue_commands=100)
        else:
            closing = Writes(database, wait_seconds=10)
        task = asyncio.get_running_loop().create_future()
        closing._tasks.add(task)
        task.add_done_callback(closing._tasks.discard)
        task.set_result(None)
        await closing.close()

    thread = threading.Thread(target=asyncio.run, args=(close(),), daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
