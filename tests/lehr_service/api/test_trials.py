"""Trials, call by call: pages, what changed, fields and reports, the best."""

from lehr_service.api import paging

from .calls import SEVERAL, STUDY, TRIAL_FIELDS, code

# Trials


def ended(http, create, simulated, values, **changes):
    """A study whose trials ended with these values, None: failed."""
    create(http, **changes)
    worker = simulated(http)
    for value in values:
        lease = worker.claim()
        if value is None:
            worker.send(lease, "fail", outcome="error")
        else:
            worker.complete(lease, value=value)
    return worker


def pages(http, **query):
    """All numbers of a list of trials, read two at a time."""
    numbers, after = [], {}
    while True:
        page = http.get(f"{STUDY}/trials", params=query | {"limit": 2} | after).json()
        assert page["items"] or not after
        numbers += [trial["number"] for trial in page["items"]]
        if page["next"] is None:
            return numbers
        after = {"after": page["next"]}


def test_trials_are_listed_in_every_order_by_page(http, create, simulated):
    ended(http, create, simulated, [0.5, None, 0.9, 0.5, -1.5, None, 0.9])
    assert pages(http) == pages(http, order_by="number") == [0, 1, 2, 3, 4, 5, 6]
    assert pages(http, order_by="-number") == [6, 5, 4, 3, 2, 1, 0]
    assert pages(http, order_by="value") == [4, 0, 3, 2, 6, 1, 5]
    assert pages(http, order_by="-value") == [2, 6, 0, 3, 4, 1, 5]
    assert pages(http, state="fail") == [1, 5]
    assert pages(http, state="complete", order_by="-value") == [2, 6, 0, 3, 4]
    assert pages(http, state="waiting") == []


def test_a_cursor_may_have_a_number_that_no_integer_column_takes(http, create, simulated):
    ended(http, create, simulated, [0.5, None, -1.5])
    for number, beyond in ((10**100, [1]), (-(10**100), [2, 0, 1])):
        query = {"order_by": "value", "after": paging.encode(number, 0)}
        page = http.get(f"{STUDY}/trials", params=query).json()
        assert [trial["number"] for trial in page["items"]] == beyond


def test_since_revision_shows_only_what_changed(http, create, simulated):
    worker = ended(http, create, simulated, [0.1, 0.2])
    revision = http.get(STUDY).json()["revision"]
    assert pages(http, since_revision=revision) == []
    lease = worker.claim()
    assert pages(http, since_revision=revision) == [2]
    worker.complete(lease, value=0.3)
    worker.claim()
    assert pages(http, since_revision=revision) == [2, 3]
    assert pages(http, since_revision=revision, state="complete") == [2]
    assert pages(http, since_revision=-1) == [0, 1, 2, 3]


def test_a_trial_shows_its_fields_reports_and_attempts(http, create, simulated):
    create(http)
    worker = simulated(http, "gpu-1")
    lease = worker.claim()
    report = {"step": 0, "value": 0.25, "learning_rate": 0.1, "metrics": {"loss": 1.5}}
    worker.send(lease, "reports", reports=[report])
    assert worker.send(lease, "fail", outcome="preempted").json()["state"] == "waiting"
    lease = worker.claim()
    worker.complete(lease, value=0.5, metrics={"loss": 1.0})
    listed = http.get(f"{STUDY}/trials").json()["items"][0]
    assert listed.keys() == TRIAL_FIELDS
    assert (listed["state"], listed["value"], listed["values"]) == ("complete", 0.5, None)
    assert (listed["attempts"], listed["steps"], listed["worker"]) == (2, 1, "gpu-1")
    assert listed["created_at"] <= listed["started_at"] <= listed["finished_at"]
    trial = http.get(f"{STUDY}/trials/0").json()
    assert {k: trial[k] for k in TRIAL_FIELDS} == listed
    assert trial["metrics"] == {"loss": 1.0}
    assert [a["attempt"] for a in trial["history"]] == [1, 2]
    assert [a["outcome"] for a in trial["history"]] == ["preempted", "complete"]
    (shown,) = http.get(f"{STUDY}/trials/0/reports").json()
    assert shown.keys() == {*report, "attempt", "reported_at"}
    assert {k: shown[k] for k in report} == report
    assert http.get(f"{STUDY}/trials/0/reports", params={"attempt": 2}).json() == []


def test_the_best_trial(http, create, simulated):
    create(http)
    assert code(http.get(f"{STUDY}/best")) == (404, "no_complete_trial")
    worker = simulated(http)
    for value in (0.2, 0.7, 0.7, 0.1):
        worker.run_one(value)
    best = http.get(f"{STUDY}/best").json()
    assert best.keys() == TRIAL_FIELDS
    assert (best["number"], best["value"]) == (1, 0.7)
    assert http.get(STUDY).json()["best"] == best


def test_the_best_of_several_objectives_is_the_pareto_front(http, create, simulated):
    create(http, **SEVERAL)
    worker = simulated(http)
    lease = worker.claim()
    assert worker.send(lease, "complete", value=1).status_code == 422
    assert worker.send(lease, "complete", values=[1]).status_code == 422
    trial = worker.complete(lease, values=[0.9, 10])
    assert (trial["value"], trial["values"]) == (None, [0.9, 10.0])
    for values in ([0.8, 20], [0.5, 1], [0.95, 30], [0.9, 11]):
        worker.complete(worker.claim(), values=values)
    front = http.get(f"{STUDY}/best").json()["items"]
    assert [t["number"] for t in front] == [0, 2, 3]
    assert http.get(STUDY).json()["best"] is None
