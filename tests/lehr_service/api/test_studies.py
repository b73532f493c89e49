"""Studies, call by call: created, listed, steered, changed, awaited, deleted."""

import threading
import time

import pytest

from .calls import COUNTS, STUDIES, STUDY, code


def test_a_study_is_created_once(http, definition):
    first = http.post(STUDIES, json=definition())
    assert first.status_code == 201
    study = first.json()
    assert study.keys() >= {"definition", "state", "reason", "revision", "counts", "best"}
    assert (study["name"], study["state"], study["counts"]) == ("study", "active", COUNTS)
    assert "no worker" in study["reason"]
    assert study["created_at"].endswith("Z")
    again = http.post(STUDIES, json=definition(weight=1, labels={}))
    assert (again.status_code, again.json()) == (200, study)
    other = http.post(STUDIES, json=definition(weight=2))
    assert code(other) == (409, "study_name_taken")
    assert [f["path"] for f in other.json()["error"]["fields"]] == ["name"]
    assert len(http.get(STUDIES).json()["items"]) == 1


def test_validation_alone_stores_nothing(http, definition):
    answer = http.post(STUDIES, json=definition(), params={"validate_only": True})
    assert (answer.status_code, answer.json()["name"]) == (200, "study")
    assert http.get(STUDIES).json() == {"items": [], "next": None}
    assert code(http.get(STUDY)) == (404, "study_unknown")


def test_parameters_are_held_against_what_workers_offer(quick, simulated, definition):
    schema = {"properties": {"batch_size": {"type": "integer"}}, "additionalProperties": False}
    simulated(quick, tasks={"task": schema})
    space = definition()["search_space"]
    for parameters, path in (({"batch_size": [32, 0.5]}, "batch_size"), ({"width": 3}, "width")):
        wrong = definition(search_space=space | {"parameters": parameters})
        for query in ({}, {"validate_only": True}):
            answer = quick.post(STUDIES, json=wrong, params=query)
            assert answer.status_code == 422
            fields = answer.json()["error"]["fields"]
            assert [f["path"] for f in fields] == [f"search_space.parameters.{path}"]
    right = definition(search_space=space | {"parameters": {"batch_size": [32, 64]}})
    study = quick.post(STUDIES, json=right)
    assert (study.status_code, study.json()["reason"]) == (201, None)


def test_studies_are_listed_by_page_and_state(http, create):
    names = [f"study-{index}" for index in range(5)]
    for name in names:
        create(http, name=name)
    http.post(f"{STUDIES}/study-1/pause")
    first = http.get(STUDIES, params={"limit": 2}).json()
    second = http.get(STUDIES, params={"limit": 2, "after": first["next"]}).json()
    create(http, name="newer")
    third = http.get(STUDIES, params={"limit": 2, "after": second["next"]}).json()
    listed = [s["name"] for page in (first, second, third) for s in page["items"]]
    assert listed == names[::-1]
    assert third["next"] is None
    paused = http.get(STUDIES, params={"state": "paused"}).json()
    assert [study["name"] for study in paused["items"]] == ["study-1"]
    assert len(http.get(STUDIES, params={"limit": 6}).json()["items"]) == 6
    assert http.get(STUDIES, params={"limit": 6}).json()["next"] is None


ACTIONS = {  # from a state: the state after each action, None where it is refused
    "active": {"pause": "paused", "resume": "active", "stop": "completed", "cancel": "cancelled"},
    "paused": {"pause": "paused", "resume": "active", "stop": "completed", "cancel": "cancelled"},
    "stopping": {"pause": None, "resume": None, "stop": "stopping", "cancel": "cancelled"},
    "completed": {"pause": None, "resume": None, "stop": None, "cancel": None},
    "cancelled": {"pause": None, "resume": None, "stop": None, "cancel": "cancelled"},
}


@pytest.mark.parametrize("state", ACTIONS)
def test_actions_lead_from_state_to_state(quick, create, simulated, state):
    lead_there = {"paused": "pause", "stopping": "stop", "completed": "stop", "cancelled": "cancel"}
    for action, expected in ACTIONS[state].items():
        name = f"from-{state}-{action}"
        create(quick, name=name, task=action)
        if state == "stopping":
            assert simulated(quick, tasks={action: {}}).claim() is not None
        if state in lead_there:
            quick.post(f"{STUDIES}/{name}/{lead_there[state]}")
        before = quick.get(f"{STUDIES}/{name}").json()
        assert before["state"] == state
        answer = quick.post(f"{STUDIES}/{name}/{action}")
        after = quick.get(f"{STUDIES}/{name}").json()
        if expected is None:
            assert code(answer) == (409, "invalid_transition")
            assert f"it is {state}" in answer.json()["error"]["message"]
            assert after == before
        else:
            assert (answer.status_code, answer.json()) == (200, after)
            assert after["state"] == expected


def test_a_paused_study_gives_no_trials_and_a_stopping_one_ends(http, create, simulated):
    create(http)
    worker = simulated(http)
    lease = worker.claim()
    http.post(f"{STUDY}/pause")
    assert worker.claim() is None
    http.post(f"{STUDY}/resume")
    second = worker.claim()
    assert http.post(f"{STUDY}/stop").json()["state"] == "stopping"
    assert worker.claim() is None
    worker.complete(lease, value=0.5)
    worker.complete(second, value=0.6)
    study = http.get(STUDY).json()
    assert (study["state"], study["counts"]["complete"]) == ("completed", 2)
    assert study["finished_at"] is not None


def test_cancelling_ends_running_and_waiting_trials(http, create, simulated):
    create(http)
    worker = simulated(http)
    lease = worker.claim()
    http.post(f"{STUDY}/trials", json={"params": {}})
    assert http.post(f"{STUDY}/cancel").json()["counts"] == COUNTS | {"fail": 2}
    assert worker.heartbeat(lease).json()["stop"] == [lease["token"]]
    trials = http.get(f"{STUDY}/trials").json()["items"]
    assert [(t["state"], t["reason"]) for t in trials] == [("fail", "cancelled")] * 2


def test_changes_merge_limits_and_leave_the_rest(http, create, definition):
    create(http, limits={"max_trials": 5, "max_parallel": 2}, labels={"a": "1"})
    changes = {"limits": {"max_trials": 9, "max_parallel": None, "timeout": "1h"}, "weight": 2}
    changed = http.patch(STUDY, json=changes)
    assert changed.status_code == 200
    shown = changed.json()["definition"]
    limits = {k: v for k, v in shown["limits"].items() if v is not None}
    assert limits == {"max_trials": 9, "timeout": 3600.0}
    assert (shown["weight"], shown["labels"]) == (2.0, {"a": "1"})
    assert http.patch(STUDY, json={"labels": {"b": "2"}}).json()["definition"]["labels"] == {
        "b": "2"
    }
    assert http.get(STUDY).json()["definition"] == shown | {"labels": {"b": "2"}}
    revision = http.get(STUDY).json()["revision"]
    assert http.patch(STUDY, json={}).json()["definition"]["weight"] == 2.0
    for wrong, path in (
        ({"sampler": "tpe"}, "sampler"),
        ({"limits": {"max_trials": 0}}, "limits.max_trials"),
        ({"weight": -1}, "weight"),
    ):
        answer = http.patch(STUDY, json=wrong)
        assert (answer.status_code, answer.json()["error"]["fields"][0]["path"]) == (422, path)
    assert http.get(STUDY).json()["revision"] <= revision + 1


def test_limits_do_not_fall_below_what_is_done_nor_change_history(http, create, simulated):
    create(http)
    worker = simulated(http)
    worker.run_one()
    worker.run_one()
    low = http.patch(STUDY, json={"limits": {"max_trials": 1}})
    assert (low.status_code, low.json()["error"]["fields"][0]["path"]) == (422, "limits.max_trials")
    assert http.patch(STUDY, json={"limits": {"max_trials": 2}}).json()["state"] == "completed"
    assert code(http.patch(STUDY, json={"limits": {"max_trials": 3}})) == (
        409,
        "invalid_transition",
    )
    assert http.patch(STUDY, json={"labels": {"a": "b"}}).status_code == 200


def test_only_finished_studies_are_deleted(http, create, simulated, definition):
    create(http)
    simulated(http).run_one()
    for action in (None, "pause"):
        if action:
            http.post(f"{STUDY}/{action}")
        assert code(http.delete(STUDY)) == (409, "study_active")
    http.post(f"{STUDY}/cancel")
    answer = http.delete(STUDY)
    assert (answer.status_code, answer.content) == (204, b"")
    assert code(http.delete(STUDY)) == (404, "study_unknown")
    assert code(http.get(f"{STUDY}/trials/0")) == (404, "study_unknown")
    create(http)
    assert http.get(f"{STUDY}/trials").json()["items"] == []


def test_a_study_is_awaited_until_it_changes(http, create):
    revision = create(http)["revision"]
    threading.Timer(0.3, lambda: http.post(f"{STUDY}/pause")).start()
    start = time.monotonic()
    query = {"wait": 20, "since_revision": revision}
    study = http.get(STUDY, params=query).json()
    assert study["state"] == "paused"
    assert study["revision"] > revision
    assert time.monotonic() - start < 10
    start = time.monotonic()
    assert http.get(STUDY, params=query).json() == study
    assert time.monotonic() - start < 5


def test_a_study_is_awaited_no_longer_than_asked(quick, create):
    revision = create(quick)["revision"]
    start = time.monotonic()
    study = quick.get(STUDY, params={"wait": 0.3, "since_revision": revision}).json()
    assert study["revision"] == revision
    assert 0.25 < time.monotonic() - start < 10
