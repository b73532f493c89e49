"""What happens to studies: creation, changes, pause, resume, stop, cancel, deletion."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from lehr.wire.parts import Limits
from lehr.wire.range_tests import RangeTestState
from lehr.wire.studies import StudyChanges, StudyDefinition, StudyState
from lehr_service.domain import range_test as range_test_rules
from lehr_service.domain import study as study_rules
from lehr_service.domain.study import Study
from lehr_service.errors import Invalid, InvalidTransition, StudyActive, StudyNameTaken
from lehr_service.operations import schemas
from lehr_service.operations.desk import Desk
from lehr_service.operations.range_tests import reused
from lehr_service.search import check_definition, narrowing
from lehr_service.storage import range_tests, studies, workers


def new_study(definition: StudyDefinition, now: float) -> Study:
    """A study as it starts; its sampler's seed is drawn here where the definition has none."""
    seed = definition.sampler.get("seed")
    return Study(
        id=0,
        name=definition.name,
        definition=definition,
        seed=secrets.randbits(32) if seed is None else seed,
        state=StudyState.ACTIVE,
        reason=None,
        revision=0,
        waiting=0,
        running=0,
        complete=0,
        pruned=0,
        fail=0,
        returned=0,
        failures=0,
        epochs=0,
        finished_epochs=0,
        exhausted=False,
        virtual_time=0.0,
        created_at=now,
        finished_at=None,
        range_tests_waiting=len(range_test_rules.planned(definition)),
    )


def create(connection: Connection, definition: StudyDefinition, now: float) -> tuple[Study, bool]:
    """Store a study; an identical one under the name is answered instead, with False.

    Raises StudyNameTaken, and Invalid where no worker's task takes such parameters.
    """
    existing = _identical(connection, definition)
    if existing is not None:
        return existing, False
    check(connection, definition, now)
    study = new_study(definition, now)
    tests = [reused(connection, test) for test in range_test_rules.planned(definition)]
    waiting = sum(test.state is RangeTestState.WAITING for test, _ in tests)
    study = replace(
        study,
        virtual_time=studies.least_virtual_time(connection),
        range_tests_waiting=waiting,
    )
    attrs = {} if waiting else narrowing(range_test_rules.bounds([test for test, _ in tests]))
    try:
        with connection.begin_nested():
            study_id = studies.add(connection, studies.columns(study) | {"attrs": attrs})
            for test, losses in tests:
                range_tests.add(connection, study_id, test, losses)
    except IntegrityError:
        existing = _identical(connection, definition)
        if existing is None:
            raise
        return existing, False
    return replace(study, id=study_id), True


def _identical(connection: Connection, definition: StudyDefinition) -> Study | None:
    existing = studies.by_name(connection, definition.name)
    if existing is not None and studies.dump(existing.definition) != studies.dump(definition):
        raise StudyNameTaken(definition.name)
    return existing


def check(connection: Connection, definition: StudyDefinition, now: float) -> None:
    """What only the sampler, the pruner and the workers can say about a definition.

    Raises Invalid.
    """
    wrong = check_definition(definition)
    if wrong:
        raise Invalid("the definition cannot be searched", wrong)
    check_parameters(connection, definition, now)


def check_parameters(connection: Connection, definition: StudyDefinition, now: float) -> None:
    """Hold the task's own parameters against the schemas of the workers that offer the task.

    Raises Invalid unless one of them, or none, takes the parameters.
    """
    offered = workers.schemas(connection, definition.task, now)
    found = [schemas.refusals(schema, definition.space.parameters) for schema in offered]
    if found and all(found):
        raise Invalid(f"task {definition.task!r} does not take these parameters", found[0])


def change(desk: Desk, changes: StudyChanges) -> Study:
    """Change limits (those named; null removes one), weight and labels of a study."""
    given = changes.model_fields_set
    definition = desk.study.definition
    updates: dict[str, Any] = {}
    if changes.limits is not None:
        updates["limits"] = _changed_limits(desk.study, changes.limits)
    if "weight" in given and changes.weight is not None:
        updates["weight"] = changes.weight
    if "labels" in given and changes.labels is not None:
        updates["labels"] = changes.labels
    if updates:
        desk.change(definition=definition.model_copy(update=updates))
        desk.settle()
    return desk.study


def _changed_limits(study: Study, changes: Limits) -> Limits:
    if study.state.is_finished:
        raise InvalidTransition(f"study {study.name!r} is {study.state}: its limits are history")
    limits = study.definition.limits.model_copy(
        update={name: getattr(changes, name) for name in changes.model_fields_set}
    )
    if limits.max_trials is not None and limits.max_trials < study.trials:
        message = f"must be at least {study.trials}, the number of its trials so far"
        raise Invalid("max_trials is too low", [(("limits", "max_trials"), message)])
    if limits.target is not None and len(study.definition.goals) > 1:
        raise Invalid("no target", [(("limits", "target"), "needs a single objective")])
    return limits


def act(desk: Desk, action: str) -> Study:
    """Pause, resume, stop or cancel a study. Raises InvalidTransition."""
    state = study_rules.transition(desk.study, action)
    if state is not desk.study.state:
        reasons = {"pause": "paused", "resume": None, "stop": "stopped", "cancel": "cancelled"}
        desk.move(state, reasons[action])
        if action == "resume":
            least = studies.least_virtual_time(desk.connection)
            desk.change(virtual_time=max(desk.study.virtual_time, least))
        desk.settle()
    return desk.study


def remove(desk: Desk) -> None:
    """Delete a finished study with all of its trials. Raises StudyActive."""
    if not desk.study.state.is_finished:
        raise StudyActive(desk.study.name, desk.study.state)
    studies.remove(desk.connection, desk.study.id)
