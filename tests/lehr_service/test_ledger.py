"""What a lane keeps between its transactions."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from lehr.wire.trials import Outcome, TrialState
from lehr_service.domain.attempt import Attempt
from lehr_service.domain.trial import Trial
from lehr_service.operations import ledger as module
from lehr_service.operations.ledger import Ledger


def trial(number, state=TrialState.RUNNING):
    return Trial(number=number, state=state, created_at=0.0)


def attempt(number, outcome=None):
    return Attempt(
        study_id=1,
        trial=number,
        attempt=1,
        token=f"token {number}",
        worker_id="w",
        outcome=outcome,
        started_at=0.0,
    )


@pytest.fixture
def stored(monkeypatch):
    """Rows of the database, in place of the queries for them."""
    rows = {5: trial(5, TrialState.COMPLETE), "token 5": attempt(5, Outcome.COMPLETE)}
    get = lambda connection, study_id, number: rows.get(number)  # noqa: E731
    monkeypatch.setattr(module, "trials", SimpleNamespace(get=get))
    by_token = lambda connection, token: rows.get(token)  # noqa: E731
    monkeypatch.setattr(module, "attempts", SimpleNamespace(by_token=by_token))
    return rows


def test_what_may_act_again_is_kept_and_nothing_else(stored):
    ledger = Ledger(1)
    for number in range(3):
        ledger.add_trial(trial(number))
        ledger.add_attempt(attempt(number), f"request {number}")
    ledger.save_trial(trial(1, TrialState.PRUNED))
    ledger.end_attempt(replace(attempt(1), outcome=Outcome.PRUNED))
    ledger.save_trial(trial(2, TrialState.WAITING))  # handed back
    ledger.end_attempt(replace(attempt(2), outcome=Outcome.PREEMPTED))
    assert ledger.trial(None, 5) == stored[5]
    assert ledger.attempt(None, "token 5") == stored["token 5"]
    ledger.forget_finished()
    assert set(ledger._trials) == {0, 2}
    assert set(ledger._attempts) == set(ledger._last_steps) == {"token 0"}
    assert ledger.trial(None, 1) is None  # looked up again
