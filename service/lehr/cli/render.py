"""How studies, trials and workers look in a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import typer
from pydantic import BaseModel
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from lehr.wire.parts import Limits, Objective
from lehr.wire.pruning import Pruning
from lehr.wire.studies import Counts, Study
from lehr.wire.trials import Trial, TrialDetails
from lehr.wire.workers import Worker, WorkerAttempt

_WIDTH_OF_FILES = 200
_COLOURS = {
    "active": "green",
    "alive": "green",
    "complete": "green",
    "completed": "green",
    "running": "cyan",
    "waiting": "blue",
    "paused": "yellow",
    "stopping": "yellow",
    "draining": "yellow",
    "pruned": "yellow",
    "fail": "red",
    "failed": "red",
    "lost": "red",
    "cancelled": "magenta",
}
_BARS = "▁▂▃▄▅▆▇█"
_WIDE = 110  # columns of a terminal that has room for what is rarely asked for
_NUMBERS = ("trial", "value", "steps", "attempts", "running", "finished", "best")
_WRAPPED = ("name", "task", "reason", "parameters", "tasks", "running here", "note", "worker")


def console() -> Console:
    """Standard output; text is shown as it is, and files get long lines rather than wrapped."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_FILES
    return Console(markup=False, emoji=False, highlight=False, width=width)


def print_json(shown: BaseModel | Iterable[BaseModel]) -> None:
    """A model as a JSON object, several as a list."""
    if isinstance(shown, BaseModel):
        typer.echo(shown.model_dump_json(indent=2))
    else:
        typer.echo(json.dumps([model.model_dump(mode="json") for model in shown], indent=2))


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def counted(number: int, noun: str) -> str:
    """A number with what it counts: 1 trial, 2 trials."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def values(trial: Trial) -> str:
    """A trial's value, or its values with several objectives."""
    return number(trial.value) if trial.values is None else ", ".join(map(number, trial.values))


def params(given: Mapping[str, Any]) -> str:
    """Parameters on one line, numbers to four digits."""
    return " ".join(f"{name}={_short(value)}" for name, value in given.items())


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def duration(start: datetime | None, end: datetime | None) -> str:
    """Time from start to end, or until now."""
    if start is None:
        return ""
    seconds = max(((end or datetime.now(UTC)) - start).total_seconds(), 0.0)
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes = int(seconds) // 60
    if minutes < 60:
        return f"{minutes}m{int(seconds) % 60:02}s"
    return f"{minutes // 60}h{minutes % 60:02}m"


def state(name: str) -> Text:
    return Text(name, style=_COLOURS.get(name, ""))


def sparkline(curve: Sequence[float | None], width: int = 20) -> str:
    """A curve as bars between its lowest and its highest value; gaps where it has none."""
    shown = list(curve)
    if len(shown) > width:
        shown = [shown[index * (len(shown) - 1) // (width - 1)] for index in range(width)]
    known = [value for value in shown if value is not None]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known)
    return "".join(" " if v is None else _bar((v - low) / span if span else 0.5) for v in shown)


def _bar(height: float) -> str:
    return _BARS[round(height * (len(_BARS) - 1))]


def counts(counted: Counts) -> Text:
    """Trials by state, on one line."""
    parts = [
        Text(f"{count} {name}", style=_COLOURS[name] if count else "dim")
        for name, count in counted.model_dump().items()
    ]
    return Text(", ").join(parts)


def studies_table(studies: Iterable[Study]) -> Table:
    every = ("name", "state", "task", "finished", "running", "best", "age", "reason")
    return rows(table(*columns(every, in_wide=("task", "age"))), map(_study_row, studies))


def _study_row(study: Study) -> dict[str, RenderableType]:
    limit = study.definition.limits.max_trials
    return {
        "name": study.name,
        "state": state(study.state),
        "task": study.definition.task,
        "finished": f"{finished(study)}/{limit}" if limit else str(finished(study)),
        "running": str(study.counts.running),
        "best": values(study.best) if study.best else "",
        "age": duration(study.created_at, None),
        "reason": reason(study),
    }


def finished(study: Study) -> int:
    """How many trials of a study are finished."""
    return study.counts.complete + study.counts.pruned + study.counts.fail


def trials_table(trials: Iterable[Trial], title: str | None = None) -> Table:
    every = ("trial", "state", "value", "steps", "attempts", "worker", "took", "parameters")
    shown = table(*columns(every, in_wide=("attempts", "worker")))
    shown.title = title
    return rows(shown, map(_trial_row, trials))


def _trial_row(trial: Trial) -> dict[str, RenderableType]:
    return {
        "trial": str(trial.number),
        "state": _state_and_reason(trial),
        "value": values(trial),
        "steps": str(trial.steps),
        "attempts": str(trial.attempts),
        "worker": trial.worker or "",
        "took": duration(trial.started_at, trial.finished_at),
        "parameters": params(trial.params),
    }


def _state_and_reason(trial: Trial) -> Text:
    shown = state(trial.state)
    return shown if trial.reason is None else shown.append(f" ({trial.reason})", style="dim")


def workers_table(workers: Iterable[Worker]) -> Table:
    every = ("name", "state", "running", "devices", "tasks", "heard", "id")
    return rows(table(*columns(every, in_wide=("id",))), map(_worker_row, workers))


def _worker_row(worker: Worker) -> dict[str, RenderableType]:
    return {
        "name": worker.name,
        "state": state(worker.state),
        "running": ", ".join(map(running, worker.running)),
        "devices": ", ".join(map(_device, worker.devices)),
        "tasks": ", ".join(worker.tasks),
        "heard": f"{duration(worker.heard_at, None)} ago",
        "id": worker.id,
    }


def running(attempt: WorkerAttempt) -> str:
    return f"{attempt.study}/{what(attempt)}"


def what(attempt: WorkerAttempt) -> str:
    """The trial's number, or that it is a range test."""
    tested = attempt.range_test
    return str(attempt.trial) if tested is None else f"range test of {tested}"


def _device(device: Any) -> str:
    return str(device.get("name", device)) if isinstance(device, Mapping) else str(device)


def study_sheet(study: Study) -> Table:
    """All that is to be said about one study, a line each."""
    definition = study.definition
    lines: list[tuple[str, RenderableType]] = [
        ("study", study.name),
        ("state", state_and_reason(study)),
        ("task", definition.task),
        *(("objective", _goal(goal)) for goal in definition.goals),
        (
            "training",
            f"{counted(definition.training.epochs, 'epoch')}, seed {definition.training.seed}",
        ),
        ("sampler", params(definition.sampler)),
        ("pruner", params(definition.pruner)),
        ("limits", _limits(definition.limits)),
        ("trials", counts(study.counts)),
        ("epochs", str(study.epochs)),
        *((("saved", saved(study.pruning)),) if study.pruning.pruned else ()),
        ("took", duration(study.created_at, study.finished_at)),
    ]
    for optimizer, test in study.range_tests.items():
        found = f": search {test.bounds.low:.2g} to {test.bounds.high:.2g}" if test.bounds else ""
        lines.append((f"range test of {optimizer}", state(test.state).append(found)))
    if definition.labels:
        lines.append(("labels", params(definition.labels)))
    if study.best:
        lines.append(("best", f"{values(study.best)} (trial {study.best.number})"))
        lines.append(("", params(study.best.params)))
    return sheet(lines)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Says on standard error what takes its time, while a person looks on."""
    shown = Console(stderr=True)
    if not shown.is_terminal:
        yield
        return
    with shown.status(what):
        yield


def trial_sheet(trial: TrialDetails) -> Table:
    """All that is to be said about one trial, a line each."""
    lines: list[tuple[str, RenderableType]] = [
        ("trial", f"{trial.number} of study {trial.study}"),
        ("state", _state_and_reason(trial)),
        ("value", values(trial) or "none"),
        ("steps", str(trial.steps)),
        ("took", duration(trial.started_at, trial.finished_at)),
        ("seed", str(trial.seed)),
        ("parameters", params(trial.params) or "none"),
    ]
    if trial.metrics:
        measured = (f"{name}={number(value)}" for name, value in trial.metrics.items())
        lines.append(("metrics", " ".join(measured)))
    for attempt in trial.history:
        ended = f"{attempt.outcome or 'running'} on {attempt.worker}"
        said = f": {attempt.message}" if attempt.message else ""
        lines.append((f"attempt {attempt.attempt}", f"{ended}{said}"))
    return sheet(lines)


def saved(pruning: Pruning) -> str:
    """What pruning has saved, and what it may have missed, in one sentence."""
    gain = (
        f"{counted(pruning.epochs_saved, 'epoch')} ({pruning.share_saved:.0%}) by pruning "
        f"{counted(pruning.pruned, 'trial')}"
    )
    if pruning.missed is None:
        return gain
    if pruning.missed_from == "audit":
        return f"{gain}; {pruning.missed:.0%} of {pruning.audited} audited ones beat the best"
    return f"{gain}; each would beat the best with a chance of at most {pruning.missed:.0%}"


def sheet(lines: Iterable[tuple[str, RenderableType]]) -> Table:
    """Names and what they stand for, a line each."""
    shown = Table.grid(padding=(0, 2))
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, content in lines:
        shown.add_row(name, content)
    return shown


def state_and_reason(study: Study) -> Text:
    shown = state(study.state)
    why = reason(study)
    return shown.append(f": {why}", style="default") if why else shown


def reason(study: Study) -> str:
    """Why a study is in its state, where that says more than the state."""
    return "" if study.reason in (None, study.state) else study.reason or ""


def _goal(objective: Objective) -> str:
    return f"{objective.direction} {objective.metric} ({objective.select})"


def _limits(limits: Limits) -> str:
    return params(limits.model_dump(exclude_none=True)) or "none"


def table(*columns: str) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, show_edge=False)
    for name in columns:
        wrapped = name in _WRAPPED
        shown.add_column(
            name,
            justify="right" if name in _NUMBERS else "left",
            overflow="fold" if wrapped else "ellipsis",  # half a number would be another one
            no_wrap=not wrapped,
        )
    return shown


def rows(shown: Table, found: Iterable[Mapping[str, RenderableType]]) -> Table:
    """A table with a row for each of what was found, its columns those of the table."""
    for row in found:
        shown.add_row(*(row[str(column.header)] for column in shown.columns))
    return shown


def columns(always: Sequence[str], in_wide: Sequence[str]) -> list[str]:
    """Those of the columns for which the terminal has room, in their order."""
    wide = console().width >= _WIDE
    return [name for name in always if wide or name not in in_wide]
