"""What the server's records are about, and the id of each request."""

import logging

import pytest

from lehr import logs


@pytest.fixture
def records(caplog):
    """The facts of each record as its formatter saw them, with the message."""
    found = []

    class Facts(logging.Handler):
        def emit(self, record):
            found.append((record.getMessage(), dict(logs._facts(record))))

    handler = Facts()
    root = logging.getLogger()
    root.addHandler(handler)
    caplog.set_level(logging.DEBUG, logger="lehr_service")
    yield found
    root.removeHandler(handler)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("abc-123", True), ("a" * 128, True), ("a" * 129, False), ("a b", False), ("é", False)],
)
def test_a_sane_request_id_is_kept_and_another_one_replaced(serve, sent, kept):
    answer = serve().http.get("/healthz", headers={"X-Request-ID": sent.encode()})
    assert (answer.headers["X-Request-ID"] == sent) is kept
    assert answer.headers["X-Request-ID"]


def test_every_answer_has_a_request_id_of_its_own(serve):
    http = serve().http
    paths = ("/healthz", "/v1/studies/none", "/no/such/path", "/docs", "/v1/studies?x=1")
    ids = [http.get(path).headers["X-Request-ID"] for path in paths]
    ids.append(http.post("/v1/studies", content=b"{").headers["X-Request-ID"])
    assert len(set(ids)) == len(ids)


def test_an_unexpected_error_is_answered_in_form_and_logged_with_its_request(serve, records):
    server = serve()

    def broken(_connection):
        raise RuntimeError("broken on purpose")

    here = server.app.state.server
    read, here.read = here.read, broken
    answer = server.http.get("/v1/studies", headers={"X-Request-ID": "the-one"})
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (500, "the-one")
    assert answer.json()["error"]["code"] == "internal"
    assert "purpose" not in answer.text
    assert ("an unexpected error", {"request": "the-one"}) in records
    here.read = read
    assert 'status="500"' in server.http.get("/metrics").text


def test_a_refused_number_of_any_length_has_its_record(serve, create, records, caplog):
    caplog.set_level(logging.INFO, logger="lehr.audit")
    http = serve().http
    create(http)
    for number in ("9" * 5000, "1" * 11, "x"):
        answer = http.post(f"/v1/studies/study/trials/{number}/stop")
        assert answer.status_code == 422
        facts = next(f for m, f in reversed(records) if f.get("method") == "POST")
        assert (facts["status"], facts["trial"]) == (422, None)


def test_records_name_study_trial_and_attempt(serve, create, simulated, records, wait_for):
    server = serve(lease_seconds=30)
    create(server.http, limits={"max_trials": 1})
    worker = simulated(server.http)
    lease = worker.claim()
    worker.send(lease, "reports", reports=[{"step": 0, "value": 0.5}])
    about = {n: f for m, f in records if m == "answered" for n in [f["route"]]}
    assert about["/v1/attempts/{token}/reports"]["token"] == lease["token"][:12]
    assert lease["token"] not in str(records)
    assert about["/v1/workers/{worker_id}/claim"]["worker"] == worker.id
    server.http.get("/v1/studies/study/trials/0")
    _, facts = records[-1]
    assert (facts["study"], facts["trial"], facts["status"]) == ("study", 0, 200)
    server.clock.advance(31)
    wait_for(lambda: any("not heard of" in message for message, _ in records))
    worker = simulated(server.http)
    worker.complete(worker.claim(wait=20), value=0.5)
    ended = [facts for message, facts in records if message.startswith("the study is completed")]
    assert ended[0]["study"] == "study"


def test_a_refused_write_names_its_study(serve, create, simulated, records, monkeypatch):
    server = serve()
    create(server.http)
    worker = simulated(server.http)
    lease = worker.claim()

    def broken(*_arguments):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("lehr_service.operations.trials._judge", broken)
    answer = worker.send(lease, "reports", reports=[{"step": 0, "value": 0.5}])
    assert answer.status_code == 500
    message = "an unexpected error; nothing was stored"
    assert [facts for text, facts in records if text == message] == [{"study_id": 1}]
