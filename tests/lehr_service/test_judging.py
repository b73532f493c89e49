"""Judged by averaged weights, worth what the metric says; what pruning saved and missed."""

from __future__ import annotations

import pytest

SHAPES = {
    "optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": True}}},
    "schedule": {"constant": {}, "cosine": {}},
}
ONE_SHAPE = {"optimizer": SHAPES["optimizer"]}
METRIC = {"metric": "val_accuracy", "direction": "maximize"}


@pytest.fixture
def server(serve):
    return serve()


@pytest.mark.parametrize(
    ("space", "judge", "ema", "leased"),
    [
        (SHAPES, "auto", None, (0.99, "auto")),
        (SHAPES, "ema", 0.9, (0.9, "ema")),
        (SHAPES, "raw", None, (None, "raw")),
        (SHAPES, "raw", 0.9, (0.9, "raw")),
        (ONE_SHAPE, "auto", None, (None, "raw")),
        (ONE_SHAPE, "ema", None, (0.99, "ema")),
    ],
)
def test_a_lease_says_by_which_weights(server, create, simulated, space, judge, ema, leased):
    training = {"epochs": 4} | ({} if ema is None else {"ema": ema})
    create(server.http, search_space=space, objective=METRIC | {"judge": judge}, training=training)
    lease = simulated(server.http).claim()
    assert (lease["training"]["ema"], lease["objective"]["judge"]) == leased
    assert lease["objectives"][0]["judge"] == leased[1]


def reported(worker, lease, *pairs):
    reports = [
        {"step": step, "value": judged, "metrics": {"val_accuracy": raw}}
        for step, (judged, raw) in enumerate(pairs)
    ]
    assert worker.send(lease, "reports", reports=reports).status_code == 200


@pytest.mark.parametrize(
    ("judge", "select", "value"),
    [("ema", "last", 0.5), ("ema", "best", 0.6), ("raw", "last", 0.8), ("raw", "best", 0.9)],
)
def test_a_trial_is_worth_what_the_study_asks_for(server, create, simulated, judge, select, value):
    create(
        server.http, objective=METRIC | {"judge": judge, "select": select}, pruner={"name": "none"}
    )
    worker = simulated(server.http)
    lease = worker.claim()
    reported(worker, lease, (0.9, 0.6), (0.8, 0.5))
    assert worker.complete(lease)["value"] == value


def test_a_final_metric_that_is_no_number_is_a_divergence(server, create, simulated):
    create(server.http, objective=METRIC | {"judge": "ema"}, pruner={"name": "none"})
    worker = simulated(server.http)
    lease = worker.claim()
    reported(worker, lease, (0.9, 0.6), (0.8, None))
    assert worker.complete(lease)["reason"] == "diverged"


def forecast(**options):
    return {"name": "forecast", "n_min": 1, "alpha": 0.5, "dominance": "off"} | options


def play(server, simulated, *curves):
    """Trials one after the other, each until it is pruned or trained; what each heard last."""
    worker, verdicts = simulated(server.http), []
    for curve in curves:
        lease = worker.claim()
        for step, value in enumerate(curve):
            verdict = worker.report(lease, step, value)
            if verdict["verdict"] == "prune":
                break
        else:
            worker.complete(lease)
        verdicts.append(verdict)
    return verdicts


BEST, HOPELESS, LUCKY = [0.2, 0.4, 0.6, 0.8], [0.1, 0.1, 0.1, 0.1], [0.1, 0.5, 0.7, 0.9]


def test_a_study_says_what_pruning_saved(server, create, simulated):
    create(server.http, pruner=forecast())
    assert server.http.get("/v1/studies/study").json()["pruning"]["missed"] is None
    _, pruned = play(server, simulated, BEST, HOPELESS)
    assert pruned["reason"] == (
        "forecast: at 25% 0.1; even with the gain of the luckiest 50% (0.6) it stays under "
        "the best final 0.8"
    )
    assert server.http.get("/v1/studies/study").json()["pruning"] == {
        "pruned": 1,
        "epochs_saved": 3,
        "share_saved": 3 / 8,
        "missed": 0.5,
        "missed_from": "conformal level",
        "audited": 0,
    }
    assert server.http.get("/v1/studies").json()["items"][0]["pruning"]["pruned"] == 1


def test_an_audit_counts_what_pruning_would_have_missed(serve, create, simulated, database_url):
    server = serve(database_url=database_url)
    create(server.http, pruner=forecast(audit=1.0))
    _, *audited = play(server, simulated, BEST, HOPELESS, LUCKY)
    assert [verdict["verdict"] for verdict in audited] == ["continue"] * 2
    reports = server.http.get("/v1/studies/study/trials/1/reports").json()
    assert len(reports) == 4
    pruning = server.http.get("/v1/studies/study").json()["pruning"]
    assert (pruning["missed"], pruning["missed_from"], pruning["audited"]) == (0.5, "audit", 2)
    assert pruning["pruned"] == 0


def test_other_pruners_promise_nothing(server, create, simulated):
    create(server.http, pruner={"name": "threshold", "lower": 0.15})
    play(server, simulated, BEST, HOPELESS)
    pruning = server.http.get("/v1/studies/study").json()["pruning"]
    assert (pruning["epochs_saved"], pruning["missed"], pruning["missed_from"]) == (3, None, None)
