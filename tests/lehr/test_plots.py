"""The picture of range tests: a line a seed, a band a rule."""

from lehr.plots import RangePicture, draw_range_tests
from lehr.range_tests import bounds, cut, growing_rates, spreads


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
