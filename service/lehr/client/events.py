"""The event stream of a study, as it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import httpx

from lehr.wire.events import ReportEvent
from lehr.wire.studies import Study
from lehr.wire.trials import Trial


@dataclass(frozen=True)
class Event:
    """Something that happened in a study: a report, a trial or the study that changed."""

    id: str
    data: ReportEvent | Trial | Study


_KINDS: Final[dict[str, type[ReportEvent] | type[Trial] | type[Study]]] = {
    "report": ReportEvent,
    "trial": Trial,
    "study": Study,
}


def read_events(answer: httpx.Response) -> Iterator[Event]:
    """The events of a stream, until it ends or breaks; one that was cut off is left out."""
    fields: dict[str, str] = {}
    with suppress(httpx.TransportError):
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
                continue
            kind = _KINDS.get(fields.get("event", ""))
            if kind is not None:
                data = kind.model_validate_json(fields["data"], extra="ignore")
                yield Event(fields["id"], data)
            fields = {}
