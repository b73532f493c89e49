"""What the event stream of a study carries."""

from __future__ import annotations

from pydantic import Field

from lehr.wire.base import example
from lehr.wire.trials import REPORT, Report
from lehr.wire.workers import Word


class ReportEvent(Report):
    """One report of a trial, with the verdict it got."""

    model_config = example(**REPORT, study="digits", trial=17, verdict="continue", reason="")

    study: str
    trial: int = Field(description="the trial's number")
    verdict: Word
    reason: str = Field(description="why it got this verdict")
