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


@pytest.mark.parametrize("width", ["80", "140"])
def test_a_table_of_trials_breaks_no_word_in_a_terminal_of_the_usual_width(
    width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    trial = Trial(
        study="s",
        number=1234,
        state=TrialState.COMPLETE,
        params={"optimizer": "adam", "adam.learning_rate": 0.0152600012},
        value=0.123456789,
        attempts=1,
        steps=100,
        worker="gpu-box",
        revision=1,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    render.console().print(render.trials_table([trial]))
    out = capsys.readouterr().out
    words = "1234 complete 0.123457 100 optimizer=adam adam.learning_rate=0.01526"
    assert set(words.split()) <= set(out.split())
    assert ("gpu-box" in out) == (width == "140")
    assert all(len(line) <= int(width) for line in out.splitlines())


def test_a_number_that_has_no_room_is_not_cut_to_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    shown = render.table("value", "best", "running")
    shown.add_row("0.123456", "0.123456", "123456")
    render.console().print(shown)
    assert "…" in capsys.readouterr().out.splitlines()[-1]


def test_one_is_not_several() -> None:
    assert [render.counted(n, "trial") for n in (0, 1, 2)] == ["0 trials", "1 trial", "2 trials"]


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
