"""Every kind of figure of studies without trials, with one, with all that can happen, with many."""

import json
import subprocess
import sys
import time
from typing import get_args

import plotly.graph_objects as go
import pytest

from lehr_service.figures.curves import thinned
from lehr_service.operations.plots import Kind

KINDS = get_args(Kind)
SPACE = {
    "optimizer": {
        "sgd": {
            "learning_rate": {"low": 0.001, "high": 1.0, "log": True},
            "nesterov": [True, False],
        },
        "adam": {"learning_rate": {"low": 1e-5, "high": 0.1, "log": True}, "beta_1": [0.8, 0.9]},
    },
    "schedule": {
        "constant": {},
        "cosine": {"alpha": {"low": 0.0, "high": 0.1}},
        "piecewise_constant": {
            "boundaries": [[0.5, 0.75], [0.3, 0.6]],
            "factors": [1.0, 0.1, 0.01],
        },
    },
    "parameters": {"batch_size": [32, 64], "units": {"low": 8, "high": 64, "int": True}},
}
SEVERAL = {
    "objective": None,
    "objectives": [
        {"metric": "val_accuracy", "direction": "maximize"},
        {"metric": "size", "direction": "minimize"},
    ],
}


def plot(http, kind, name="study", **query):
    answer = http.get(f"/v1/studies/{name}/plots/{kind}", params=query)
    assert answer.status_code == 200, answer.text
    return go.Figure(answer.json())  # raises where Plotly does not know a property


def message(figure):
    assert not figure.data
    return figure.layout.annotations[0].text


@pytest.fixture
def http(serve):
    return serve().http


@pytest.fixture
def eventful(http, create, simulated):
    """A conditional space; trials that are complete, pruned, failed, diverged, running, waiting."""
    create(http, search_space=SPACE, pruner={"name": "threshold", "lower": 0.05})
    worker = simulated(http)
    for number in range(12):
        lease = worker.claim()
        for step in range(3):
            report = {
                "step": step,
                "value": 0.1 * (number + step),
                "learning_rate": 0.1 / (step + 1),
            }
            if worker.send(lease, "reports", reports=[report]).json()["verdict"] != "continue":
                break
        else:
            worker.complete(lease)
    worker.send(worker.claim(), "fail", outcome="error", message="boom")
    lease = worker.claim()
    worker.report(lease, 0, None)
    running = worker.claim()
    worker.report(running, 0, 0.4)
    http.post("/v1/studies/study/trials", json={"params": {"optimizer": "sgd"}})
    return http


def test_every_kind_of_an_eventful_study(eventful):
    for kind in KINDS:
        figure = plot(eventful, kind)
        if kind == "pareto_front":
            assert "two or three objectives" in message(figure)
        else:
            assert figure.data, kind


def test_a_study_without_trials_and_one_with_one_say_what_is_missing(http, create, simulated):
    create(http)
    for kind in KINDS:
        assert message(plot(http, kind)).startswith(("no trial", "a Pareto")), kind
    worker = simulated(http)
    lease = worker.claim()
    worker.report(lease, 0, 0.5)
    worker.complete(lease)
    drawn = {kind: plot(http, kind) for kind in KINDS}
    missing = {kind: message(figure) for kind, figure in drawn.items() if not figure.data}
    assert missing.keys() == {"contour", "importances", "pareto_front"}
    assert "two parameters" in missing["contour"]
    assert "two complete trials" in missing["importances"]


def test_history_and_slices_hold_what_the_trials_hold(eventful):
    trials = eventful.get("/v1/studies/study/trials?state=complete").json()["items"]
    values = {trial["number"]: trial["value"] for trial in trials}
    points = plot(eventful, "history").data[0]
    assert dict(zip(points.x, points.y, strict=True)) == pytest.approx(values)
    shares = plot(eventful, "edf").data[0]
    assert list(shares.x)[1:] == pytest.approx(sorted(values.values()))
    assert list(shares.y) == pytest.approx([i / len(values) for i in range(len(values) + 1)])
    slices = plot(eventful, "slice", params="learning_rate").data
    rates = {t["number"]: t["params"][f"{t['params']['optimizer']}.learning_rate"] for t in trials}
    assert sorted(slices[0].x) == pytest.approx(sorted(rates.values()))
    lines = [d for d in plot(eventful, "parallel_coordinate").data if d.mode == "lines"]
    assert len(lines) == len(values)
    assert max(lines, key=lambda line: line.y[0]).line.color == "rgb(221, 107, 32)", "the best"
    choices = plot(eventful, "slice", params="optimizer")
    assert set(choices.data[0].x) == set(choices.layout.xaxis.categoryarray) == {"sgd", "adam"}


def test_learning_curves_stand_beside_their_learning_rates(eventful):
    figure = plot(eventful, "learning_curves")
    trials = eventful.get("/v1/studies/study/trials").json()["items"]
    for trial in trials:
        reports = eventful.get(f"/v1/studies/study/trials/{trial['number']}/reports").json()
        lines = [d for d in figure.data if d.meta == {"trial": trial["number"]}]
        if not reports:
            assert not lines
            continue
        curve, rate = lines
        assert list(curve.y) == [report["value"] for report in reports]
        assert list(rate.y) == [report["learning_rate"] for report in reports]
        assert curve.line.color == rate.line.color
        assert curve.legendgroup == trial["params"]["schedule"]
    colours = {d.legendgroup: d.line.color for d in figure.data if d.legendgroup}
    assert len(set(colours.values())) == len(colours) >= 2
    best = max((t for t in trials if t["value"] is not None), key=lambda t: t["value"])
    thick = {d.meta["trial"] for d in figure.data if d.meta and d.line.width == 4}
    assert thick == {best["number"]}
    (crosses,) = (d for d in figure.data if d.name == "pruned")
    assert len(crosses.x) == sum(trial["state"] == "pruned" for trial in trials) == 1
    two = plot(eventful, "learning_curves", trials="1,3")
    assert {d.meta["trial"] for d in two.data if d.meta} == {1, 3}
    named = {d.name for d in two.data if d.showlegend is not False}
    assert named == {trials[number]["params"]["schedule"] for number in (1, 3)}, "no other"


def test_curves_say_whose_weights_they_are_of(http, create, simulated):
    for name, judge, label in (
        ("averaged", "ema", "val_accuracy (averaged weights)"),
        ("as-trained", "raw", "val_accuracy"),
    ):
        goal = {"metric": "val_accuracy", "direction": "maximize", "judge": judge}
        create(http, name=name, objective=goal, limits={"max_trials": 1})
        worker = simulated(http)
        lease = worker.claim()
        worker.report(lease, 0, 0.5)
        worker.complete(lease)
        for kind in ("learning_curves", "intermediate_values"):
            assert plot(http, kind, name=name).layout.yaxis.title.text == label


def test_the_timeline_has_a_bar_for_every_attempt(eventful):
    figure = plot(eventful, "timeline")
    bars = {bars.name: list(bars.customdata) for bars in figure.data}
    assert bars["running"] == [14]
    assert bars["error"] == [12]
    assert bars["diverged"] == [13]
    assert sum(map(len, bars.values())) == 15


def test_a_colour_is_the_same_trial_in_every_slice_and_is_seen_on_any_page(eventful):
    marks = [data.marker for data in plot(eventful, "slice").data]
    assert len({len(mark.color) for mark in marks}) > 1, "a parameter that some trials lack"
    numbers = [
        t["number"] for t in eventful.get("/v1/studies/study/trials?state=complete").json()["items"]
    ]
    assert {(mark.cmin, mark.cmax) for mark in marks} == {(min(numbers), max(numbers))}
    for _, colour in marks[0].colorscale:
        grey = sum(int(colour[i : i + 2], 16) for i in (1, 3, 5)) / 3
        assert 0x60 < grey < 0xD0, "seen on white and on black"


def test_several_objectives_are_shown_one_by_one_and_as_a_front(http, create, simulated):
    create(http, **SEVERAL, sampler={"name": "random", "seed": 1})
    worker = simulated(http)
    for values in ([0.5, 10], [0.9, 20], [0.4, 30]):
        worker.complete(worker.claim(), values=values)
    front = plot(http, "pareto_front")
    assert sum(len(points.x) for points in front.data) == 3
    assert {points.marker.cmax for points in front.data} == {2}
    assert front.layout.xaxis.title.text == "val_accuracy"
    assert sorted(plot(http, "history", metric="size").data[0].y) == [10, 20, 30]
    for kind in KINDS:
        plot(http, kind, metric="size")


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"metric": "no"}, "metric"),
        ({"params": "optimizer,no"}, "params"),
        ({"trials": "1,x"}, "trials"),
        ({"other": 1}, "other"),
    ],
)
def test_what_the_study_does_not_have_is_refused(eventful, query, path):
    answer = eventful.get("/v1/studies/study/plots/slice", params=query)
    assert answer.status_code == 422
    assert [field["path"] for field in answer.json()["error"]["fields"]] == [path]
    assert eventful.get("/v1/studies/study/plots/nothing").status_code == 422
    assert eventful.get("/v1/studies/no/plots/slice").status_code == 404


def test_long_curves_are_thinned_from_end_to_end():
    points = [(step, 1.0, 0.1) for step in range(10_000)]
    shown = thinned(points)
    assert len(shown) == 400
    assert (shown[0], shown[-1]) == (points[0], points[-1])
    assert thinned(points[:400]) == points[:400]


def test_ten_thousand_trials_are_shown_by_a_sample_that_has_the_best(large_study):
    for kind in KINDS:
        start = time.monotonic()
        answer = large_study.get(f"/v1/studies/large/plots/{kind}")
        print(kind, len(answer.content), time.monotonic() - start)  # noqa: T201
        assert len(answer.content) < 2_500_000, kind
        figure = go.Figure(json.loads(answer.content))
        if kind in ("history", "slice", "learning_curves"):
            assert "of 10,000" in figure.layout.title.text
    best = large_study.get("/v1/studies/large/best").json()
    assert best["value"] in list(plot(large_study, "history", name="large").data[0].y)
    spread = plot(large_study, "edf", name="large").data[0]
    half = next(x for x, share in zip(spread.x, spread.y, strict=True) if share >= 0.5)
    assert half == pytest.approx(0.5, abs=0.05), "values are even between 0 and 1"


def test_a_server_starts_without_loading_what_it_may_never_need():
    """scikit-learn, for importances, takes as long to import as all else together; Alembic is for
    upgrades."""
    unwanted = {"sklearn", "scipy.stats", "alembic", "lehr.cli"}
    code = f"import sys, lehr_service.app; print({unwanted} & set(sys.modules))"
    started = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert started.stdout == b"set()\n"
