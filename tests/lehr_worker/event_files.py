"""What TensorBoard makes of a run's event files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator


def read(folder: Path) -> Any:
    """The run of the fake server's trial."""
    run = EventAccumulator(str(folder / "study" / "00000"))
    run.Reload()
    return run


def shown(run: Any, tag: str) -> dict[int, float]:
    """What is drawn, by step; a step that comes twice fails."""
    points = [(e.step, round(float(e.tensor_proto.float_val[0]), 6)) for e in run.Tensors(tag)]
    assert len(dict(points)) == len(points)
    return dict(points)
