"""Which worker ran what, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lehr_service.domain.attempt import Attempt
from lehr_service.figures.curves import PALETTE

_COLOURS = {
    "complete": PALETTE[0],
    "pruned": PALETTE[6],
    "running": PALETTE[2],
    "lost": PALETTE[1],
    "preempted": PALETTE[3],
    "error": PALETTE[5],
    "out_of_memory": PALETTE[8],
    "diverged": PALETTE[10],
    "cancelled": PALETTE[11],
}


_BARS_ACROSS = 300  # a bar for which there is less room than for so many has no edge


def timeline(attempts: Sequence[Attempt], names: Mapping[str, str], now: float) -> dict[str, Any]:
    """A row a worker, a bar an attempt, a colour an outcome; what runs ends at ``now``."""
    by_outcome: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        outcome = attempt.outcome.value if attempt.outcome else "running"
        by_outcome.setdefault(outcome, []).append(attempt)
    ends = [now if a.finished_at is None else a.finished_at for a in attempts]
    thin = (max(ends) - min(a.started_at for a in attempts)) / _BARS_ACROSS
    return {
        "data": [_bars(o, some, names, now, thin) for o, some in sorted(by_outcome.items())],
        "layout": {
            "barmode": "overlay",
            "xaxis": {"type": "date", "title": {"text": "time (UTC)"}},
            "yaxis": {"type": "category", "title": {"text": "worker"}, "automargin": True},
            "legend": {"title": {"text": "outcome"}},
            "showlegend": True,
            "hovermode": "closest",
        },
    }


def idle_share(
    attempts: Sequence[Attempt],
    workers: Mapping[str, tuple[float, int]],
    since: float,
    now: float,
) -> float | None:
    """The share of workers' time in which their devices had no attempt; None without any time.

    ``workers``: by id, from when on each was there and its number of devices.
    """
    there = {
        w: max(now - max(begin, since), 0.0) * devices for w, (begin, devices) in workers.items()
    }
    busy = dict.fromkeys(workers, 0.0)
    for attempt in attempts:
        if attempt.worker_id in busy:
            end = now if attempt.finished_at is None else attempt.finished_at
            busy[attempt.worker_id] += max(end - max(attempt.started_at, since), 0.0)
    total = sum(there.values())
    if total <= 0:
        return None
    return 1.0 - sum(min(busy[worker], there[worker]) for worker in workers) / total


def _bars(
    outcome: str, attempts: Sequence[Attempt], names: Mapping[str, str], now: float, thin: float
) -> dict[str, Any]:
    ends = [now if a.finished_at is None else a.finished_at for a in attempts]
    seconds = [max(end - a.started_at, 0.0) for a, end in zip(attempts, ends, strict=True)]
    # A white edge tells neighbours apart; a bar of a pixel would be all edge, and not be seen.
    edges = [_COLOURS[outcome] if some < thin else "white" for some in seconds]
    return {
        "type": "bar",
        "orientation": "h",
        "name": outcome,
        "y": [names.get(a.worker_id, a.worker_id) for a in attempts],
        "base": [datetime.fromtimestamp(a.started_at, UTC).isoformat() for a in attempts],
        "x": [1000.0 * some for some in seconds],  # Plotly takes milliseconds on an axis of dates
        "text": [
            f"trial {a.trial}, attempt {a.attempt}: {outcome}<br>{some:.1f} s"
            for a, some in zip(attempts, seconds, strict=True)
        ],
        "textposition": "none",
        "hovertemplate": "%{y}<br>%{text}<extra></extra>",
        "customdata": [a.trial for a in attempts],
        "marker": {"color": _COLOURS[outcome], "line": {"width": 0.5, "color": edges}},
    }
