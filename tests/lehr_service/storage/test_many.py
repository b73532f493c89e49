"""Writes that go out together: what is stored is the same, and so is what an error does."""

import math
import threading

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import Outcome, TrialState
from lehr_service.domain.attempt import Attempt
from lehr_service.domain.trial import Trial
from lehr_service.operations.studies import new_study
from lehr_service.settings import Settings
from lehr_service.storage import attempts, reports, studies, trials, workers
from lehr_service.storage.driver import unanswered
from lehr_service.storage.faults import is_fault
from lehr_service.storage.questions import ask
from lehr_service.storage.session import Database


def worker(worker_id, lost=False):
    return workers.Worker(worker_id, "w", {}, [], {}, [], False, lost, 0.0, 0.0, 0.0)


@pytest.fixture
def study_id(database, definition):
    """A study, beside a worker ``w``."""
    study = new_study(StudyDefinition.model_validate(definition()), 0.0)
    with database.write() as connection:
        workers.add(connection, worker("w"))
        return studies.add(connection, studies.columns(study))


def mixed_trials():
    """Nulls among values, texts beside members of enumerations, whole numbers among others."""
    return [
        Trial(0, TrialState.COMPLETE, 1, value=2, params={"a": [1, "ü{},\"'"]}, finished_at=3),
        Trial(1, TrialState.PRUNED, 1.5, reason='it {lags}, \\ "far"', metrics={"b": None}),
        Trial(2, TrialState.FAIL, 1.5, reason=Outcome.CANCELLED, value=math.inf, worker=""),
        Trial(3, TrialState.WAITING, 1e300, fixed_params={"c": True}, revision=2**31 - 1),
    ]


@pytest.mark.parametrize("size", [1, 4])
def test_many_rows_are_stored_as_one_would_be(database, study_id, size):
    expected = mixed_trials()[:size]
    with database.write() as connection, unanswered(connection):
        trials.add_all(connection, study_id, expected, {0: {"x": 1}})
    with database.read() as connection:
        assert trials.every(connection, study_id) == expected
        changed = ask(connection, trials.changed_since(study_id, -1))
        found = {trial.number: attrs for trial, attrs in changed}
    assert found == {trial.number: {"x": 1} if trial.number == 0 else {} for trial in expected}


def test_steps_go_to_their_trials_only(database, study_id):
    given = [Trial(number, TrialState.RUNNING, 0.0) for number in range(6)]
    stepped = [Trial(n, TrialState.RUNNING, 0.0, steps=10 + n, revision=n) for n in (4, 1, 3)]
    with database.write() as connection, unanswered(connection):
        trials.add_all(connection, study_id, given)
        trials.save_steps(connection, study_id, stepped)
    with database.read() as connection:
        found = {t.number: (t.steps, t.revision) for t in trials.every(connection, study_id)}
    assert found == {0: (0, 0), 1: (11, 1), 2: (0, 0), 3: (13, 3), 4: (14, 4), 5: (0, 0)}


def test_workers_that_were_given_up_are_not_heard(database):
    with database.write() as connection:
        for worker_id, lost in {"a": False, "b": True, "c": False, "d": False}.items():
            workers.add(connection, worker(worker_id, lost))
        with unanswered(connection):
            workers.all_heard(connection, {"a", "b", "d", "nobody"}, 5.0, 6.0)
        found = ask(connection, workers.some(["a", "b", "c", "d", "nobody"]))
    assert {i: (w.heard_at, w.deadline) for i, w in found.items()} == {
        "a": (5.0, 6.0),
        "b": (0.0, 0.0),
        "c": (0.0, 0.0),
        "d": (5.0, 6.0),
    }


def test_lanes_that_hear_the_same_workers_do_not_wait_for_each_other(database):
    """Each locks them in one order, whatever the order that they are given in."""
    names = [f"{n:02}" for n in range(40)]
    with database.write() as connection:
        for name in reversed(names):
            workers.add(connection, worker(name))
    errors = []

    def hear(them):
        try:
            for moment in range(25):
                with database.write() as connection, unanswered(connection):
                    workers.all_heard(connection, them, moment, moment)
        except DBAPIError as error:
            errors.append(error)

    lanes = [threading.Thread(target=hear, args=[order]) for order in (names, names[::-1])]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    assert errors == []


def started(study_id, number, request_id):
    token = f"{study_id:x}-{request_id}"
    return Attempt(token, study_id, number, 1, "w", None, 0.0), request_id


def test_answers_are_found_by_worker_and_request(database, study_id):
    others = [("w", f"s{n}") for n in range(120)]
    with database.write() as connection:
        workers.add(connection, worker("v"))
        attempts.add_all(connection, [started(study_id, n, f"r{n}") for n in range(3)])
        asked = [("v", "r1"), ("w", "r0"), *others, ("v", ""), ("w", "r2")]
        found = ask(connection, attempts.by_requests(asked))
    assert {claim: attempt.trial for claim, attempt in found.items()} == {
        ("w", "r0"): 0,
        ("w", "r2"): 2,
    }


def test_what_cannot_be_stored_is_an_error_as_any_other(database, study_id):
    """Also where it is only heard of at the end, with all that was sent beside it undone."""
    with database.write() as connection:
        attempts.add_all(connection, [started(study_id, 0, "r0")])

    def one_is_a_double():
        with database.write() as connection, unanswered(connection):
            trials.add_all(connection, study_id, [Trial(0, TrialState.RUNNING, 0.0)])
            attempts.add_all(connection, [started(study_id, n, "r0") for n in (1, 2)])
            trials.add_all(connection, study_id, [Trial(1, TrialState.RUNNING, 0.0)])

    with pytest.raises(IntegrityError):
        one_is_a_double()
    with database.write() as connection:
        assert trials.every(connection, study_id) == []
        assert attempts.count(connection, study_id) == 1


def test_a_connection_that_breaks_is_a_fault_and_replaced(postgres, definition):
    database = Database(Settings(database_url=postgres()).url, connections=2)
    database.migrate()
    study = new_study(StudyDefinition.model_validate(definition()), 0.0)
    with database.write() as connection:
        study_id = studies.add(connection, studies.columns(study))

    def broken_off():
        with database.write() as connection:
            own = connection.scalar(text("SELECT pg_backend_pid()"))
            with database.read() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})
            with unanswered(connection):
                trials.add_all(connection, study_id, [Trial(0, TrialState.RUNNING, 0.0)])

    with pytest.raises(DBAPIError) as caught:
        broken_off()
    assert is_fault(caught.value)
    assert database.failure is not None
    with database.write() as connection:
        trials.add_all(connection, study_id, [Trial(0, TrialState.RUNNING, 0.0)])
    assert database.problem() is None
    database.close()


def test_a_batch_is_a_statement_a_kind_of_change(postgres, definition, monkeypatch):
    database = Database(Settings(database_url=postgres()).url)
    database.migrate()
    study = new_study(StudyDefinition.model_validate(definition()), 0.0)
    row = {"learning_rate": None, "metrics": {}, "verdict": "continue", "reason": ""}
    said = []
    with database.write() as connection:
        study_id = studies.add(connection, studies.columns(study))
        row |= {"study_id": study_id, "attempt": 1, "revision": 1, "reported_at": 0.0, "step": 0}
        executed = psycopg.Connection.execute

        def note(driver, query, *call, **more):
            said.append(query)
            return executed(driver, query, *call, **more)

        monkeypatch.setattr(psycopg.Connection, "execute", note)
        with unanswered(connection):
            trials.add_all(connection, study_id, mixed_trials())
            trials.save_steps(connection, study_id, mixed_trials())
            reports.add_all(connection, [row | {"trial": n, "value": n / 2} for n in range(4)])
            workers.all_heard(connection, ["a", "b"], 0.0, 0.0)
    assert len(said) == 4
    database.close()
