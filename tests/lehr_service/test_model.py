"""Any order of events, held against a model in plain Python: through the lanes, and over REST.

``LEHR_MODEL_EXAMPLES`` stories, each drawn anew, in place of the few that are always the same.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ..system.stress import invariants
from .conftest import definition
from .model_drivers import LEASE, TASK, ByLanes, ByRest
from .reference import Reference, Study, Worker

EPOCHS = 3
OWN_EXAMPLES = os.environ.get("LEHR_MODEL_EXAMPLES")

VALUES = st.sampled_from([0.5, 0.25, 0.75, 0.5, -1.0, None])
OUTCOMES = st.sampled_from(["error", "out_of_memory", "diverged", "preempted", "cancelled"])
ENDS = st.sampled_from(["lost", "lost", "preempted", "error"])
ACTIONS = st.sampled_from(["pause", "resume", "resume", "stop", "cancel"])


class Service(RuleBasedStateMachine):
    """Every rule does the same to the service and to the model, and compares what they say."""

    driver: type

    studies, workers, tokens = Bundle("studies"), Bundle("workers"), Bundle("tokens")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="lehr-model-")
        self.url = f"sqlite:///{Path(self.folder.name) / 'lehr.db'}"
        self.real = self.driver(self.url)
        self.model = Reference(LEASE, EPOCHS)

    def teardown(self):
        self.real.close()
        assert invariants.broken(invariants.load(self.url)) == []
        self.folder.cleanup()

    @rule(
        target=studies,
        max_trials=st.integers(1, 5),
        max_parallel=st.integers(1, 3),
        max_failed=st.none() | st.integers(1, 3),
        max_attempts=st.integers(1, 3),
    )
    def create(self, max_trials, max_parallel, max_failed, max_attempts):
        name = f"study-{len(self.model.studies)}"
        study = Study(name, max_trials, max_parallel, max_failed, max_attempts)
        limits = {"max_trials": max_trials, "max_parallel": max_parallel}
        if max_failed is not None:
            limits["max_failed"] = max_failed
        given = definition(
            name=name,
            task=TASK,
            training={"epochs": EPOCHS},
            limits=limits,
            retry={"max_attempts": max_attempts},
            pruner={"name": "threshold", "lower": 0.0},
        )
        self.real.create(given)
        self.real.create(given)  # sent again: no second one
        self.model.studies[name] = study
        return name

    @rule(name=studies)
    def enqueue(self, name):
        assert self.real.enqueue(name) == self.model.enqueue(self.model.studies[name])

    @rule(name=studies, action=ACTIONS)
    def act(self, name, action):
        assert self.real.act(name, action) == self.model.act(self.model.studies[name], action)

    @rule(name=studies, number=st.integers(0, 5))
    def stop_trial(self, name, number):
        expected = self.model.stop_trial(self.model.studies[name], number)
        assert self.real.stop_trial(name, number) == expected

    @rule(target=workers)
    def register(self):
        worker = self.real.register()
        self.model.workers[worker] = Worker(self.model.now + LEASE)
        return worker

    @rule(worker=workers)
    def heartbeat(self, worker):
        known = self.model.workers[worker]
        mine = [t for t, attempt in self.model.attempts.items() if attempt.worker == worker]
        ended = [token for token in mine if self.model.attempts[token].outcome is not None]
        self.model.heard(worker)
        expected = "worker_unknown" if known.lost else (sorted(ended), known.draining)
        assert self.real.heartbeat(worker, mine) == expected

    @rule(worker=workers)
    def drain(self, worker):
        self.real.drain(worker)
        self.model.workers[worker].draining = True

    @rule(target=tokens, worker=workers, again=st.booleans())
    def claim(self, worker, again):
        request, known = str(uuid.uuid4()), self.model.workers[worker]
        found = self.real.claim(worker, request)
        if known.lost:
            assert found == "worker_unknown"
            return multiple()
        startable = [study for study in self.model.studies.values() if study.may_start]
        if known.draining or not startable:
            assert found is None
            return multiple()
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

    @rule(token=tokens, step=st.integers(0, EPOCHS), value=VALUES)
    def report(self, token, step, value):
        expected = self.model.report(token, step, value)
        assert self.real.report(token, step, value) == expected
        if expected != "invalid":
            assert self.real.report(token, step, value) == self.model.report(token, step, value)

    @rule(token=tokens, value=VALUES)
    def complete(self, token, value):
        expected = self.model.complete(token, value)
        assert self.real.complete(token, value) == expected
        assert self.real.complete(token, value) == self.model.complete(token, value)

    @rule(token=consumes(tokens), outcome=OUTCOMES)
    def fail(self, token, outcome):
        assert self.real.fail(token, outcome) == self.model.fail(token, outcome)
        assert self.real.fail(token, outcome) == self.model.fail(token, outcome)

    @rule(seconds=st.sampled_from([1.0, LEASE / 2, LEASE - 1, LEASE, 3 * LEASE]))
    def pass_time(self, seconds):
        self.model.now += seconds
        self.real.clock.now += seconds
        self.real.sweep()
        self.model.sweep()

    @precondition(lambda self: any(s.may_start for s in self.model.studies.values()))
    @rule(target=tokens, ends=st.lists(ENDS, min_size=1, max_size=4))
    def attempt(self, ends):
        """Attempts one after the other, each most often at the trial that was just given back."""
        found = []
        for end in ends:
            before = len(self.model.attempts)
            self.claim(self.register(), again=False)
            tokens = list(self.model.attempts)[before:]
            if end == "lost":
                self.pass_time(self.model.grace_until - self.model.now + LEASE)
            for token in tokens:
                if end == "lost":
                    self.report(token, 0, 0.5)
                else:
                    self.fail(token, end)
            found += tokens
        return multiple(*found)

    @rule()
    def restart(self):
        self.real.restart()
        self.model.restart()

    @invariant()
    def the_same_is_seen(self):
        for name, study in self.model.studies.items():
            expected = [(t.state, t.attempts, t.steps, t.value) for t in study.trials]
            assert self.real.study(name) == (study.state, expected)


@pytest.mark.parametrize(
    ("driver", "examples", "steps"), [(ByLanes, 16, 40), (ByRest, 5, 40)], ids=["lanes", "rest"]
)
def test_any_order_of_events_is_as_the_model_says(driver, examples, steps):
    machine = type(driver.__name__, (Service,), {"driver": driver})
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
