"""Figures as files: every kind, of studies with all that can happen, with one trial, with none."""

import json
import re
from typing import get_args

import kaleido
import pytest
from matplotlib import image

from lehr.plots import draw_curves
from lehr.wire.trials import Outcome
from lehr.wire.workers import Completion, Failure
from lehr_service.operations.plots import Kind

SPACE = {
    "optimizer": {
        "sgd": {
            "learning_rate": {"low": 1e-3, "high": 1.0, "log": True},
            "nesterov": [True, False],
        },
        "adam": {"learning_rate": {"low": 1e-5, "high": 0.1, "log": True}, "beta_1": [0.8, 0.9]},
    },
    "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}},
    "parameters": {"batch_size": [32, 64], "units": {"low": 8, "high": 64, "int": True}},
}
EMPTY, SINGLE, EVENTFUL, SEVERAL = "empty", "single", "eventful", "several"
_PIXELS = (1120, 2200)  # of a picture as it is drawn, height and width


@pytest.fixture
def studies(client, definition, hand):
    """Without trials; with one; with conditional, pruned and failed ones; with two objectives."""
    definition |= {"search_space": SPACE, "training": {"epochs": 3}}
    client.create_study(definition | {"name": SINGLE, "limits": {"max_trials": 1}})
    hand.finish(0.25, 0.5)
    pruner = {"name": "threshold", "lower": 0.15}
    client.create_study(definition | {"name": EVENTFUL, "pruner": pruner})
    for number in range(8):
        lease = hand.claim()
        hand.report(lease, 0.1 * number)
        if number == 2:
            client.fail(lease.token, Failure(outcome=Outcome.ERROR, message="boom"))
        elif number > 2:
            hand.report(lease, 0.1 * number, 0.1 * number + 0.1)
            client.complete(lease.token, Completion())
    client.pause(EVENTFUL)
    goals = [
        {"metric": m, "direction": d} for m, d in (("accuracy", "maximize"), ("size", "minimize"))
    ]
    several = {k: v for k, v in definition.items() if k != "objective"} | {"objectives": goals}
    client.create_study(several | {"name": SEVERAL, "limits": {"max_trials": 3}})
    for values in ([0.5, 10], [0.9, 20], [0.4, 30]):
        client.complete(hand.claim().token, Completion(values=values))
    client.create_study(definition | {"name": EMPTY})


@pytest.fixture
def browser():
    """One browser for many pictures; each command by itself starts one of its own."""
    kaleido.start_sync_server(mathjax=False)
    yield
    kaleido.stop_sync_server()


@pytest.fixture
def plot(cli, tmp_path):
    def run(study, kind, ending):
        file = tmp_path / f"{study}-{kind}.{ending}"
        said = cli("study", "plot", study, kind, "-o", str(file))
        assert (said.exit_code, said.stdout) == (0, f"wrote {file}\n"), said.stderr
        return file

    return run


def ink(picture):
    """The share of a picture that is not white."""
    return float((image.imread(picture)[..., :3].min(axis=2) < 0.9).mean())


@pytest.mark.filterwarnings("ignore:The kopts argument is ignored")
def test_every_kind_is_a_picture_and_a_page(studies, browser, client, plot):
    blank = ink(plot(EMPTY, "history", "png"))
    assert blank > 0.001, "it does not say that there is nothing"
    for kind in get_args(Kind):
        study = SEVERAL if kind == "pareto_front" else EVENTFUL
        picture = plot(study, kind, "png")
        assert ink(picture) > 2 * blank, kind
        if kind != "learning_curves":
            assert image.imread(picture).shape[:2] >= _PIXELS
        page = plot(study, kind, "html").read_text()
        assert "Plotly.newPlot" in page
        assert f"{study}: {kind.replace('_', ' ')}" in page
        assert not re.search(r"<(?:script|link)[^>]+(?:src|href)=", page[:500])
        assert ink(plot(SINGLE, kind, "png")) > 0.001, kind
    assert ink(plot(EMPTY, "learning_curves", "png")) > 0.001


def test_a_picture_starts_a_browser_of_its_own(studies, plot):
    assert plot(SINGLE, "history", "svg").read_text().startswith("<svg")


def test_curves_are_drawn_as_the_server_draws_them(studies, client):
    figure = client.plot(EVENTFUL, "learning_curves")
    curves, rates = draw_curves(figure, "title").axes
    best = client.study(EVENTFUL).best
    reports = client.reports(EVENTFUL, best.number)
    thickest = max(curves.lines, key=lambda line: line.get_linewidth())
    assert list(thickest.get_ydata()) == [report.value for report in reports]
    of_rates = max(rates.lines, key=lambda line: line.get_linewidth())
    assert list(of_rates.get_ydata()) == [report.learning_rate for report in reports]
    assert 2 in [len(marks.get_offsets()) for marks in curves.collections]  # both that were pruned
    (in_the_legend,) = [marks for marks in curves.collections if marks.get_label() == "pruned"]
    red, green, blue, _ = in_the_legend.get_facecolor()[0]
    assert red == green == blue  # a schedule's colour would say that only its trials are pruned
    said = [text.get_text() for text in curves.get_legend().get_texts()]
    assert said == ["pruned", "constant", "cosine"]
    assert (curves.get_ylabel(), rates.get_yscale()) == ("val_accuracy (averaged weights)", "log")


def test_what_is_missing_is_one_line_with_the_fix(studies, cli, tmp_path, monkeypatch):
    picture = str(tmp_path / "x.png")
    monkeypatch.setenv("BROWSER_PATH", "/nowhere")
    said = cli("study", "plot", SINGLE, "history", "-o", picture)
    assert said.exit_code == 1
    assert "apt install chromium" in said.stderr
    assert said.stderr.count("\n") == 1
    monkeypatch.setitem(__import__("sys").modules, "kaleido", None)
    said = cli("study", "plot", SINGLE, "history", "-o", picture)
    assert (said.exit_code, "pip install 'lehr[plot]'" in said.stderr) == (1, True)
    assert not (tmp_path / "x.png").exists()


def test_a_wrong_kind_ending_or_folder_is_named(studies, cli, tmp_path):
    wrong = cli("study", "plot", SINGLE, "nothing", "-o", str(tmp_path / "x.html"))
    assert (wrong.exit_code, "importances" in wrong.stderr) == (1, True)
    ending = cli("study", "plot", SINGLE, "history", "-o", str(tmp_path / "x.docx"))
    assert (ending.exit_code, ".html" in ending.stderr) == (2, True)
    nowhere = str(tmp_path / "no" / "x.png")
    assert "cannot write" in cli("study", "plot", SINGLE, "-o", nowhere).stderr


def test_one_of_several_objectives_is_drawn(studies, cli, tmp_path):
    file = tmp_path / "size.json"
    drawn = cli("study", "plot", SEVERAL, "history", "--metric", "size", "-o", str(file))
    assert drawn.exit_code == 0, drawn.stderr
    assert sorted(json.loads(file.read_text())["data"][0]["y"]) == [10, 20, 30]
    wrong = cli("study", "plot", SEVERAL, "history", "--metric", "no", "-o", str(file))
    assert (wrong.exit_code, "known are accuracy and size" in wrong.stderr) == (1, True)


def test_a_figure_is_json_for_plotly(studies, client, cli, tmp_path):
    file = tmp_path / "curves.json"
    said = cli("study", "plot", SINGLE, "-o", str(file), "--json")
    assert json.loads(said.stdout) == {"file": str(file)}
    assert json.loads(file.read_text()) == client.plot(SINGLE, "learning_curves")


def test_the_trials_that_are_asked_for_are_drawn(cli, studies, tmp_path):
    file = tmp_path / "two.json"
    assert cli("study", "plot", EVENTFUL, "--trials", "3,5", "-o", str(file)).exit_code == 0
    drawn = json.loads(file.read_text())["data"]
    assert {line["meta"]["trial"] for line in drawn if "meta" in line} == {3, 5}
    wrong = cli("study", "plot", EVENTFUL, "--trials", "3;5", "-o", str(file))
    assert (wrong.exit_code, "such as 3,14" in wrong.stderr) == (2, True)
