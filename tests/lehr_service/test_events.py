"""The event stream: complete, in order, and resumed without loss by whichever server."""

import itertools
import json
import random
import threading
from typing import NamedTuple

import pytest

EVENTS = "/v1/studies/study/events"


class Event(NamedTuple):
    id: str
    name: str
    data: dict


def read(http, count=None, last=None, **query):
    """Events until the stream ends, or the first ``count``; then the connection is cut."""
    headers = {} if last is None else {"Last-Event-ID": last}
    with http.stream("GET", EVENTS, params=query, headers=headers) as answer:
        assert answer.status_code in (200, 204), answer.read()
        return list(itertools.islice(events(answer.iter_lines()), count))


def events(lines):
    fields = {}
    for line in lines:
        if line:
            name, _, text = line.partition(": ")
            fields[name] = text
        elif "data" in fields:
            yield Event(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {}


def stored(http):
    trials = http.get("/v1/studies/study/trials?limit=1000").json()["items"]
    reports = {
        (trial["number"], report["attempt"], report["step"]): report
        for trial in trials
        for report in http.get(f"/v1/studies/study/trials/{trial['number']}/reports").json()
    }
    return trials, reports


def check(http, seen):
    """Nothing is missing, nothing came twice, and the last word on everything is the stored one."""
    trials, reports = stored(http)
    assert len({event.id for event in seen}) == len(seen)
    told = [event.data for event in seen if event.name == "report"]
    assert len(told) == len(reports)
    for report in told:
        key = report["trial"], report["attempt"], report["step"]
        assert {name: report[name] for name in reports[key]} == reports[key]
    last = {event.data["number"]: event.data for event in seen if event.name == "trial"}
    assert [last[trial["number"]] for trial in trials] == trials
    assert seen[-1].name == "study"
    assert seen[-1].data == http.get("/v1/studies/study").json()


def test_a_finished_study_is_told_from_its_beginning_to_its_end(
    serve, database_url, create, simulated
):
    http = serve(database_url=database_url).http
    create(http, limits={"max_trials": 3}, pruner={"name": "threshold", "lower": 0.2})
    worker = simulated(http)
    for value in (0.5, 0.1, 0.9):
        lease = worker.claim()
        if worker.report(lease, 0, value)["verdict"] == "continue":
            worker.complete(lease)
    told = read(http)
    check(http, told)
    verdicts = [event.data["verdict"] for event in told if event.name == "report"]
    assert verdicts == ["continue", "prune", "continue"]
    assert "0.2" in next(e.data["reason"] for e in told if e.data.get("verdict") == "prune")
    for position, event in enumerate(told):
        assert read(http, last=event.id) == told[position + 1 :]
    ended = http.get(EVENTS, headers={"Last-Event-ID": told[-1].id})
    assert (ended.status_code, ended.content) == (204, b"")
    middle = told[2].data.get("revision", 1)
    assert all(e.data.get("revision", 10**9) > middle for e in read(http, since_revision=middle))


def test_a_connection_cut_a_hundred_times_under_load_loses_nothing(
    serve, database_url, create, simulated
):
    servers = [serve(database_url=database_url)]
    if database_url.startswith("postgresql"):
        servers.append(serve(database_url=database_url))
    homes = itertools.cycle(server.http for server in servers)
    create(servers[0].http, limits={"max_trials": 40}, training={"epochs": 8})
    failures = []

    def work(http):
        try:
            worker = simulated(http)
            while (lease := worker.claim()) is not None:
                for step in range(8):
                    worker.report(lease, step, random.random())
                worker.complete(lease)
        except Exception as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(next(homes),)) for _ in range(3)]
    for worker in workers:
        worker.start()
    seen, last, cuts, draw = [], None, 0, random.Random(7)
    while not (seen and seen[-1].name == "study" and seen[-1].data["state"] == "completed"):
        assert not failures
        some = read(next(homes), draw.randint(1, 5), last)
        seen += some
        last, cuts = (some[-1].id if some else last), cuts + 1
    for worker in workers:
        worker.join()
    assert not failures
    assert cuts >= 100
    check(servers[0].http, seen)


def test_a_long_history_comes_in_chunks(serve, create, simulated, monkeypatch):
    http = serve().http
    create(http, limits={"max_trials": 5})
    worker = simulated(http)
    for _ in range(5):
        lease = worker.claim()
        worker.send(lease, "reports", reports=[{"step": s, "value": 0.5} for s in range(4)])
        worker.complete(lease)
    whole = read(http)
    from lehr_service.operations import events

    monkeypatch.setattr(events.following, "__defaults__", (3,))
    assert read(http) == whole
    check(http, whole)


def test_a_reader_hears_of_changes_as_they_come(serve, create, simulated):
    http = serve().http
    create(http)
    with http.stream("GET", EVENTS) as answer:
        told = events(answer.iter_lines())
        assert next(told).data["counts"]["running"] == 0
        lease = simulated(http).claim()
        assert [next(told).name, next(told).data["counts"]["running"]] == ["trial", 1]
        http.post("/v1/studies/study/cancel")
        names = [(event.name, event.data["state"]) for event in told]
    assert names == [("trial", "fail"), ("study", "cancelled")]
    assert lease["trial"]["number"] == 0


def test_another_study_of_the_same_name_is_told_from_its_beginning(serve, create):
    http = serve().http
    create(http)
    http.post("/v1/studies/study/cancel")
    old = read(http)[-1].id
    http.delete("/v1/studies/study")
    create(http, weight=2.0)
    assert read(http, 1, last=old)[0].data["definition"]["weight"] == 2.0


@pytest.mark.parametrize("wrong", ["x", "1", "1-2-3-4-5", "1-2-9-0-0-0", "1-2-1-0-0-9999999999"])
def test_an_id_that_no_event_has_is_refused(serve, create, wrong):
    http = serve().http
    create(http)
    answer = http.get(EVENTS, headers={"Last-Event-ID": wrong})
    assert (answer.status_code, answer.json()["error"]["fields"][0]["path"]) == (
        422,
        "Last-Event-ID",
    )


def test_a_study_that_is_deleted_or_a_server_that_leaves_ends_the_stream(serve, create):
    server = serve()
    create(server.http)
    assert server.http.get("/v1/studies/nothing/events").status_code == 404
    ended = threading.Event()

    def follow():
        with server.http.stream("GET", EVENTS) as answer:
            for _ in answer.iter_lines():
                pass
        ended.set()

    reader = threading.Thread(target=follow)
    reader.start()
    server.http.post("/v1/studies/study/cancel")
    server.http.delete("/v1/studies/study")
    reader.join(20)
    assert ended.is_set()
