"""How many devices studies want, as a fleet's engine asks for it."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf
from typing import Any

import pytest

from lehr import Client
from lehr.demand import devices_wanted, work_at_once
from lehr.wire.studies import Study


@pytest.fixture
def study(definition: dict[str, Any]) -> Any:
    def build(state: str = "active", limits: Any = None, epochs: int = 0, **rest: Any) -> Study:
        return Study(
            name="study",
            state=state,
            revision=0,
            epochs=epochs,
            definition=definition | {"limits": limits or {}},
            created_at=datetime.now(UTC),
            **rest,
        )

    return build


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, inf),
        ({"limits": {"max_trials": 10}}, 10),
        ({"limits": {"max_trials": 10, "max_parallel": 4}}, 4),
        ({"limits": {"max_trials": 10}, "counts": {"running": 3, "complete": 5}}, 5),
        ({"limits": {"max_trials": 10}, "counts": {"waiting": 2, "complete": 8}}, 2),
        ({"limits": {"max_trials": 10}, "counts": {"complete": 10}}, 0),
        ({"limits": {"max_parallel": 2}, "counts": {"running": 3}}, 3),
        ({"limits": {"max_epochs": 10}, "epochs": 3}, 2),
        ({"limits": {"max_epochs": 10}, "epochs": 6, "counts": {"running": 2}}, 3),
        ({"limits": {"max_epochs": 10}, "epochs": 12}, 0),
        ({"state": "paused", "counts": {"running": 2, "waiting": 5}}, 2),
        ({"state": "stopping", "counts": {"running": 1}}, 1),
        ({"range_tests": {"sgd": {"state": "waiting"}, "adam": {"state": "running"}}}, 2),
        ({"range_tests": {"sgd": {"state": "running"}}}, 1),
        ({"limits": {"max_trials": 7}, "range_tests": {"sgd": {"state": "complete"}}}, 7),
    ],
)
def test_what_a_study_could_use(study: Any, fields: dict[str, Any], wanted: float) -> None:
    assert work_at_once(study(**fields)) == wanted


def test_studies_add_up_to_what_a_fleet_may_have(
    client: Client, definition: dict[str, Any]
) -> None:
    assert devices_wanted(client, 100) == 0
    client.create_study(definition | {"name": "a", "limits": {"max_trials": 5}})
    client.create_study(definition | {"name": "b", "task": "other", "limits": {"max_trials": 3}})
    client.create_study(definition | {"name": "c", "limits": {"max_trials": 9}})
    client.cancel("c")
    assert devices_wanted(client, 100) == 8
    assert devices_wanted(client, 100, ["digits_mlp"]) == 5
    assert devices_wanted(client, 4) == 4
