"""What is taken home is what was there; Optuna opens its file."""

import contextlib
import csv
import io
import math
import sqlite3
import threading
import time

import httpx
import optuna
import optuna_dashboard
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from lehr_service.operations import exports

EXPORT = "/v1/studies/study/export"
SPACE = {
    "optimizer": {
        "sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": True}},
        "adam": {"learning_rate": {"low": 1e-5, "high": 0.1, "log": True}},
    },
    "schedule": {
        "constant": {},
        "piecewise_constant": {"boundaries": [[0.5], [0.25]], "factors": [1, 0.1]},
    },
    "parameters": {"units": {"low": 8, "high": 64, "step": 8, "int": True}},
}


@pytest.fixture
def http(serve, database_url, create, simulated):
    """A study with trials in every state."""
    http = serve(database_url=database_url).http
    create(http, search_space=SPACE, pruner={"name": "threshold", "lower": 0.05})
    worker = simulated(http)
    for value in (0.5, 0.7, 0.0, 0.6):
        lease = worker.claim()
        reports = [{"step": s, "value": value, "learning_rate": 0.1} for s in range(3)]
        if worker.send(lease, "reports", reports=reports).json()["verdict"] == "continue":
            worker.complete(lease, metrics={"val_loss": 1 - value})
    worker.send(worker.claim(), "fail", outcome="error", message="boom")
    worker.report(worker.claim(), 0, None)
    worker.report(worker.claim(), 0, 0.25)
    http.post("/v1/studies/study/trials", json={"params": {"optimizer": "sgd"}})
    return http


def trials(http, name="study"):
    return http.get(f"/v1/studies/{name}/trials?limit=1000").json()["items"]


@pytest.fixture
def opened(tmp_path):
    """Exports a study and opens it with Optuna."""
    with contextlib.ExitStack() as stack:

        def export(http, name="study"):
            answer = http.get(f"/v1/studies/{name}/export", params={"format": "optuna"})
            assert answer.status_code == 200
            assert f'filename="{name}.db"' in answer.headers["content-disposition"]
            (tmp_path / "study.db").write_bytes(answer.content)
            storage = RDBStorage(f"sqlite:///{tmp_path / 'study.db'}")
            stack.callback(storage.engine.dispose)
            return optuna.load_study(study_name=name, storage=storage)

        yield export


def test_optuna_opens_what_was_exported(http, opened):
    study, here = opened(http), trials(http)
    assert study.metric_names == ["val_accuracy"]
    assert [trial.number for trial in study.trials] == [trial["number"] for trial in here]
    for theirs, ours in zip(study.trials, here, strict=True):
        assert theirs.state == TrialState[ours["state"].upper()]
        if theirs.state != TrialState.WAITING:
            assert theirs.params == {
                k: v if not isinstance(v, list) else str(v) for k, v in ours["params"].items()
            }
            assert theirs.user_attrs["lehr:worker"] == "worker"
            started = theirs.datetime_start.astimezone().timestamp()
            assert started == pytest.approx(time.time(), abs=600)
        if theirs.state == TrialState.COMPLETE:
            assert theirs.value == ours["value"]
            assert theirs.user_attrs["metric:val_loss"] == pytest.approx(1 - ours["value"])
        reports = http.get(f"/v1/studies/study/trials/{ours['number']}/reports").json()
        assert {s: None if math.isnan(v) else v for s, v in theirs.intermediate_values.items()} == {
            report["step"]: report["value"] for report in reports
        }
    best = http.get("/v1/studies/study/best").json()
    assert (study.best_trial.number, study.best_value) == (best["number"], best["value"])
    assert [t.state.name for t in study.trials].count("PRUNED") == 1


def test_optuna_dashboard_shows_what_was_exported(http, opened):
    study, here = opened(http), trials(http)
    app = optuna_dashboard.wsgi(study._storage)
    transport = httpx.WSGITransport(app=app)
    with httpx.Client(transport=transport, base_url="http://dashboard") as dashboard:
        (summary,) = dashboard.get("/api/studies").json()["study_summaries"]
        assert (summary["study_name"], summary["directions"]) == ("study", ["maximize"])
        shown = dashboard.get(f"/api/studies/{summary['study_id']}").json()
    assert shown["has_intermediate_values"]
    for theirs, ours in zip(shown["trials"], here, strict=True):
        assert theirs["state"].lower() == ours["state"]
        if ours["state"] == "complete":
            assert theirs["values"] == [ours["value"]]
            assert {p["name"] for p in theirs["params"]} == ours["params"].keys()
    finished = {"complete", "pruned", "fail"}
    assert {trial["state"] for trial in here} > finished


def test_optuna_searches_on_from_what_was_exported(http, opened):
    study = opened(http)
    study.sampler = optuna.samplers.TPESampler(seed=1, n_startup_trials=1)
    asked = study.ask()
    assert asked.params == {}
    assert asked.suggest_categorical("optimizer", ["sgd", "adam"]) == "sgd", "as it was enqueued"


def test_several_objectives_are_exported(serve, create, simulated, opened):
    http = serve().http
    goals = [
        {"metric": "accuracy", "direction": "maximize"},
        {"metric": "size", "direction": "minimize"},
    ]
    create(http, objective=None, objectives=goals)
    worker = simulated(http)
    for values in ([0.5, 10], [0.9, 20], [0.4, 30]):
        worker.complete(worker.claim(), values=values)
    study = opened(http)
    assert [trial.values for trial in study.trials] == [[0.5, 10], [0.9, 20], [0.4, 30]]
    assert {trial.number for trial in study.best_trials} == {0, 1}
    rows = list(csv.DictReader(io.StringIO(http.get(EXPORT, params={"format": "csv"}).text)))
    assert [(row["accuracy"], row["size"]) for row in rows] == [
        ("0.5", "10.0"),
        ("0.9", "20.0"),
        ("0.4", "30.0"),
    ]


def test_csv_has_a_row_a_trial_and_a_column_a_parameter(http):
    answer = http.get(EXPORT, params={"format": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    for row, trial in zip(rows, trials(http), strict=True):
        assert int(row["number"]) == trial["number"]
        assert row["state"] == trial["state"]
        assert row["value"] == ("" if trial["value"] is None else repr(trial["value"]))
        rate = trial["params"].get("sgd.learning_rate")
        assert row["params.sgd.learning_rate"] == ("" if rate is None else repr(rate))


def test_json_has_all_there_is(http):
    whole = http.get(EXPORT).json()
    assert whole["study"] == http.get("/v1/studies/study").json()
    assert [trial["number"] for trial in whole["trials"]] == list(range(len(trials(http))))
    for trial in whole["trials"]:
        url = f"/v1/studies/study/trials/{trial['number']}"
        assert trial == http.get(url).json() | {"reports": http.get(f"{url}/reports").json()}


def test_what_cannot_be_exported_is_refused(http):
    answer = http.get(EXPORT, params={"format": "xml"})
    assert (answer.status_code, answer.json()["error"]["fields"][0]["path"]) == (422, "format")
    assert http.get("/v1/studies/no/export").status_code == 404


def test_ten_thousand_trials_are_exported(large_study, tmp_path, opened):
    study = opened(large_study, "large")
    best = large_study.get("/v1/studies/large/best").json()
    assert study.best_value == best["value"]
    with contextlib.closing(sqlite3.connect(tmp_path / "study.db")) as file:
        for table, rows in (("trials", 10_000), ("trial_intermediate_values", 20_000)):
            assert file.execute(f"SELECT count(*) FROM {table}").fetchone() == (rows,)


def test_exports_that_take_long_keep_nobody_else_waiting(
    serve, create, simulated, monkeypatch, wait_for
):
    server = serve(database_wait_seconds=2)
    create(server.http)
    worker = simulated(server.http)
    gate, begun, write = threading.Event(), [], exports.write

    def slowly(*given):
        begun.append(given)
        gate.wait(30)
        write(*given)

    monkeypatch.setattr(exports, "write", slowly)
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(server.http.get(EXPORT).status_code))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: begun)
    assert server.http.get("/v1/studies/study").status_code == 200
    assert worker.claim() is not None
    gate.set()
    for thread in threads:
        thread.join(30)
    assert answers == [200] * 10
