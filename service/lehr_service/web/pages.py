"""The pages, each a read of the database and a template; what they change goes through REST."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from lehr import examples
from lehr.definitions import DefinitionUnreadable, read_definition
from lehr.errors import LehrError
from lehr.wire.base import Text as Storable
from lehr.wire.studies import StudyState
from lehr.wire.tokens import Role
from lehr.wire.trials import TrialState
from lehr_service.api import paging
from lehr_service.api.access import Least
from lehr_service.api.deps import Here, StudyName, TrialNumber
from lehr_service.api.errors import invalid, respond
from lehr_service.api.guard import COOKIE
from lehr_service.api.identity import sender_of
from lehr_service.api.rates import address_of
from lehr_service.errors import Forbidden, Invalid, NotFound, ServiceError, Unauthorized
from lehr_service.operations import tokens as operations
from lehr_service.storage.trials import OrderBy
from lehr_service.web import views
from lehr_service.web.render import page, reader
from lehr_service.web.static_files import address
from lehr_service.web.views import TABS, Asked

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class _PageRoute(APIRoute):
    """A route whose refusals are pages too."""

    def get_route_handler(self) -> _Handler:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            reader.set(sender_of(request.scope))
            try:
                return await handle(request)
            except RequestValidationError as error:
                return refused(invalid(list(error.errors())))
            except ServiceError as error:
                return refused(error)

        return handled


router = APIRouter(include_in_schema=False, route_class=_PageRoute)

Text = Annotated[Storable, Query(max_length=200)]
_LONGEST_TEXT = 100_000  # of a definition in YAML, which takes a second to read
_Number = Annotated[int, Field(ge=0, le=2**31 - 1)]
Cursor = Annotated[str, Query(max_length=200, pattern=r"^[A-Za-z0-9_-]*$")]


def refused(error: ServiceError) -> Response:
    """A refusal as a page."""
    return _page("error.html", error.status, error=error)


async def missing(request: Request, _error: Exception) -> Response:
    """The answer where nothing is: a page to a browser, JSON to others."""
    error = NotFound(f"there is nothing at {request.url.path:.200}")
    if "text/html" not in request.headers.get("accept", ""):
        return respond(error)
    reader.set(sender_of(request.scope))
    return refused(error)


def _page(template: str, status: int = 200, **shown: Any) -> Response:
    return page(template, status, address=address, **shown)


@router.get("/")
async def studies_page(here: Here, q: Text = "", state: Text = "", after: Cursor = "") -> Response:
    chosen = StudyState(state) if state in list(StudyState) else None
    key = paging.decode(after, 1)[0] if after else None
    now = here.clock()
    shown = await here.read(
        partial(views.studies_page, state=chosen, text=q.strip(), after=key, now=now)
    )
    return _page("studies.html", q=q, state=chosen, states=list(StudyState), **shown)


@router.get("/new")
async def new_study(here: Here, example: Text = "") -> Response:
    try:
        text = examples.text(example or examples.names()[0])
    except LehrError as error:
        raise NotFound(str(error)) from None
    return _page("new.html", text=text, examples=examples.names(), example=example)


@router.get("/studies/{name}")
async def study_page(
    name: StudyName,
    here: Here,
    tab: Text = "history",
    state: Text = "",
    order: Text = "-number",
    after: Cursor = "",
    params: Annotated[list[str] | None, Query(max_length=50)] = None,
    metric: Text = "",
) -> Response:
    if tab not in TABS or order not in get_args(OrderBy):
        raise NotFound("there is no such view of a study")
    asked = Asked(
        tab=tab,
        state=TrialState(state) if state in list(TrialState) else None,
        order=order,  # type: ignore[arg-type]  # checked above
        after=after or None,
        params=[name for name in params or () if name],
        metric=metric or None,
    )
    shown = await here.read(partial(views.study_page, name=name, asked=asked, now=here.clock()))
    return _page("study.html", states=list(TrialState), **shown)


@router.get("/studies/{name}/trials/{number}")
async def trial_page(name: StudyName, number: TrialNumber, here: Here) -> Response:
    look = partial(views.trial_page, name=name, number=number, now=here.clock())
    return _page("trial.html", **await here.read(look))


@router.get("/studies/{name}/compare")
async def compare_page(
    name: StudyName,
    here: Here,
    trials: Annotated[list[_Number] | None, Query(max_length=100)] = None,
) -> Response:
    look = partial(views.compare_page, name=name, numbers=trials or (), now=here.clock())
    return _page("compare.html", **await here.read(look))


@router.get("/studies/{name}/range-tests")
async def range_tests_page(name: StudyName, here: Here) -> Response:
    look = partial(views.range_tests_page, name=name, now=here.clock())
    return _page("range_tests.html", **await here.read(look))


@router.get("/docs")
async def docs_page() -> Response:
    return _page("docs.html")


@router.get("/workers")
async def workers_page(here: Here) -> Response:
    return _page("workers.html", **await here.read(partial(views.workers_page, now=here.clock())))


class Written(BaseModel):
    """What stands in the editor."""

    text: str


@router.get("/tokens")
async def tokens_page(here: Here) -> Response:
    shown = await here.read(operations.listed)
    is_open, now = await here.keyring.is_open(), here.clock()
    return _page("tokens.html", tokens=shown, roles=list(Role), is_open=is_open, now=now)


@router.post("/pages/definition")
async def read_text(written: Written) -> Response:
    """YAML as JSON, for browsers cannot read it; the reader is that of ``lehr study create``."""
    if len(written.text) > _LONGEST_TEXT:
        return respond(Invalid(f"the text has more than {_LONGEST_TEXT:,} characters"))
    try:
        return JSONResponse(await asyncio.to_thread(read_definition, written.text, "line"))
    except DefinitionUnreadable as error:
        return respond(Invalid(str(error)))
    except ValueError:
        return respond(Invalid("numbers must be finite: JSON, as which it is sent, has no others"))


class SignIn(BaseModel):
    token: str


@router.get("/sign-in")
async def sign_in_page() -> Response:
    return _page("sign_in.html")


@router.post("/sign-in")
async def sign_in(given: SignIn, request: Request, here: Here) -> Response:
    """Keep a token in a cookie that scripts cannot read and other sites cannot send."""
    try:
        who = await here.keyring.identify(given.token, address_of(request.scope.get("client")))
        if who is None:
            raise Unauthorized("this token is not known here")
        if not Least.VIEWER.admits(who.role):
            raise Forbidden("this is the token of a worker, which cannot read pages")
    except ServiceError as refusal:
        return respond(refusal)
    response = Response(status_code=204)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, given.token, httponly=True, samesite="strict", secure=secure)
    return response


@router.post("/sign-out")
async def sign_out() -> Response:
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
