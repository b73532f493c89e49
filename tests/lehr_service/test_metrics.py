"""What Prometheus reads, and whether the server is ready."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lehr_service.domain.attempt import Attempt
from lehr_service.figures.timeline import idle_share


def scraped(http):
    """Values by name and labels."""
    answer = http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_gauges_say_what_is_in_the_database(serve, create, simulated, database_url):
    server = serve(database_url=database_url, sampler_processes=0)
    create(server.http, limits={"max_trials": 10, "max_parallel": 4})
    create(server.http, name="other", task="elsewhere", limits={"max_trials": 2})
    worker = simulated(server.http)
    worker.run_one()
    worker.send(worker.claim(), "fail", outcome="error", message="no")
    worker.claim()
    found = scraped(server.http)
    trials = {state: found["lehr_trials", state] for state in ("running", "complete", "fail")}
    assert trials == {"running": 1, "complete": 1, "fail": 1}
    assert found["lehr_trials", "pruned"] == found["lehr_trials", "waiting"] == 0
    assert found["lehr_studies", "active"] == 2
    assert found["lehr_workers", "alive"] == 1
    assert found["lehr_workers", "draining"] == 0
    assert found["lehr_leases",] == 1
    assert found["lehr_waiting_trials",] == 3 + 2  # max_parallel leaves three, max_trials two
    assert found["lehr_database_up",] == 1
    assert 0 <= found["lehr_worker_idle_share",] <= 1


def test_counters_say_what_was_asked_and_how_it_was_stored(serve, create, simulated):
    server = serve(sampler_processes=0)
    create(server.http, sampler={"name": "tpe", "seed": 1})
    worker = simulated(server.http)
    for _ in range(3):
        lease = worker.claim()
        worker.report(lease, 0, 0.5)
        worker.complete(lease)
    server.http.get("/v1/studies/study/trials/0")
    server.http.get("/v1/studies/study/trials/1")
    server.http.get("/v1/studies/nothing")
    server.http.get("/no/such/path")
    server.http.get("/neither/this")
    found = scraped(server.http)

    def requests(*labels):
        return found[("lehr_http_request_seconds_count", *sorted(labels))]

    assert requests("POST", "/v1/attempts/{token}/reports", "200") == 3
    assert requests("GET", "/v1/studies/{name}/trials/{number}", "200") == 2
    assert requests("GET", "/v1/studies/{name}", "404") == 1
    assert requests("GET", "none", "404") == 2
    commands = found["lehr_lane_batch_commands_sum",]
    assert commands == found["lehr_lane_wait_seconds_count",] >= 9
    assert found["lehr_ask_seconds_count",] == 3
    assert found["lehr_database_faults_total",] == 0


def test_the_time_of_suggestions_comes_from_the_sampler_process(serve, create, simulated, wait_for):
    server = serve(sampler_processes=1)
    create(server.http, sampler={"name": "tpe", "n_startup_trials": 1})
    worker = simulated(server.http)
    process = server.app.state.server.suggestions.processes[0]
    worker.run_one()
    wait_for(lambda: process.is_ready)

    def asks():
        return worker.run_one() and scraped(server.http)["lehr_ask_seconds_count",] >= 3

    wait_for(asks)


def test_a_scrape_of_large_studies_counts_no_trials(large_study):
    found = scraped(large_study)
    assert found["lehr_trials", "complete"] == 28_000
    assert found["lehr_studies", "completed"] == 3


def attempt(worker, start, end):
    return Attempt("t", 1, 0, 1, worker, None, start, finished_at=end)


def test_the_idle_share_is_of_devices_in_the_window():
    workers = {"a": (0.0, 1), "b": (150.0, 2)}  # 100 s of one device, 50 s of two
    attempts = [
        attempt("a", 50.0, 125.0),  # 25 s in the window
        attempt("a", 175.0, None),  # 25 s so far
        attempt("b", 150.0, None),  # 50 s of one of its devices
        attempt("gone", 100.0, 200.0),
    ]
    assert idle_share(attempts, workers, since=100.0, now=200.0) == pytest.approx(0.5)
    assert idle_share([], workers, since=100.0, now=200.0) == 1.0
    assert idle_share(attempts, {}, since=100.0, now=200.0) is None


def test_a_server_that_stops_is_not_ready(serve):
    server = serve()
    assert server.http.get("/readyz").json() == {"status": "ready"}
    server.app.state.server.changes.end()
    refused = server.http.get("/readyz")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.json()["error"]["message"] == "the server is stopping"
    assert server.http.get("/healthz").status_code == 200


def test_who_asks_often_whether_it_is_ready_costs_little(serve):
    server = serve()
    looks = []
    database = server.app.state.server.database
    look, database.problem = database.problem, lambda: looks.append(1) or look()
    for _ in range(20):
        assert server.http.get("/readyz").status_code == 200
    assert len(looks) <= 5
