"""Writes beside the lanes: who reads never waits for them, and on SQLite they share commits."""

import asyncio
import sqlite3
import threading
import uuid

import httpx
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from lehr_service.errors import Unavailable
from lehr_service.storage.session import Database
from lehr_service.writes import Writes

MANY = 30


def beats(url, workers, answers):
    """Threads that send a heartbeat each."""

    def beat(worker):
        answer = httpx.post(f"{url}/v1/workers/{worker}/heartbeat", json={}, timeout=30)
        answers.append((worker, answer.status_code))

    threads = [threading.Thread(target=beat, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    return threads


def test_while_the_writer_is_busy_reads_are_answered_and_writes_gather(
    serve, create, simulated, tmp_path, wait_for
):
    server = serve(database_url=f"sqlite:///{tmp_path / 'lehr.db'}")
    create(server.http)
    known = [simulated(server.http).id for _ in range(MANY)]
    here, commits = server.app.state.server, []
    event.listen(here.database._writer, "commit", commits.append)
    other = sqlite3.connect(tmp_path / "lehr.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers = []
    threads = beats(server.url, [stranger := uuid.uuid4().hex], answers)
    try:
        wait_for(lambda: here.writes._free == 0)
        threads += beats(server.url, known, answers)
        wait_for(lambda: len(here.beats._next) == MANY)
        assert server.http.get("/healthz").status_code == 200
        assert server.http.get("/v1/studies/study").status_code == 200
        assert answers == commits == []
    finally:
        other.execute("ROLLBACK")
        other.close()
        for thread in threads:
            thread.join()
    assert sorted(answers) == sorted([(stranger, 404), *((worker, 200) for worker in known)])
    assert len(commits) <= 4, "one for the first, one for the rest, and a sweep meanwhile"


def test_a_write_that_cannot_be_done_fails_alone(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'lehr.db'}")
    database.migrate()

    def impossible(connection):
        connection.execute(text("INSERT INTO nowhere VALUES (1)"))

    def worker(connection):
        return connection.execute(text("SELECT count(*) FROM workers")).scalar_one()

    async def write():
        writes = Writes(database, 10.0)
        acts = [worker, impossible, worker, impossible, worker]
        answers = [writes.submit(act) for act in acts]
        found = await asyncio.gather(*answers, return_exceptions=True)
        await writes.close()
        return found

    found = asyncio.run(write())
    database.close()
    assert [type(each) for each in found] == [int, OperationalError, int, OperationalError, int]


def test_while_the_database_is_locked_for_long_all_hear_of_it_at_once(tmp_path):
    """Each by itself would wait as long again."""
    file = tmp_path / "lehr.db"
    database = Database(f"sqlite:///{file}", wait_seconds=0.2)
    database.migrate()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    tried = []
    event.listen(database._writer, "begin", lambda connection: tried.append(connection))

    async def write():
        writes = Writes(database, 1000.0)
        answers = [writes.submit(lambda c: None) for _ in range(MANY)]
        found = await asyncio.gather(*answers, return_exceptions=True)
        late = Writes(database, -1.0)
        found.append(*await asyncio.gather(late.submit(lambda c: None), return_exceptions=True))
        await writes.close()
        await late.close()
        return found

    *found, late = asyncio.run(write())
    other.close()
    database.close()
    assert {type(each) for each in found} == {OperationalError}
    assert len(tried) <= 2
    assert type(late) is Unavailable
