"""Parts of a study's definition: what counts, how long to train, where to end, what to retry."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from lehr.wire.base import Duration, MetricName, Number, Wire

Direction = Literal["minimize", "maximize"]


class Objective(Wire):
    """What a trial is judged by: a reported metric, and which of its values counts.

    ``judge`` says whose metric the ``value`` of a report is, which pruners see while the trial
    trains: with ``raw`` the metric itself; with ``ema`` ``ema_<metric>``, the same metric of the
    moving average of the weights (``training.ema``), which shows in mid-schedule what the decay of
    the learning rate will show at its end. ``auto`` is ``ema`` where schedules differ between
    trials and the metric is a validation metric, and falls back to ``raw`` on a worker that does
    not report ``ema_<metric>``. What a trial is worth at its end is always ``metric``, selected
    from the reports' ``metrics``.
    """

    metric: MetricName = Field(description="a metric the task reports, such as val_accuracy")
    direction: Direction
    select: Annotated[str, Field(pattern=r"^(last|best|mean_of_last_[1-9][0-9]{0,5})$")] = Field(
        default="last",
        description="which reported value becomes the trial's: last, best or mean_of_last_N",
    )
    judge: Literal["raw", "ema", "auto"] = Field(
        default="auto",
        description="weights that a running trial is judged by: raw, or ema for their moving "
        "average; auto: ema where schedules are searched. The final value is the raw metric's",
    )

    @property
    def averaged_metric(self) -> str:
        """The metric of the averaged weights."""
        return f"ema_{self.metric}"


def _read_seed(raw: Any) -> int | str:
    if raw == "per_trial" or (type(raw) is int and 0 <= raw < 2**32):
        return raw  # type: ignore[no-any-return]
    raise ValueError("must be a whole number from 0 to 4294967295, or per_trial")


_SEED_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 2**32 - 1}, {"const": "per_trial"}]}
)


class Training(Wire):
    """How long a trial trains, and from which seed."""

    epochs: int = Field(ge=1, le=1_000_000, strict=True, description="steps of a full trial")
    seed: Annotated[int | str, PlainValidator(_read_seed), _SEED_SCHEMA] = Field(
        default=0,
        description="same initial weights and order of data for all trials, or per_trial",
    )
    ema: Annotated[Number, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="decay an update of the moving average of the weights, which is evaluated "
        "beside them and reported as ema_val_...; null: 0.99 where the study judges by it or has "
        "ema_val_... as its metric, else none is kept",
    )


_Limit = Annotated[int, Field(ge=1, le=1_000_000_000, strict=True)]


class Limits(Wire):
    """Where a study ends; each holds exactly, whatever the number of workers."""

    max_trials: _Limit | None = Field(default=None, description="trials in all, enqueued included")
    max_parallel: _Limit | None = Field(default=None, description="trials running at a time")
    max_failed: _Limit | None = Field(default=None, description="so many failed trials fail it")
    max_epochs: _Limit | None = Field(default=None, description="epochs in all, over all trials")
    timeout: Duration | None = Field(default=None, description="no new trials after so long")
    target: Number | None = Field(default=None, description="a value good enough to stop")


class Retry(Wire):
    """How often a trial whose worker was lost or preempted starts again."""

    max_attempts: int = Field(default=3, ge=1, le=1000, strict=True)
