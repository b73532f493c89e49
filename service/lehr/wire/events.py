"""What the event stream of a study carries."""

from __future__ import annotations

from pydantic import Field

from lehr.wire.trials import Report
from lehr.wire.workers import Word


class ReportEvent(Report):
    """One report of a trial, with the verdict it got."""

    study: str
    trial: int = Field(description="the trial's number")
    verdict: Word
    reason: str = Field(description="why it got this verdict")
