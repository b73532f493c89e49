"""What takes its time says so to a person, and to nobody else."""

import io

import pytest
from rich.console import Console

from lehr.cli import render


@pytest.mark.parametrize(("terminal", "said"), [(True, True), (False, False)])
def test_who_looks_on_is_told_what_takes_its_time(monkeypatch, terminal, said):
    written = io.StringIO()

    def console(stderr):
        assert stderr  # standard output is for what was asked for
        return Console(file=written, force_terminal=terminal)

    monkeypatch.setattr(render, "Console", console)
    with render.busy("copying the database"):
        pass
    assert ("copying the database" in written.getvalue()) is said
