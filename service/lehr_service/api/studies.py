"""Studies: create, look, change, end."""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from lehr.wire.range_tests import RangeTestList
from lehr.wire.space import range_tests as range_tests_of
from lehr.wire.studies import Study as StudyView
from lehr.wire.studies import StudyChanges, StudyDefinition, StudyPage, StudyState
from lehr.wire.trials import Trial as TrialView
from lehr_service.api import paging
from lehr_service.api.deps import Here, Server, StudyName, answer, refuses
from lehr_service.domain.range_test import RangeTest
from lehr_service.domain.study import Study
from lehr_service.domain.trial import Trial, pareto_front
from lehr_service.errors import NoCompleteTrial, StudyUnknown
from lehr_service.operations import studies as operations
from lehr_service.operations.pruning import pruning_of
from lehr_service.operations.range_tests import ABILITY
from lehr_service.operations.views import range_test_view, study_view, trial_view
from lehr_service.storage import range_tests, studies, trials, workers

router = APIRouter(prefix="/v1/studies", tags=["studies"])

Revision = Annotated[
    int, Query(ge=-1, le=2**31 - 1, description="only what changed after this revision")
]
Wait = Annotated[float, Query(ge=0, le=60, description="seconds to wait for a change")]
Limit = Annotated[int, Query(ge=1, le=1000, description="most items of a page")]
Cursor = Annotated[
    str,
    Query(
        max_length=200,
        pattern=r"^[A-Za-z0-9_-]*$",
        description="`next` of the page before; none for the first",
    ),
]


def found(connection: Connection, name: str) -> Study:
    study = studies.by_name(connection, name)
    if study is None:
        raise StudyUnknown(name)
    return study


def view(connection: Connection, study: Study, now: float) -> StudyView:
    """A study as the service shows it."""
    goals = study.definition.goals
    single = len(goals) == 1
    best = trials.best(connection, study.id, goals[0].direction) if single else None
    task = study.definition.task
    is_offered = bool(workers.schemas(connection, task, now))
    return study_view(
        study,
        best,
        _tests(connection, study),
        pruning=pruning_of(connection, study),
        task_is_offered=is_offered,
        problems=() if is_offered else workers.problems(connection, now),
        tests_are_offered=not study.is_testing or workers.some_can(connection, ABILITY, task, now),
    )


def _tests(connection: Connection, study: Study) -> list[RangeTest]:
    """Looked for only where there can be any: most studies have none."""
    return (
        range_tests.of_study(connection, study.id) if range_tests_of(study.definition.space) else []
    )


async def _shown(here: Server, name: str) -> StudyView:
    return await here.read(lambda c: view(c, found(c, name), here.clock()))


@router.post(
    "",
    status_code=201,
    response_model=StudyView,
    responses={200: {"model": StudyView, "description": "exists already"}, **refuses(400, 409)},
)
async def create_study(
    definition: StudyDefinition,
    here: Here,
    validate_only: Annotated[bool, Query(description="check, and store nothing")] = False,
) -> Response:
    """Create a study; the same definition under the same name again is answered with 200."""
    if validate_only:
        return answer(await here.read(lambda c: _validated(c, definition, here.clock())))
    create = partial(operations.create, definition=definition, now=here.clock())
    study, is_new = await here.write(create)
    here.changes.notify("work")
    return answer(await _shown(here, study.name), 201 if is_new else 200)


def _validated(connection: Connection, definition: StudyDefinition, now: float) -> StudyView:
    operations.check(connection, definition, now)
    return view(connection, operations.new_study(definition, now), now)


@router.get("", response_model=StudyPage, responses=refuses())
async def list_studies(
    here: Here,
    state: StudyState | None = None,
    limit: Limit = 100,
    after: Cursor | None = None,
) -> Response:
    """Studies, the newest first."""
    key = None if after is None else paging.decode(after, 1)[0]

    def page(connection: Connection) -> StudyPage:
        rows = studies.page(connection, state=state, after=key, limit=limit + 1)
        items = [view(connection, study, here.clock()) for study in rows[:limit]]
        return StudyPage(
            items=items, next=paging.encode(rows[limit - 1].id) if len(rows) > limit else None
        )

    return answer(await here.read(page))


@router.get("/{name}", response_model=StudyView, responses=refuses(404))
async def show_study(
    name: StudyName, here: Here, wait: Wait = 0, since_revision: Revision | None = None
) -> Response:
    """One study; with ``wait`` and ``since_revision`` answers when it has a later revision."""
    study = await here.read(lambda c: found(c, name))
    if wait and since_revision is not None:
        await _later(here, study.id, since_revision, time.monotonic() + wait)
    return answer(await _shown(here, name))


async def _later(here: Server, study_id: int, revision: int, until: float) -> None:
    with here.changes.watch(study_id) as watch:
        while True:
            current = await here.read(lambda c: studies.revision(c, study_id))
            left = until - time.monotonic()
            if current is None or current > revision or left <= 0 or here.changes.ended:
                return
            await watch.wait(left)


@router.patch("/{name}", response_model=StudyView, responses=refuses(400, 404, 409))
async def change_study(name: StudyName, changes: StudyChanges, here: Here) -> Response:
    """Change limits, weight or labels; what is left out stays, a limit that is null goes."""
    study = await here.read(lambda c: found(c, name))
    await here.lanes.submit(study.id, lambda desk: operations.change(desk, changes))
    return answer(await _shown(here, name))


@router.post("/{name}/{action}", response_model=StudyView, responses=refuses(404, 409))
async def act_on_study(
    name: StudyName, action: Literal["pause", "resume", "stop", "cancel"], here: Here
) -> Response:
    """Pause (no new trials), resume, stop (running trials finish), or cancel (now)."""
    study = await here.read(lambda c: found(c, name))
    await here.lanes.submit(study.id, lambda desk: operations.act(desk, action))
    return answer(await _shown(here, name))


@router.delete("/{name}", status_code=204, responses=refuses(404, 409))
async def delete_study(name: StudyName, here: Here) -> Response:
    """Delete a study that has ended, with all of its trials."""
    study = await here.read(lambda c: found(c, name))
    await here.lanes.submit(study.id, operations.remove)
    return Response(status_code=204)


@router.get("/{name}/range_tests", response_model=RangeTestList, responses=refuses(404))
async def list_range_tests(name: StudyName, here: Here) -> Response:
    """The range tests of a study: one for each optimizer whose learning rate is a ``range_test``.

    They run before the first trial. Each seed has a curve; several published rules read all of
    them, and the bounds span what they suggest, widened by half a decade on both sides. A test
    that suggests nothing leaves all of its rates to the search; one that fails fails the study.
    """

    def listed(connection: Connection) -> RangeTestList:
        study = found(connection, name)
        losses = range_tests.losses(connection, study.id)
        return RangeTestList(
            items=[
                range_test_view(test, losses.get(test.number))
                for test in range_tests.of_study(connection, study.id)
            ]
        )

    return answer(await here.read(listed))


@router.get(
    "/{name}/best", response_model=TrialView | dict[str, list[TrialView]], responses=refuses(404)
)
async def best_trial(name: StudyName, here: Here) -> Response:
    """The best complete trial; with several objectives ``{"items": [the Pareto front]}``."""
    front = await here.read(lambda c: _best(c, found(c, name)))
    views = [trial_view(name, trial) for trial in front]
    if not views:
        raise NoCompleteTrial(name)
    study = await here.read(lambda c: found(c, name))
    if len(study.definition.goals) == 1:
        return answer(views[0])
    items = ",".join(view.model_dump_json() for view in views)
    return Response(f'{{"items":[{items}]}}', media_type="application/json")


def _best(connection: Connection, study: Study) -> list[Trial]:
    goals = study.definition.goals
    if len(goals) == 1:
        best = trials.best(connection, study.id, goals[0].direction)
        return [] if best is None else [best]
    complete = trials.complete_with_values(connection, study.id)
    points = [trial.objective_values or () for trial in complete]
    return [complete[i] for i in pareto_front(points, [goal.direction for goal in goals])]
