"""Every kind of figure of studies without trials, with one, with all that can happen, with many."""

import json
import math
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import get_args

import plotly.graph_objects as go
import pytest

from lehr.wire.trials import Outcome
from lehr_service.domain.attempt import Attempt
from lehr_service.figures.curves import thinned
from lehr_service.figures.timeline import timeline
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
RATES = ("sgd.learning_rate", "adam.learning_rate")


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
    each = {f"{n} ({trials[n]['params']['schedule']})" for n in (1, 3)}
    assert named == each, "those asked for are told apart, whatever their schedules"
    colours = {d.meta["trial"]: d.line.color for d in two.data if d.meta}
    assert colours[1] != colours[3]
    assert two.layout.legend.title.text == "trial"
    failed, diverged = (t["number"] for t in trials if t["state"] == "fail")
    assert message(plot(eventful, "learning_curves", trials=failed)) == "no step was reported"
    assert "a number" in message(plot(eventful, "learning_curves", trials=diverged))


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


def test_bars_of_a_timeline_are_seen_however_short_and_outcomes_told_apart():
    spans = {"complete": (0, 900), "error": (900, 900.5), "out_of_memory": (900.5, 1000)}
    attempts = [
        Attempt(outcome, 1, 0, 1, "w", Outcome(outcome), begin, finished_at=end)
        for outcome, (begin, end) in spans.items()
    ]
    bars = {bar["name"]: bar["marker"] for bar in timeline(attempts, {}, 1000.0)["data"]}
    assert bars["complete"]["line"]["color"] == ["white"], "neighbours are told apart"
    assert bars["error"]["line"]["color"] == [bars["error"]["color"]]
    assert len({marker["color"] for marker in bars.values()}) == 3


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


def test_several_objectives_are_shown_one_by_one_and_as_a_front(http, create, simulated, several):
    create(http, **several, search_space=SPACE, sampler={"name": "random", "seed": 1})
    for kind in KINDS:
        assert message(plot(http, kind)).startswith("no trial"), kind
    worker = simulated(http)
    worker.complete(worker.claim(), values=[0.5, 10])
    assert [len(points.x) for points in plot(http, "pareto_front").data] == [0, 1]
    for values in ([0.9, 20], [0.4, 30], [0.2, 5], [0.9, 20]):
        worker.complete(worker.claim(), values=values)
    worker.send(worker.claim(), "fail", outcome="error", message="boom")
    running = worker.claim()
    worker.report(running, 0, 0.4)
    figure = plot(http, "pareto_front")
    dominated, front = figure.data
    assert list(zip(dominated.customdata, dominated.x, dominated.y, strict=True)) == [(2, 0.4, 30)]
    assert set(front.customdata) == {0, 1, 3, 4}, "equal trials are all of the front"
    trial = http.get("/v1/studies/study/trials/2").json()
    assert f"optimizer {trial['params']['optimizer']}<br>" in dominated.text[0]
    assert "%{x:.6g}<br>size %{y:.6g}" in front.hovertemplate
    assert figure.layout.xaxis.title.text == "val_accuracy"
    assert figure.layout.title.text is None, "all are shown"
    assert sorted(plot(http, "history", metric="size").data[0].y) == [5, 10, 20, 20, 30]
    for kind in KINDS:
        assert plot(http, kind, metric="size").data, kind


def test_three_objectives_are_a_front_in_space_and_four_have_none(http, create, simulated):
    goals = [{"metric": name, "direction": "minimize"} for name in "abcd"]
    for count in (3, 4):
        create(http, name=f"of-{count}", objective=None, objectives=goals[:count])
        worker = simulated(http)
        for values in ([1, 2, 3, 4], [3, 2, 1, 4], [3, 2, 3, 4]):
            worker.complete(worker.claim(), values=values[:count])
        http.post(f"/v1/studies/of-{count}/pause")
    dominated, front = plot(http, "pareto_front", name="of-3").data
    assert list(zip(front.x, front.y, front.z, strict=True)) == [(1, 2, 3), (3, 2, 1)]
    assert (dominated.type, list(dominated.customdata)) == ("scatter3d", [2])
    assert "two or three" in message(plot(http, "pareto_front", name="of-4"))


def test_rates_of_optimizers_are_one_importance_and_a_slice_each(eventful):
    def shares(**query):
        bars = plot(eventful, "importances", **query).data[0]
        return dict(zip(bars.y, bars.x, strict=True))

    every = shares()
    assert sum(every.values()) == pytest.approx(1)
    assert list(every.values()) == sorted(every.values()), "the largest on top"
    assert [name for name in every if name.endswith("learning_rate")] == ["learning_rate"]
    each = shares(params=",".join([*(set(every) - {"learning_rate"}), *RATES]))
    assert every["learning_rate"] == pytest.approx(sum(each[name] for name in RATES))
    axes = {axis.title.text for axis in plot(eventful, "slice").select_xaxes()}
    assert {name for name in axes if name.endswith("learning_rate")} == set(RATES)
    parallel = plot(eventful, "parallel_coordinate").layout.xaxis.ticktext
    assert [name for name in parallel if "learning_rate" in name] == ["learning_rate"]


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


@pytest.mark.parametrize("name", ["large", "eventful", "two"])
def test_ten_thousand_trials_are_shown_by_a_sample(large_study, name):
    for kind in KINDS:
        answer = large_study.get(f"/v1/studies/{name}/plots/{kind}")
        assert len(answer.content) < 2_500_000, kind
        figure = go.Figure(json.loads(answer.content))
        if name == "two" and kind in ("learning_curves", "intermediate_values"):
            assert "reported" in message(figure), "it has no curves"
        elif kind == "pareto_front" and name != "two":
            assert "two or three" in message(figure)
        else:
            there = {"learning_curves": 9_000, "intermediate_values": 9_000, "timeline": 10_000}
            of = there.get(kind, 8_000) if name == "eventful" else 10_000
            assert figure.data, kind
            if kind != "pareto_front":
                assert f" of {of:,} " in figure.layout.title.text, kind


def test_the_sample_of_ten_thousand_trials_has_the_best_and_is_fair(large_study):
    best = large_study.get("/v1/studies/large/best").json()
    assert best["value"] in list(plot(large_study, "history", name="large").data[0].y)
    spread = plot(large_study, "edf", name="large").data[0]
    half = next(x for x, share in zip(spread.x, spread.y, strict=True) if share >= 0.5)
    assert half == pytest.approx(0.5, abs=0.05), "values are even between 0 and 1"


def test_the_front_of_ten_thousand_trials_is_all_there(large_study, large_template):
    with closing(sqlite3.connect(large_template)) as stored:
        query = "SELECT t.number, objective_values FROM trials t JOIN studies s ON s.id = study_id"
        rows = stored.execute(query + " WHERE s.name = 'two'").fetchall()
    values = {number: tuple(json.loads(both)) for number, both in rows}
    front, least = set(), math.inf
    for number, (_, size) in sorted(values.items(), key=lambda item: (-item[1][0], item[1][1])):
        if size < least:
            front.add(number)
            least = size
    figure = plot(large_study, "pareto_front", name="two")
    shown, of_front = ({n: (x, y) for n, x, y in points(data)} for data in figure.data)
    assert of_front == {number: values[number] for number in front}
    assert shown.items() <= values.items()
    left = 10_000 - len(front)
    said = f"{len(shown):,} of {left:,} dominated trials, and all {len(front)} of the front"
    assert figure.layout.title.text == said
    sizes = sorted(both[1] for number, both in values.items() if number not in front)
    median = sorted(size for _, size in shown.values())[len(shown) // 2]
    assert median == pytest.approx(sizes[left // 2], abs=0.05), "a fair sample"
    history = plot(large_study, "history", name="two", metric="size").data[0]
    assert min(history.y) == min(size for _, size in values.values()), "the best of this objective"
    front_by_rest = large_study.get("/v1/studies/two/best").json()["items"]
    assert {trial["number"] for trial in front_by_rest} == front


def points(data):
    return zip(data.customdata, data.x, data.y, strict=True)


def test_a_server_starts_without_loading_what_it_may_never_need():
    """scikit-learn, for importances, takes as long to import as all else together; Alembic is for
    upgrades."""
    unwanted = {"sklearn", "scipy.stats", "alembic", "lehr.cli"}
    code = f"import sys, lehr_service.app; print({unwanted} & set(sys.modules))"
    started = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert started.stdout == b"set()\n"
