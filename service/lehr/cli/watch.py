"""``lehr study watch``: a study as it goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from lehr.cli import render
from lehr.client import Client
from lehr.errors import NotFound
from lehr.wire.events import ReportEvent
from lehr.wire.studies import Study
from lehr.wire.trials import Report, Trial, TrialState
from lehr.wire.workers import Worker

SHOWN_TRIALS = 12
SHOWN_WORKERS = 8
SHOWN_BEST = 10
_KINDS = {ReportEvent: "report", Trial: "trial", Study: "study"}
_WAIT_SECONDS = 5.0
_PAUSE_SECONDS = 0.5
_WORKERS_SECONDS = 1.0


def watch_study(client: Client, name: str) -> Study | None:
    """Show a study until it is finished, then its best trials; None if the user left before."""
    shown = render.console()
    follow = _follow_live if sys.stdout.isatty() else _follow_lines
    try:
        study = follow(Watch(client, name), shown)
    except KeyboardInterrupt:
        return None
    shown.print(Text(f"study {name} is ").append(render.state_and_reason(study)))
    best = best_trials(client, study)
    if best:
        shown.print(render.trials_table(best, title="best trials"))
    if study.counts.fail:
        shown.print(_last_failure(client, name))
    return study


def _last_failure(client: Client, name: str) -> str:
    (failed,) = client.trials(name, state=TrialState.FAIL, order_by="-number", limit=1)
    said = [one.message for one in client.trial(name, failed.number).history if one.message]
    why = said[-1] if said else failed.reason
    return (
        f"trial {failed.number} failed: {why}; more of it: lehr study trial {name} {failed.number}"
    )


def watch_events(client: Client, name: str) -> Study | None:
    """Print what happens in a study, a JSON object a line, until it is finished."""
    study = None
    try:
        for event in client.events(name):
            kind = _KINDS[type(event.data)]
            typer.echo(f'{{"event":"{kind}","data":{event.data.model_dump_json()}}}')
            study = event.data if isinstance(event.data, Study) else study
    except KeyboardInterrupt:
        return None
    return study


def best_trials(client: Client, study: Study, limit: int = SHOWN_BEST) -> list[Trial]:
    """The best complete trials, the best first; with several objectives the Pareto front."""
    if study.definition.objective is None:
        with suppress(NotFound):
            front = client.best(study.name)
            return [front] if isinstance(front, Trial) else front
        return []
    order = "value" if study.definition.objective.direction == "minimize" else "-value"
    found = client.trials(study.name, state=TrialState.COMPLETE, order_by=order, limit=limit)
    return list(found)


class Watch:
    """What is known of a study; each poll asks only for what changed since the last."""

    def __init__(self, client: Client, name: str, now: Callable[[], float] = time.monotonic):
        self._client, self._name, self._now = client, name, now
        self._workers_at = float("-inf")
        self.study: Study | None = None
        self.running: dict[int, Trial] = {}
        self.curves: dict[int, list[Report]] = {}
        self.workers: list[Worker] = []

    def changes(self, first: TrialState | None = None) -> Iterator[Trial]:
        """Wait for a change of the study, then yield the trials that changed.

        The first time, all trials there are, or those in the state ``first``.
        """
        since = None if self.study is None else self.study.revision
        wait = 0.0 if since is None else _WAIT_SECONDS
        # The study before its trials: what changes in between has a later revision, and is listed
        # again the next time.
        self.study = self._client.study(self._name, wait, since)
        state = first if since is None else None
        yield from self._client.trials(self._name, since_revision=since, state=state)

    def poll(self) -> Study:
        """Wait for a change; learn the running trials with their curves, and the workers."""
        for trial in self.changes(first=TrialState.RUNNING):
            if trial.state is TrialState.RUNNING:
                self.running[trial.number] = trial
            else:
                self.running.pop(trial.number, None)
            self.curves.pop(trial.number, None)
        for number in self.shown():
            if number not in self.curves:
                self.curves[number] = self._client.reports(self._name, number)
        if self._now() - self._workers_at >= _WORKERS_SECONDS:
            self.workers, self._workers_at = list(self._client.workers()), self._now()
        return self.known()

    def known(self) -> Study:
        if self.study is None:
            raise RuntimeError("poll before looking")
        return self.study

    def shown(self) -> list[int]:
        """Numbers of the running trials that there is room for."""
        return sorted(self.running)[:SHOWN_TRIALS]


def _follow_lines(watch: Watch, shown: Console) -> Study:
    told: set[int] = set()
    waits_for = ""
    while True:
        for trial in watch.changes():
            if trial.state.is_finished and trial.number not in told:
                told.add(trial.number)
                typer.echo(_line(trial))
        study = watch.known()
        if study.state.is_finished:
            return study
        if (now := render.reason(study)) != waits_for:
            waits_for = now
            said = f"is {study.state}: {now}" if now else "goes on"
            typer.echo(f"study {study.name} {said}")
        time.sleep(_PAUSE_SECONDS)


def _line(trial: Trial) -> str:
    took = render.duration(trial.started_at, trial.finished_at)
    parts = [
        f"trial {trial.number} {trial.state}",
        f"({trial.reason})" if trial.reason else "",
        f"value {render.values(trial)}" if render.values(trial) else "",
        render.counted(trial.steps, "step"),
        took and f"in {took}",
        render.params(trial.params),
    ]
    return "  ".join(part for part in parts if part)


def _follow_live(watch: Watch, shown: Console) -> Study:
    with Live(console=shown, auto_refresh=False, transient=True) as live:
        while not watch.poll().state.is_finished:
            live.update(view(watch), refresh=True)
            time.sleep(_PAUSE_SECONDS)
    return watch.known()


def view(watch: Watch) -> Group:
    """All that the terminal shows of a study that goes on."""
    study = watch.known()
    parts: list[RenderableType] = [_header(study), Rule("running", style="dim"), _running(watch)]
    if watch.workers:
        parts += [Rule("workers", style="dim"), _workers(watch.workers, study.name)]
    return Group(*parts)


def _header(study: Study) -> Table:
    lines: list[tuple[str, RenderableType]] = [
        (study.name, render.state_and_reason(study)),
        ("trials", render.counts(study.counts)),
        ("progress", _progress(study)),
        ("took", render.duration(study.created_at, study.finished_at)),
    ]
    if study.best is not None:
        lines.append(("best", f"{render.values(study.best)} (trial {study.best.number})"))
        lines.append(("", render.params(study.best.params)))
    return render.sheet(lines)


def _progress(study: Study) -> Table | str:
    limits = study.definition.limits
    if limits.max_trials:
        return _bar(render.finished(study), limits.max_trials, "trials")
    if limits.max_epochs:
        return _bar(study.epochs, limits.max_epochs, "epochs")
    return f"{render.finished(study)} trials, {study.epochs} epochs"


def _bar(done: int, total: int, unit: str) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(ProgressBar(total=total, completed=done, width=40), f"{done}/{total} {unit}")
    return grid


def _running(watch: Watch) -> Table | Text:
    if not watch.running:
        return Text("no trial is running", style="dim")
    every = ("trial", "steps", "value", "curve", "learning rate", "worker", "parameters")
    table = render.table(*render.columns(every, in_wide=("worker",)))
    render.rows(table, (_running_row(watch, number) for number in watch.shown()))
    hidden = len(watch.running) - len(watch.shown())
    table.caption = f"and {hidden} more" if hidden else None
    return table


def _running_row(watch: Watch, number: int) -> dict[str, RenderableType]:
    trial, curve = watch.running[number], watch.curves.get(number, [])
    last = curve[-1] if curve else None
    drawn = render.sparkline([report.value for report in curve], width=12)
    return {
        "trial": str(number),
        "steps": f"{trial.steps}/{watch.known().definition.training.epochs}",
        "value": render.number(last.value if last else None),
        "curve": Text(drawn, style="cyan"),
        "learning rate": render.number(last.learning_rate if last else None),
        "worker": trial.worker or "",
        "parameters": render.params(trial.params),
    }


def _workers(workers: list[Worker], study: str) -> Table:
    table = render.table("worker", "state", "running here", "running elsewhere")
    for worker in workers[:SHOWN_WORKERS]:
        here = [render.what(attempt) for attempt in worker.running if attempt.study == study]
        elsewhere = len(worker.running) - len(here)
        table.add_row(
            worker.name, render.state(worker.state), ", ".join(here), str(elsewhere or "")
        )
    hidden = len(workers) - SHOWN_WORKERS
    table.caption = f"and {hidden} more" if hidden > 0 else None
    return table
