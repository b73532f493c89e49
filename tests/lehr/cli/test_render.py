"""What terminals show: curves, durations, parameters, and text that looks like markup."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lehr.cli import render
from lehr.wire.trials import Trial, TrialState


@pytest.mark.parametrize(
    ("curve", "bars"),
    [
        ([], ""),
        ([None, None], ""),
        ([1.0], "▅"),
        ([2.0, 2.0], "▅▅"),
        ([0.0, 1.0], "▁█"),
        ([0.0, None, 1.0], "▁ █"),
        ([3.0, 2.0, 1.0], "█▅▁"),
    ],
)
def test_a_curve_is_drawn_between_its_extremes(curve: list[float | None], bars: str) -> None:
    assert render.sparkline(curve) == bars


@given(st.lists(st.none() | st.floats(-1e300, 1e300), min_size=21), st.integers(2, 20))
def test_a_long_curve_is_thinned_to_the_width(curve: list[float | None], width: int) -> None:
    drawn = render.sparkline(curve, width)
    assert len(drawn) in (0, width)
    assert set(drawn) <= set(" ▁▂▃▄▅▆▇█")


def test_a_thinned_curve_keeps_its_first_and_last_value() -> None:
    assert render.sparkline([0.0] + [0.5] * 98 + [1.0], 10) == "▁" + "▅" * 8 + "█"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0s"),
        (7.26, "7.3s"),
        (61, "1m01s"),
        (3599.9, "59m59s"),
        (7380, "2h03m"),
        (-3, "0.0s"),
    ],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert render.duration(start, start + timedelta(seconds=seconds)) == text


def test_parameters_are_one_line() -> None:
    given = {"a": 0.00123456, "b": 7, "c": True, "d": "relu", "e": [0.5, 1], "f": None}
    assert render.params(given) == "a=0.001235 b=7 c=true d=relu e=[0.5, 1] f=null"


def test_text_that_looks_like_markup_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    trial = Trial(
        study="s",
        number=0,
        state=TrialState.FAIL,
        reason="[red]:smile: lost[/]",
        params={"units": [32, 64], "name": "[bold]"},
        attempts=1,
        steps=0,
        revision=1,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    render.console().print(render.trials_table([trial]))
    out = capsys.readouterr().out
    assert "[red]:smile: lost[/]" in out
    assert "units=[32, 64] name=[bold]" in out
