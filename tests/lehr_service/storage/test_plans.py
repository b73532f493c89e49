"""EXPLAIN guards: a hot query that stops using its index fails here, on either database."""

import re
from dataclasses import replace

import psycopg
from sqlalchemy import event, insert, text

from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import Outcome, TrialState
from lehr_service.domain.attempt import Attempt
from lehr_service.domain.trial import Trial
from lehr_service.operations.studies import new_study
from lehr_service.storage import attempts, reports, studies, trials, workers
from lehr_service.storage.questions import ask
from lehr_service.storage.tables import reports as reports_table

STUDIES, TRIALS, STEPS = 40, 150, 4


def attempt(study_id, number, outcome=Outcome.COMPLETE):
    return Attempt(
        token=f"{study_id:x}-{number:032x}",
        study_id=study_id,
        trial=number,
        attempt=1,
        worker_id=f"{study_id:032x}",
        outcome=outcome,
        started_at=0.0,
    )


def lost_worker(worker_id):
    return workers.Worker(
        id=worker_id,
        name="w",
        tasks={},
        abilities=[],
        devices=[],
        versions={},
        draining=False,
        lost=True,
        registered_at=0.0,
        heard_at=0.0,
        deadline=0.0,
    )


def fill(connection, definition):
    """Many studies, so that reading all of a table is dearer than an index of it."""
    for index in range(STUDIES):
        study = new_study(StudyDefinition.model_validate(definition(name=f"s{index}")), 0.0)
        study_id = studies.add(connection, studies.columns(study) | {"state": "completed"})
        workers.add(connection, lost_worker(f"{study_id:032x}"))
        numbers = range(TRIALS)
        finished = [Trial(n, TrialState.COMPLETE, 0.0, value=1.0, revision=n) for n in numbers]
        trials.add_all(connection, study_id, finished)
        ended = [(attempt(study_id, n), f"{study_id}-{n}") for n in numbers]
        attempts.add_all(connection, ended)
        row = {
            "study_id": study_id,
            "attempt": 1,
            "value": 1.0,
            "learning_rate": None,
            "metrics": {},
            "verdict": "continue",
            "reason": "",
            "revision": 1,
            "reported_at": 0.0,
        }
        rows = [row | {"trial": n, "step": s} for n in numbers for s in range(STEPS)]
        connection.execute(insert(reports_table), rows)
    return study_id


def hot_queries(study_id):
    """Each by name, with the table it must not read through."""
    one = attempt(study_id, 3)
    running = Trial(3, TrialState.RUNNING, 0.0, steps=1, revision=5)
    me = one.worker_id
    return {
        "lock": ("studies", lambda c: ask(c, studies.lock(study_id))),
        "active": ("studies", lambda c: ask(c, studies.active())),
        "save": (
            "studies",
            lambda c: studies.save(
                c, replace(found := studies.by_id(c, study_id), epochs=9), found, study_attrs=None
            ),
        ),
        "trial": ("trials", lambda c: trials.get(c, study_id, 3)),
        "first_waiting": ("trials", lambda c: trials.first_waiting(c, study_id)),
        "save_trials": ("trials", lambda c: trials.save_all(c, study_id, [running])),
        "save_steps": ("trials", lambda c: trials.save_steps(c, study_id, [running])),
        "save_attrs": ("trials", lambda c: trials.save_attrs(c, study_id, {3: {}}, 5)),
        "changed_since": ("trials", lambda c: ask(c, trials.changed_since(study_id, 148))),
        "best": ("trials", lambda c: trials.best(c, study_id, "minimize")),
        "page": (
            "trials",
            lambda c: trials.page(
                c,
                study_id,
                state=None,
                since_revision=None,
                order_by="number",
                after=(None, 100),
                limit=10,
            ),
        ),
        "attempt": ("attempts", lambda c: attempts.by_token(c, one.token)),
        "claimed_before": (
            "attempts",
            lambda c: ask(c, attempts.by_requests([(me, "x"), (me, "y")])),
        ),
        "running_of_trial": ("attempts", lambda c: attempts.running_of_trial(c, study_id, 3)),
        "running_of_worker": ("attempts", lambda c: attempts.running_of_worker(c, me)),
        "running_tokens": ("attempts", lambda c: attempts.running_tokens(c, [one.token])),
        "end_attempts": ("attempts", lambda c: attempts.end_all(c, [one])),
        "last_step": ("reports", lambda c: reports.last_step(c, one)),
        "report": ("reports", lambda c: reports.get(c, one, 1)),
        "curve": ("reports", lambda c: reports.curve(c, study_id, 3)),
        "values_since": ("reports", lambda c: ask(c, reports.values_since(study_id, 148))),
        "curves_of": ("reports", lambda c: ask(c, reports.curves_of(study_id, [3, 4]))),
        "worker": ("workers", lambda c: workers.get(c, me)),
        "some_workers": ("workers", lambda c: ask(c, workers.some([me, "0" * 32]))),
        "all_heard": ("workers", lambda c: workers.all_heard(c, [me], 1.0, 2.0)),
        "overdue": ("workers", lambda c: workers.overdue(c, -1.0)),
    }


def plan_of(connection, statement, parameters, is_sqlite):
    explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
    rows = connection.exec_driver_sql(explain + statement, parameters).all()
    return "\n".join(str(row[-1]) for row in rows)


def scans(plan, table, is_sqlite):
    if is_sqlite:
        return re.search(rf"SCAN {table}(?! USING)", plan) is not None
    return f"Seq Scan on {table}" in plan


def test_hot_queries_use_their_indexes(database, definition, monkeypatch):
    wrong, seen = {}, []
    executed = psycopg.Connection.execute

    def note_question(connection, query, params=None, **more):
        """What goes past SQLAlchemy."""
        seen.append((query, params))
        return executed(connection, query, params, **more)

    monkeypatch.setattr(psycopg.Connection, "execute", note_question)
    with database.write() as connection:
        study_id = fill(connection, definition)
    with database.write() as connection:
        if not database.is_sqlite:  # it keeps statistics by itself; these tables fit few pages
            connection.execute(text("ANALYZE"))
            connection.execute(text("SET LOCAL random_page_cost = 0.1"))

        def note(_c, _cursor, statement, parameters, _context, many):
            seen.append((statement, parameters[0] if many else parameters))

        if database.is_sqlite:  # it says what it executes, the parameters in their places
            driver = connection.connection.driver_connection
            driver.set_trace_callback(lambda statement: seen.append((statement, ())))
        else:
            event.listen(connection, "before_cursor_execute", note)
        for name, (table, query) in hot_queries(study_id).items():
            seen.clear()
            query(connection)
            calls = list(seen)
            plans = [plan_of(connection, *call, database.is_sqlite) for call in calls]
            assert plans, name
            wrong.update((name, p) for p in plans if scans(p, table, database.is_sqlite))
    assert wrong == {}
