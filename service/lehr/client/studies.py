"""Calls about studies and their trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pydantic import RootModel

from lehr.client.calls import Calls, path_of, plain
from lehr.client.connection import Request
from lehr.client.events import Event, read_events
from lehr.errors import WaitTimedOut
from lehr.wire.base import Wire
from lehr.wire.parts import Limits
from lehr.wire.range_tests import RangeTest, RangeTestList
from lehr.wire.studies import Study, StudyDefinition, StudyPage
from lehr.wire.trials import Report, Trial, TrialDetails, TrialPage

PAGE_SIZE = 100
POLL_SECONDS = 30.0


class Reports(RootModel[list[Report]]):
    """What one trial reported."""


class Front(Wire):
    """The trials that no other trial beats in every objective."""

    items: list[Trial]


class Best(RootModel[Trial | Front]):
    """The best trial of a study with one objective, the Pareto front of one with several."""


class Figure(RootModel[dict[str, Any]]):
    """A figure for Plotly: data and layout."""


class StudyCalls(Calls):
    """The calls of a researcher."""

    def create_study(
        self, definition: StudyDefinition | Mapping[str, Any], *, validate_only: bool = False
    ) -> Study:
        """Create a study, or return the one that has this name and this definition.

        With ``validate_only`` nothing is stored. Raises Invalid, which names each wrong field, and
        Conflict if another study has the name.
        """
        query = {"validate_only": "true"} if validate_only else None
        return self._post("/v1/studies", definition, Study, query=query, repeatable=True)

    def study(self, name: str, wait: float = 0.0, since_revision: int | None = None) -> Study:
        """A study; with ``wait``, the answer comes as soon as its revision is above
        ``since_revision``, at the latest after ``wait`` seconds."""
        query = {"wait": wait or None, "since_revision": since_revision}
        request = Request("GET", path_of("studies", name), query, repeatable=True, patience=wait)
        return self._connection.ask(request, Study)

    def studies(self, state: str | None = None) -> Iterator[Study]:
        """All studies, or those in a state; pages are fetched as they are needed."""
        pages = self._pages("/v1/studies", {"state": state, "limit": PAGE_SIZE}, StudyPage)
        return (study for page in pages for study in page.items)

    def change_study(
        self,
        name: str,
        *,
        limits: Limits | Mapping[str, Any] | None = None,
        weight: float | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Study:
        """Change what may change in a study that exists; what is None stays as it is."""
        changes = {"limits": plain(limits), "weight": weight, "labels": labels}
        body = {key: value for key, value in changes.items() if value is not None}
        request = Request("PATCH", path_of("studies", name), body=body, repeatable=True)
        return self._connection.ask(request, Study)

    def pause(self, name: str) -> Study:
        """Hand out no new trials until resumed."""
        return self._post(path_of("studies", name, "pause"), None, Study)

    def resume(self, name: str) -> Study:
        return self._post(path_of("studies", name, "resume"), None, Study)

    def stop(self, name: str) -> Study:
        """Hand out no new trials; those that run finish."""
        return self._post(path_of("studies", name, "stop"), None, Study)

    def cancel(self, name: str) -> Study:
        """End the study now, and its running trials with it."""
        return self._post(path_of("studies", name, "cancel"), None, Study)

    def delete_study(self, name: str) -> None:
        """Delete a finished study with all its trials; raises Conflict while it is active."""
        self._connection.send(Request("DELETE", path_of("studies", name)))

    def wait_for(
        self,
        name: str,
        until: Callable[[Study], bool] = lambda study: study.state.is_finished,
        timeout: float | None = None,
    ) -> Study:
        """Wait until a study is as ``until`` says, by default finished; returns it.

        Raises WaitTimedOut after ``timeout`` seconds.
        """
        end = None if timeout is None else self._now() + timeout
        study = self.study(name)
        while not until(study):
            left = POLL_SECONDS if end is None else end - self._now()
            if left <= 0:
                raise WaitTimedOut(f"study {name!r} is {study.state} after {timeout:g} s")
            study = self.study(name, min(left, POLL_SECONDS), study.revision)
        return study

    def trials(
        self,
        name: str,
        *,
        state: str | None = None,
        since_revision: int | None = None,
        order_by: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Trial]:
        """A study's trials, at most ``limit``; pages are fetched as they are needed.

        ``since_revision``: only those that changed after this revision of the study.
        """
        query = {
            "state": state,
            "since_revision": since_revision,
            "order_by": order_by,
            "limit": min(limit or PAGE_SIZE, PAGE_SIZE),
        }
        pages = self._pages(path_of("studies", name, "trials"), query, TrialPage)
        return islice((trial for page in pages for trial in page.items), limit)

    def enqueue(self, name: str, params: Mapping[str, Any]) -> Trial:
        """Add a trial with all parameters given or some; it is tried before the sampler's own."""
        return self._post(path_of("studies", name, "trials"), {"params": dict(params)}, Trial)

    def trial(self, name: str, number: int) -> TrialDetails:
        """A trial with its attempts."""
        return self._get(path_of("studies", name, "trials", number), TrialDetails)

    def reports(self, name: str, number: int) -> list[Report]:
        """What a trial reported, in the order of steps."""
        path = path_of("studies", name, "trials", number, "reports")
        return self._get(path, Reports).root

    def stop_trial(self, name: str, number: int) -> Trial:
        """Stop a running trial; its worker learns it with its next report or heartbeat."""
        return self._post(path_of("studies", name, "trials", number, "stop"), None, Trial)

    def range_tests(self, name: str) -> list[RangeTest]:
        """A study's range tests in the order of its optimizers, with curves and bounds."""
        return self._get(path_of("studies", name, "range_tests"), RangeTestList).items

    def plot(
        self,
        name: str,
        kind: str = "learning_curves",
        *,
        params: Sequence[str] = (),
        trials: Sequence[int] = (),
        metric: str | None = None,
    ) -> dict[str, Any]:
        """A figure of a study for Plotly: ``plotly.graph_objects.Figure(client.plot(...))``.

        ``kind``: history, learning_curves, intermediate_values, parallel_coordinate, slice,
        contour, importances, edf, pareto_front or timeline. Raises Invalid for another one.
        """
        query = {
            "params": ",".join(params) or None,
            "trials": ",".join(map(str, trials)) or None,
            "metric": metric,
        }
        request = Request("GET", path_of("studies", name, "plots", kind), query, repeatable=True)
        figure: dict[str, Any] = self._connection.ask(request, Figure).root
        return figure

    def plotly_script(self) -> str:
        """The script that draws figures in a browser, as the server gives it to its pages."""
        request = Request("GET", "/static/plotly.min.js", repeatable=True)
        return self._connection.send(request).text

    def export(self, name: str, form: str = "json") -> bytes:
        """The study as a file: ``csv``, ``json``, or ``optuna``, an SQLite file for Optuna."""
        path = path_of("studies", name, "export")
        request = Request("GET", path, {"format": form}, repeatable=True, patience=300)
        return self._connection.send(request).content

    def events(self, name: str, last_event_id: str | None = None) -> Iterator[Event]:
        """What happens in a study, from its beginning or after an event, until it is finished.

        A connection that breaks is made again, with nothing missing and nothing twice.
        """
        path = path_of("studies", name, "events")
        while True:
            headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
            request = Request("GET", path, headers=headers, repeatable=True, patience=30)
            with self._connection.stream(request) as answer:
                if answer.status_code == 204:
                    return
                for event in read_events(answer):
                    last_event_id = event.id
                    yield event
                    if isinstance(event.data, Study) and event.data.state.is_finished:
                        return

    def best(self, name: str) -> Trial | list[Trial]:
        """The best trial; with several objectives the Pareto front.

        Raises NotFound with the code ``no_complete_trial`` while there is none.
        """
        best = self._get(path_of("studies", name, "best"), Best).root
        return best.items if isinstance(best, Front) else best
