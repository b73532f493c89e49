"""The pictures: a line a trial, a cross where one was pruned; a line a seed of a range test."""

import pytest

from lehr.errors import LehrError
from lehr.plots import RangePicture, draw_curves, draw_range_tests, save_curves
from lehr.range_tests import bounds, cut, growing_rates, spreads
from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import Report, Trial

DEFINITION = StudyDefinition.model_validate(
    {
        "name": "study",
        "task": "digits_mlp",
        "objective": {"metric": "val_accuracy", "direction": "maximize"},
        "search_space": {
            "optimizer": {"sgd": {"learning_rate": 0.1}},
            "schedule": {"constant": {}, "cosine": {}},
        },
        "training": {"epochs": 2},
    }
)


def trial(number, state):
    return Trial.model_validate(
        {
            "study": "study",
            "number": number,
            "state": state,
            "params": {"schedule": "cosine"},
            "attempts": 1,
            "steps": 2,
            "revision": 1,
            "created_at": "2026-01-01T00:00:00Z",
        }
    )


def reports(*values):
    return [
        Report.model_validate(
            {
                "step": step,
                "value": value,
                "learning_rate": 0.1 / (step + 1),
                "metrics": {},
                "attempt": 1,
                "reported_at": "2026-01-01T00:00:00Z",
            }
        )
        for step, value in enumerate(values)
    ]


def test_values_and_learning_rates_are_drawn_as_reported():
    trials = [trial(0, "complete"), trial(1, "pruned"), trial(2, "waiting")]
    drawn = {0: reports(0.5, None, 0.7), 1: reports(0.2, 0.1)}
    curves, rates = draw_curves(DEFINITION, trials, drawn, best=0).axes
    lines = {tuple(line.get_xdata()): line for line in curves.lines}
    best, pruned = lines[0, 1, 2], lines[0, 1]
    assert best.get_ydata()[2] == 0.7
    assert best.get_linewidth() > pruned.get_linewidth()
    assert [line.get_marker() for line in curves.lines if len(line.get_xdata()) == 1] == ["x"]
    assert list(rates.lines[0].get_ydata()) == pytest.approx([0.1, 0.05, 0.1 / 3])
    assert [text.get_text() for text in curves.get_legend().get_texts()] == ["constant", "cosine"]


def test_an_ending_that_is_no_picture_is_refused(tmp_path):
    with pytest.raises(LehrError, match="cannot write"):
        save_curves(tmp_path / "curves.txt.nothing", DEFINITION, [], {}, None)


def test_a_range_test_is_drawn_with_its_suggestions_and_bounds():
    rates = growing_rates(1e-6, 1.0, 100)
    curves = [
        cut(rates, [2.0 + abs(i - lowest) / 50 for i in range(100)]) for lowest in (50, 60, 70)
    ]
    found = spreads(curves)
    search = bounds(found, 1e-6, 1.0)
    test = RangePicture("digits", curves, found, search)
    silent = RangePicture("nothing", [cut(rates, [float("nan")] * 100)], {}, search)
    axes, below = draw_range_tests([test, silent]).axes
    assert [text.get_text() for text in below.texts] == ["no loss was a number"]
    drawn = [tuple(line.get_ydata()) for line in axes.lines]
    assert all(curve.losses in drawn and curve.smoothed in drawn for curve in curves)
    means = {line.get_label(): line.get_xdata()[0] for line in axes.lines}
    for rule, spread in found.items():
        assert means[f"{rule}: {spread.mean:.2g}"] == spread.mean
    assert axes.get_xscale() == "log"
    assert (
        axes.get_legend().get_title().get_text() == f"search {search.low:.2g} to {search.high:.2g}"
    )
