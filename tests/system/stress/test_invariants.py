"""The stress gate can fail: each kind of damage to a sound database is named."""

import sqlite3
import uuid

import pytest

from lehr import Client
from lehr.wire.workers import Completion, Failure, NewReport

from . import invariants
from .workers import TASK, Worker, value_of

DEFINITION = {
    "name": "sound",
    "task": TASK,
    "objective": {"metric": "val_accuracy", "direction": "maximize"},
    "search_space": {"optimizer": {"sgd": {"learning_rate": [0.001, 0.01, 0.1, 1.0]}}},
    "training": {"epochs": 3},
    "sampler": {"name": "brute_force", "seed": 1},
    "pruner": {"name": "threshold", "lower": 0.0},
    "limits": {"max_trials": 3, "max_parallel": 1, "max_epochs": 9},
}
ENDS = ("preempted", "complete", "complete", "prune")  # the first two at the same trial
LAST = "WHERE trial = 0 AND attempt = 2"
DAMAGE = {
    "DELETE FROM reports WHERE trial = 1 AND step = 1": "report of step 1 is not stored",
    "UPDATE reports SET value = 0.25 WHERE trial = 1": "stored as 0.25",
    "UPDATE reports SET verdict = 'continue'": "it was pruned, which is not stored",
    "UPDATE reports SET verdict = 'stop' WHERE trial = 1": "told to continue, stored is stop",
    "UPDATE reports SET revision = 99 WHERE attempt = 1": "acted while the one before it did",
    "UPDATE reports SET revision = 9 - step WHERE trial = 1": "reported steps out of order",
    f"DELETE FROM reports {LAST}": "report of step 0 is not stored",
    f"UPDATE attempts SET outcome = NULL, finished_at = NULL {LAST}": "has no outcome",
    f"UPDATE attempts SET finished_at = NULL {LAST}": "an outcome or an end, but not both",
    f"UPDATE attempts SET outcome = 'error' {LAST}": "completion by TOKEN is not stored",
    f"DELETE FROM attempts {LAST}": "says 2 attempts, but there are 1",
    "UPDATE attempts SET outcome = 'complete'": "an attempt began though one before it",
    "UPDATE attempts SET outcome = 'lost' WHERE trial = 0 AND attempt = 1": "was lost 1 times",
    "UPDATE trials SET number = 9 WHERE number = 2": "numbers have a gap",
    "DELETE FROM trials WHERE number = 2": "ended for max_trials, which is 3, with 2 trials",
    "UPDATE trials SET state = 'waiting' WHERE number = 1": "waiting is 0, but its trials say 1",
    "UPDATE trials SET state = 'fail', reason = 'error' WHERE number = 1": "failures is 0",
    "UPDATE trials SET steps = 1 WHERE number = 1": "says 1 steps, but its reports say 2",
    "UPDATE trials SET value = 0.75 WHERE number = 1": "the value told by TOKEN has changed",
    "UPDATE trials SET params = '{}'": "was tried 3 times by sampler brute_force",
    "UPDATE trials SET params = '{\"a\":1}' WHERE number = 1": "its parameters have changed",
    "UPDATE trials SET state = 'running' WHERE number < 2": "2 trials run, max_parallel is 1",
    "UPDATE studies SET complete = 3": "complete is 3, but its trials say 2",
    "UPDATE studies SET returned = 1": "returned is 1, but its trials say 0",
    "UPDATE studies SET epochs = 10": "10 epochs were reported, max_epochs is 9",
    "UPDATE studies SET state = 'active'": "is stuck: active",
    "UPDATE studies SET definition = replace(definition, '_trials\": 3', '_trials\": 2')": (
        "has 3 trials, max_trials is 2"
    ),
    "UPDATE attempts SET trial = 1, attempt = 7 WHERE trial = 2": "stored as trial 1, attempt 7",
}
FALSE_ACCOUNTS = {
    "surprise": ({"error": "ApiError(500)", "said": "oops"}, "answered with ApiError(500)"),
    "enqueued": ({"study": "sound", "trial": 5, "params": {}}, "is not stored as it was given"),
    "fail": ({"token": "none", "outcome": "error"}, "end of TOKEN as error is not stored"),
    "range_test": ({"token": "none"}, "result of the range test TOKEN is not stored"),
    "lease": ({"token": "none", "study": "sound", "request": "1"}, "TOKEN of sound is not stored"),
}


@pytest.fixture
def finished(serve, tmp_path):
    """The file of a finished study, and what its worker was told."""
    file = tmp_path / "lehr.db"
    server = serve(database_url=f"sqlite:///{file}", sampler_processes=0)
    account = Account()
    with Client(server.url) as client:
        client.create_study(DEFINITION)
        worker = Worker("worker", client, account, None)
        worker.register()
        for end in ENDS:
            request = str(uuid.uuid4())
            worker.note_lease(request, lease := client.claim(worker.id, request))
            for step in range(2):
                value = value_of(lease.study, lease.trial.number, lease.attempt, step)
                is_bad = end == "prune" and step == 1
                batch = [NewReport(step=step, value=-1.0 if is_bad else value)]
                worker.note_report(lease, batch, client.report(lease.token, batch).verdict)
            if end == "preempted":
                client.fail(lease.token, Failure(outcome=end))
                account.note("fail", token=lease.token, outcome=end)
            elif end == "complete":
                trial = client.complete(lease.token, Completion(value=0.5))
                account.note("complete", token=lease.token, value=trial.value, values=None)
    server.stop()
    return file, account.told


class Account:
    def __init__(self):
        self.told = []

    def note(self, what, **facts):
        self.told.append({"what": what, **facts})


def complaints(file, told):
    stored = invariants.load(f"sqlite:///{file}")
    found = [
        *invariants.broken(stored),
        *invariants.unfinished(stored),
        *invariants.unkept(stored, told),
    ]
    for token in {entry["token"] for entry in told if "token" in entry}:
        found = [text.replace(token, "TOKEN") for text in found]
    return found


def test_every_damage_is_named_and_a_sound_database_is_not(finished):
    file, told = finished
    assert complaints(file, told) == []
    connection = sqlite3.connect(file, isolation_level=None)
    sound = "\n".join(connection.iterdump())
    for statement, complaint in DAMAGE.items():
        damaged = file.with_name("damaged.db")
        damaged.unlink(missing_ok=True)
        other = sqlite3.connect(damaged, isolation_level=None)
        other.executescript(sound)
        changed = other.execute(statement).rowcount
        other.close()
        assert changed > 0, statement
        found = complaints(damaged, told)
        assert any(complaint in text for text in found), (statement, found)
    connection.close()


def test_every_false_account_is_named(finished):
    file, told = finished
    for what, (facts, complaint) in FALSE_ACCOUNTS.items():
        found = complaints(file, [*told, {"what": what, **facts}])
        assert any(complaint in text for text in found), (what, found)
    lease = next(entry for entry in told if entry["what"] == "lease")
    other = next(e for e in told if e["what"] == "lease" and e["token"] != lease["token"])
    twice = [*told, lease | {"token": other["token"]}]
    assert "was answered with two leases" in " ".join(complaints(file, twice))
    forgotten = [e | {"steps": []} if e.get("attempt") == 2 else e for e in told]
    assert "reports of steps [0, 1] were not in it" in " ".join(complaints(file, forgotten))
