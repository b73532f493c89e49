"""Any order of events, held against a model in plain Python: through the lanes, and over REST.

``LEHR_MODEL_EXAMPLES`` stories, each drawn anew, in place of the few that are always the same; on
``LEHR_FUZZ_DATABASE`` (sqlite or postgres).
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ..conftest import Answers
from ..system.stress import invariants
from . import model_draws as draw
from .conftest import definition
from .model_drivers import LEASE, TASK, ByLanes, ByRest
from .reference import Reference, Study, Worker

MOST_OPEN = 3  # studies at a time, so that much happens to each
OWN_EXAMPLES = os.environ.get("LEHR_MODEL_EXAMPLES")


class Service(RuleBasedStateMachine):
    """Every rule does the same to the service and to the model, and compares what they say."""

    driver: type
    new_database: Callable[[], str]  # makes one with all tables, and gives its URL
    answers: Answers

    def __init__(self):
        super().__init__()
        self.url = type(self).new_database()
        self.answers["stories"] += 1
        self.real = self.driver(self.url, self.answers)
        self.model = Reference(LEASE, draw.EPOCHS)

    def teardown(self):
        self.real.close()
        assert invariants.broken(invariants.load(self.url)) == []

    # --- what a rule is about ---

    def _study(self, pick):
        at_work, index = pick
        if not at_work:
            return list(self.model.studies.values())[index % len(self.model.studies)]
        return self.model.attempts[self._token(pick)].study

    def _worker(self, pick):
        at_work, index = pick
        if not at_work:
            return list(self.model.workers)[index % len(self.model.workers)]
        return self.model.attempts[self._token(pick)].worker

    def _token(self, pick):
        at_work, index = pick
        if not (self.model.running if at_work else self.model.attempts):
            self._crowd(1 + index % 3)
        tokens = self.model.running if at_work else list(self.model.attempts)
        return tokens[index % len(tokens)]

    def _crowd(self, workers):
        """New workers claim, in a new study where there is nothing to do."""
        if not self.model.may_start:
            self._create()
        return [self._claim(self._register()) for _ in range(workers)]

    # --- researchers ---

    @initialize(limits=st.lists(draw.LIMITS, min_size=4, max_size=4))
    def begin(self, limits):
        self.limits = limits
        self._create()
        self._register()

    @precondition(lambda self: len(self.model.open) < MOST_OPEN)
    @rule()
    def create(self):
        self._create()

    def _create(self):
        number = len(self.model.studies)
        name, given = f"study-{number}", self.limits[number % len(self.limits)]
        limits = {limit: most for limit, most in given.items() if most is not None}
        attempts = limits.pop("max_attempts")
        sent = definition(
            name=name,
            task=TASK,
            training={"epochs": draw.EPOCHS},
            limits=limits,
            retry={"max_attempts": attempts},
            pruner={"name": "threshold", "lower": 0.0},
        )
        self.real.create(sent)
        self.real.create(sent)  # again: no second one
        self.model.studies[name] = Study(name, **given)

    @rule(pick=draw.PICK, times=st.integers(1, 3))
    def enqueue(self, pick, times):
        self._enqueue(self._study(pick), times)

    def _enqueue(self, study, times):
        for _ in range(times):
            assert self.real.enqueue(study.name) == self.model.enqueue(study)

    @rule(pick=draw.PICK, queued=st.integers(0, 1), actions=draw.ACTIONS)
    def act(self, pick, queued, actions):
        study = self._study(pick)
        self._enqueue(study, queued)
        for action in actions:
            assert self.real.act(study.name, action) == self.model.act(study, action)
            self.the_same_is_seen()
            self._enqueue(study, queued)

    @rule(pick=draw.PICK, room=st.integers(-1, 2), parallel=st.integers(1, 3), end=draw.OR_NONE)
    def change(self, pick, room, parallel, end):
        """Other limits, perhaps while a trial that was given back waits, or nothing runs."""
        token = self._token(pick)
        if end is not None:
            self._fail(token, end)
        study = self.model.attempts[token].study
        most = max(1, len(study.trials) + room), max(parallel, study.count("running"))
        assert self.real.change(study.name, *most) == self.model.change(study, *most)
        self.the_same_is_seen()
        self._claim(self._register())

    @rule(pick=draw.PICK, number=st.integers(0, 5))
    def stop_trial(self, pick, number):
        study = self._study(pick)
        expected = self.model.stop_trial(study, number)
        assert self.real.stop_trial(study.name, number) == expected

    # --- workers ---

    @rule()
    def register(self):
        self._register()

    def _register(self):
        worker = self.real.register()
        self.model.workers[worker] = Worker(self.model.now + LEASE)
        return worker

    @rule(pick=draw.PICK)
    def heartbeat(self, pick):
        self._beat(self._worker(pick))

    def _beat(self, worker):
        known = self.model.workers[worker]
        mine = [t for t, attempt in self.model.attempts.items() if attempt.worker == worker]
        ended = [token for token in mine if self.model.attempts[token].outcome is not None]
        self.model.heard(worker)
        expected = "worker_unknown" if known.lost else (sorted(ended), known.draining)
        assert self.real.heartbeat(worker, mine) == expected

    @rule(pick=draw.PICK)
    def drain(self, pick):
        worker = self._worker(pick)
        self.real.drain(worker)
        self.model.workers[worker].draining = True

    @rule(pick=draw.PICK, again=st.booleans())
    def claim(self, pick, again):
        self._claim(self._worker(pick), again)

    def _claim(self, worker, again=False):
        """The token of the lease; None where there is nothing to do, or not for this one."""
        request, known = str(uuid.uuid4()), self.model.workers[worker]
        found = self.real.claim(worker, request)
        if known.lost:
            assert found == "worker_unknown"
            return None
        startable = [study for study in self.model.studies.values() if study.may_start]
        if known.draining or not startable:
            assert found is None
            return None
        assert found is not None, f"{[s.name for s in startable]} had a trial"
        name, number, attempt, token = found
        study = self.model.studies[name]
        # Fair share: none of those that may start has fewer trials running.
        assert study in startable
        assert study.count("running") == min(s.count("running") for s in startable)
        assert number == self.model.next_trial(study)
        self.model.claimed(study, number, worker, token)
        assert attempt == study.trials[number].attempts
        if again:
            assert self.real.claim(worker, request) == found
        return token

    @rule(workers=st.integers(2, 5))
    def crowd(self, workers):
        """Most often more of them than may run at once."""
        self._crowd(workers)

    @rule(pick=draw.PICK, step=st.integers(0, draw.EPOCHS), value=draw.VALUES)
    def report(self, pick, step, value):
        self._report(self._token(pick), step, value)

    def _report(self, token, step, value):
        expected = self.model.report(token, step, value)
        assert self.real.report(token, step, value) == expected
        if expected != "invalid":
            assert self.real.report(token, step, value) == self.model.report(token, step, value)

    @rule(pick=draw.PICK, value=draw.VALUES)
    def complete(self, pick, value):
        self._complete(self._token(pick), value)

    def _complete(self, token, value):
        for _ in range(2):
            assert self.real.complete(token, value) == self.model.complete(token, value)

    @rule(pick=draw.PICK, outcome=draw.OUTCOMES)
    def fail(self, pick, outcome):
        self._fail(self._token(pick), outcome)

    def _fail(self, token, outcome):
        for _ in range(2):
            assert self.real.fail(token, outcome) == self.model.fail(token, outcome)

    # --- time ---

    @rule(seconds=draw.SECONDS)
    def pass_time(self, seconds):
        self.model.now += seconds
        self.real.clock.now += seconds
        self.real.sweep()
        self.model.sweep()

    @rule(down=draw.DOWN)
    def restart(self, down):
        self.real.restart(down)
        self.model.restart(down)
        self.pass_time(0)

    @rule(
        parts=st.lists(st.tuples(draw.CURVES, draw.ENDS), min_size=1, max_size=4),
        queued=st.integers(0, 1),
        others=st.booleans(),
    )
    def attempt(self, parts, queued, others):
        """Attempts one after the other, each most often at the trial that was just given back."""
        for curve, end in parts:
            (token,) = self._crowd(1)
            attempt = self.model.attempts[token]
            for step, value in enumerate(curve):
                self._report(token, step, value)
            self.the_same_is_seen()
            self._enqueue(attempt.study, queued)
            if attempt.outcome is None:
                self._end(token, end, others)

    def _end(self, token, end, others):
        if not end.startswith("lost"):
            self._fail(token, end)
            return
        if end == "lost after a restart":
            self.restart(2 * LEASE)
        self._almost_lose(token, others)
        self.the_same_is_seen()
        self.pass_time(1)
        self._report(token, 0, 0.5)

    @rule(which=st.integers(0, 5), by=draw.SIGNS, others=st.booleans())
    def hear(self, which, by, others):
        """A worker at its last moment, and of it what renews its lease."""
        token = self._token((True, which))
        attempt = self.model.attempts[token]
        self._almost_lose(token, others)
        match by:
            case "heartbeat":
                self._beat(attempt.worker)
            case "report":
                self._report(token, max(attempt.verdicts, default=0), 0.5)
            case "complete":
                self._complete(token, 0.5)
            case "fail":
                self._fail(token, "error")
        self.pass_time(1)
        self._beat(attempt.worker)

    def _almost_lose(self, token, others):
        """Come to a second before the end of its lease; whether ``others`` are heard then."""
        worker = self.model.attempts[token].worker
        due = max(self.model.workers[worker].deadline, self.model.grace_until)
        self.pass_time(due - 1 - self.model.now)
        running = {self.model.attempts[token].worker for token in self.model.running}
        for other in running - {worker} if others else ():
            self._beat(other)

    @invariant()
    def an_event_has_happened(self):
        self.answers["events"] += 1

    @invariant()
    def the_same_is_seen(self):
        expected = {
            name: (study.state, [(t.state, t.attempts, t.steps, t.value) for t in study.trials])
            for name, study in self.model.studies.items()
        }
        assert self.real.seen(expected) == expected


@pytest.fixture
def new_database(drawn_on, request, tmp_path):
    if drawn_on == "sqlite":
        template, file = request.getfixturevalue("sqlite_template"), tmp_path / "lehr.db"

        def new_file():
            for old in tmp_path.glob("lehr.db*"):
                old.unlink()
            shutil.copy(template, file)
            return f"sqlite:///{file}"

        return new_file
    make, template = (request.getfixturevalue(n) for n in ("postgres", "postgres_template"))
    return lambda: make(template).replace("postgresql://", "postgresql+psycopg://")


@pytest.mark.parametrize(
    ("driver", "examples", "steps"), [(ByLanes, 16, 40), (ByRest, 4, 40)], ids=["lanes", "rest"]
)
def test_any_order_of_events_is_as_the_model_says(
    driver, examples, steps, answers, drawn_on, new_database
):
    answers.about = f"{driver.__name__}, {drawn_on}"
    facts = {"driver": driver, "new_database": staticmethod(new_database), "answers": answers}
    machine = type(driver.__name__, (Service,), facts)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=int(OWN_EXAMPLES or examples),
            stateful_step_count=steps,
            derandomize=OWN_EXAMPLES is None,
            print_blob=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
