"""What each page shows, read from the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from lehr.keras_code import keras_code
from lehr.wire.space import searched
from lehr.wire.studies import StudyState
from lehr.wire.trials import TrialState
from lehr_service.api import paging
from lehr_service.api.studies import found, view
from lehr_service.api.trials import found_trial, page_of
from lehr_service.api.workers import running_view
from lehr_service.domain.study import Study
from lehr_service.errors import Invalid
from lehr_service.operations.views import report_view, trial_details, trial_view
from lehr_service.search.figures import shown_params
from lehr_service.storage import attempts, range_tests, reports, studies, trials, workers
from lehr_service.storage.trials import OrderBy

PAGE = 50
_RUNNING = 24
_COMPARED = 8
_SPARK = 60

TABS = {  # name of the tab: its title, and the kind of its figure
    "history": ("History", "history"),
    "curves": ("Learning curves", "learning_curves"),
    "intermediate": ("Intermediate values", "intermediate_values"),
    "parallel": ("Parallel coordinates", "parallel_coordinate"),
    "slice": ("Slice", "slice"),
    "contour": ("Contour", "contour"),
    "importances": ("Importances", "importances"),
    "edf": ("Distribution", "edf"),
    "pareto": ("Pareto front", "pareto_front"),
    "timeline": ("Timeline", "timeline"),
    "table": ("Trials", ""),
    "definition": ("Definition", ""),
}


@dataclass(frozen=True)
class Budget:
    """How much of a limit is used."""

    name: str
    done: float
    total: float
    unit: str

    @property
    def left(self) -> float:
        return max(self.total - self.done, 0.0)


def studies_page(
    connection: Connection, *, state: StudyState | None, text: str, after: int | None, now: float
) -> dict[str, Any]:
    """Studies, newest first, each with the best value so far by trial."""
    rows = studies.page(connection, state=state, after=after, limit=PAGE + 1, contains=text)
    listed = rows[:PAGE]
    return {
        "studies": [
            (view(connection, study, now), budgets(study, now), _best_so_far(connection, study))
            for study in listed
        ],
        "after": paging.encode(rows[PAGE - 1].id) if len(rows) > PAGE else None,
    }


def _best_so_far(connection: Connection, study: Study) -> list[float]:
    goals = study.definition.goals
    if len(goals) > 1:
        return []
    better = min if goals[0].direction == "minimize" else max
    best: list[float] = []
    for value in trials.values(connection, study.id):
        best.append(better(best[-1], value) if best else value)
    return thin(best)


def thin(values: list[Any]) -> list[Any]:
    """So many of the values as a small picture shows, the last among them."""
    last = len(values) - 1
    return values if last < _SPARK else [values[i * last // (_SPARK - 1)] for i in range(_SPARK)]


def budgets(study: Study, now: float) -> list[Budget]:
    """The limits of a study that it uses up."""
    limits = study.definition.limits
    finished = study.complete + study.pruned + study.fail
    spent = (study.finished_at or now) - study.created_at
    known = (
        ("trials", finished, limits.max_trials, "trial"),
        ("epochs", study.epochs, limits.max_epochs, "epoch"),
        ("failures", study.failures, limits.max_failed, "failed trial"),
        ("time", spent, limits.timeout, "s"),
    )
    return [Budget(name, done, total, unit) for name, done, total, unit in known if total]


@dataclass(frozen=True)
class Asked:
    """What a reader of a study's page chose."""

    tab: str = "history"
    state: TrialState | None = None
    order: OrderBy = "-number"
    after: str | None = None
    params: Sequence[str] = field(default_factory=list)
    metric: str | None = None


def study_page(connection: Connection, name: str, asked: Asked, now: float) -> dict[str, Any]:
    study = found(connection, name)
    goals = study.definition.goals
    running = trials.in_state(connection, study.id, TrialState.RUNNING)
    curves = reports.points_of(connection, study.id, [t.number for t in running[:_RUNNING]])
    shown = {
        "study": view(connection, study, now),
        "budgets": budgets(study, now),
        "running": [
            (trial_view(name, trial), curves[trial.number]) for trial in running[:_RUNNING]
        ],
        "more_running": max(len(running) - _RUNNING, 0),
        "tabs": {t: title for t, (title, _) in TABS.items() if t != "pareto" or len(goals) > 1},
        "asked": asked,
        "kind": TABS[asked.tab][1],
        "params": shown_params(study.definition),
        "testing": any(not t.state.is_finished for t in range_tests.of_study(connection, study.id)),
        "last_failure": _last_failure(connection, study) if study.fail else None,
    }
    if asked.tab == "table":
        shown |= _table(connection, study, asked)
    return shown


def _last_failure(connection: Connection, study: Study) -> tuple[int, str] | None:
    """The number of the trial that failed last, and what it said."""
    page = page_of(
        connection, study, state=TrialState.FAIL, order_by="-number", limit=1, after=None
    )
    for trial in page.items:
        history = attempts.history(connection, study.id, trial.number)
        said = [attempt.message for attempt in history if attempt.message]
        return trial.number, said[-1] if said else trial.reason or "without a word"
    return None


def _table(connection: Connection, study: Study, asked: Asked) -> dict[str, Any]:
    page = page_of(
        connection, study, state=asked.state, order_by=asked.order, limit=PAGE, after=asked.after
    )
    return {"trials": page.items, "after": page.next}


def trial_page(connection: Connection, name: str, number: int, now: float) -> dict[str, Any]:
    study = found(connection, name)
    trial = found_trial(connection, study, number)
    history = attempts.history(connection, study.id, number)
    names = workers.names(connection, [attempt.worker_id for attempt in history])
    details = trial_details(study, trial, history, names)
    curve = [report_view(row) for row in reports.curve(connection, study.id, number)]
    code = None
    if trial.params is not None:
        code = keras_code(study.definition, details, details.seed)
    return {
        "study": view(connection, study, now),
        "trial": details,
        "last": curve[-1] if curve else None,
        "code": code,
        "previous": number - 1 if number else None,
        "next": number + 1 if number + 1 < study.trials else None,
    }


def compare_page(
    connection: Connection, name: str, numbers: Sequence[int], now: float
) -> dict[str, Any]:
    """Trials side by side; rows of the parameters in which they differ are marked."""
    study = found(connection, name)
    if len(numbers) > _COMPARED:
        message = f"up to {_COMPARED} trials stand side by side, got {len(numbers)}"
        raise Invalid(message, [(("trials",), message)])
    chosen = [found_trial(connection, study, number) for number in dict.fromkeys(numbers)]
    views = [trial_view(name, trial) for trial in chosen]
    goals = {goal.metric for goal in study.definition.goals}
    names = [n for n in searched(study.definition.space) if any(n in v.params for v in views)]
    rows = [(n, [v.params.get(n) for v in views]) for n in names]
    curves = reports.points_of(connection, study.id, [trial.number for trial in chosen])
    return {
        "study": view(connection, study, now),
        "trials": views,
        "last": [curves[v.number][-1] if curves[v.number] else None for v in views],
        "rows": [(n, values, len({str(value) for value in values}) > 1) for n, values in rows],
        "metrics": sorted({name for trial in chosen for name in trial.metrics} - goals),
        "measured": [trial.metrics for trial in chosen],
    }


def range_tests_page(connection: Connection, name: str, now: float) -> dict[str, Any]:
    return {"study": view(connection, found(connection, name), now)}


def workers_page(connection: Connection, now: float) -> dict[str, Any]:
    """Workers with what they run, and the share of their time in which they trained."""
    shown = []
    for worker in workers.listed(connection, limit=1000):
        here = max(now - worker.registered_at, 1e-9) * max(len(worker.devices), 1)
        busy = attempts.seconds_of_worker(connection, worker.id, now)
        idle = min(max(1.0 - busy / here, 0.0), 1.0)
        seen = running_view(connection, worker)
        shown.append((seen, [(r, _epochs(connection, r.study)) for r in seen.running], idle))
    return {"workers": shown}


def _epochs(connection: Connection, name: str) -> int:
    return found(connection, name).definition.training.epochs
