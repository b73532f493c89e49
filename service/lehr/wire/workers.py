"""What workers and the service say to each other."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from lehr.wire.base import Measured, MetricName, Moment, Number, TaskName, Text, Wire, example
from lehr.wire.parts import Objective
from lehr.wire.range_tests import RangeTestLease
from lehr.wire.trials import Report, Trial

Token = str
Ability = Literal["range_test"]
PROBLEMS, PROBLEM_CHARACTERS = 100, 2_000
Metrics = Annotated[dict[MetricName, Measured], Field(max_length=200)]


class Registration(Wire):
    """A worker presents itself."""

    model_config = example(
        name="gpu-box",
        tasks={"digits_mlp": {"properties": {"batch_size": {"type": "integer"}}}},
        devices=[{"name": "NVIDIA H200"}],
        versions={"tensorflow": "2.21.0"},
    )

    name: Annotated[Text, Field(min_length=1, max_length=200)]
    tasks: Annotated[dict[TaskName, dict[str, Any]], Field(min_length=1, max_length=1000)] = Field(
        description="JSON schema of each task's parameters; {} admits anything"
    )
    devices: Annotated[list[Any], Field(max_length=1000)] = Field(
        default_factory=list,
        description="one entry a device: a name, or a mapping that describes it",
    )
    versions: Annotated[dict[Text, Text], Field(max_length=100)] = Field(default_factory=dict)
    abilities: Annotated[list[Ability], Field(max_length=100)] = Field(
        default_factory=list,
        description="what it can do beside training trials; range_test: it is leased range tests",
    )
    problems: Annotated[
        dict[
            Annotated[Text, Field(max_length=200)],
            Annotated[Text, Field(max_length=PROBLEM_CHARACTERS)],
        ],
        Field(max_length=PROBLEMS),
    ] = Field(
        default_factory=dict,
        description="why modules of tasks cannot be used, by module; it offers those of the others",
    )


class Registered(Wire):
    model_config = example(
        id="1f0c7f3a52f04b0f9c2f6f6f3a1d2b4c",
        heartbeat_seconds=10.0,
        deadline="2026-05-04T09:12:35.250Z",
    )

    id: str
    heartbeat_seconds: float = Field(description="how often to send a heartbeat")
    deadline: Moment = Field(description="heard of later, the worker's attempts are lost")


class Heartbeat(Wire):
    model_config = example(attempts=["1-9b2f4c0a7d3e4f58b6a1c2d3e4f50617"])

    attempts: Annotated[list[Token], Field(max_length=10_000)] = Field(default_factory=list)


class HeartbeatAnswer(Wire):
    model_config = example(deadline="2026-05-04T09:12:45.250Z", stop=[], drain=False)

    deadline: Moment
    stop: list[Token] = Field(description="attempts of those sent that hold no lease any more")
    drain: bool = Field(description="take no new trials; leave when those at hand end")


class Claim(Wire):
    """A worker asks for work; the same request id gets the same lease."""

    model_config = example(request_id="4f6b1a52-6d5c-4c2e-9a55-0a8d1f1f7c11", wait=30)

    request_id: UUID
    wait: Number = Field(default=0.0, ge=0, le=60, description="seconds to wait for work")


class LeaseTraining(Wire):
    epochs: int
    seed: int
    ema: float | None = Field(
        default=None,
        description="decay an update of the moving average of the weights: report each val_ "
        "metric once more as ema_val_..., evaluated with them; null: keep none",
    )


class Lease(Wire):
    """The right to train one trial, and all that is needed for it."""

    model_config = example(
        token="1-9b2f4c0a7d3e4f58b6a1c2d3e4f50617",
        attempt=1,
        study="digits",
        task="digits_mlp",
        trial={
            "study": "digits",
            "number": 17,
            "state": "running",
            "params": {"optimizer": "adam", "adam.learning_rate": 0.0031, "schedule": "constant"},
            "attempts": 1,
            "steps": 0,
            "revision": 201,
            "created_at": "2026-05-04T09:12:30.250Z",
        },
        training={"epochs": 10, "seed": 7},
        objective={"metric": "val_accuracy", "direction": "maximize"},
        objectives=[{"metric": "val_accuracy", "direction": "maximize"}],
        optimizer={"name": "adam", "learning_rate": 0.0031},
        schedule={"name": "constant"},
        warmup=0.0,
        parameters={},
        reports=[],
        checkpoint=None,
        deadline="2026-05-04T09:13:00.250Z",
    )

    token: Token
    attempt: int
    study: str
    task: str
    trial: Trial
    training: LeaseTraining
    objective: Objective | None = Field(description="null with several objectives")
    objectives: list[Objective]
    optimizer: dict[str, Any] = Field(description="name and arguments, learning_rate included")
    schedule: dict[str, Any] = Field(description="name and arguments")
    warmup: float | dict[str, float] = Field(description="fraction, {epochs} or {updates}")
    parameters: dict[str, Any] = Field(description="the task's own")
    reports: list[Report] = Field(description="those stored so far by earlier attempts")
    checkpoint: str | None = Field(description="path to get it from, or null")
    deadline: Moment

    @property
    def named(self) -> dict[str, Any]:
        """What log records call it."""
        return {"study": self.study, "trial": self.trial.number, "attempt": self.attempt}


AnyLease: TypeAlias = Lease | RangeTestLease


class NewReport(Wire):
    """Intermediate values of one step."""

    step: int = Field(ge=0, le=1_000_000, strict=True)
    value: Measured
    learning_rate: Measured = None
    metrics: Metrics = Field(default_factory=dict)


class NewReports(Wire):
    model_config = example(
        reports=[{"step": 0, "value": 0.91, "learning_rate": 0.1, "metrics": {"val_loss": 0.3}}]
    )

    reports: Annotated[
        list[NewReport],
        Field(min_length=1, max_length=10_000, fail_fast=True),  # or each might have its errors
    ]


Word = Literal["continue", "prune", "stop"]


class Verdict(Wire):
    """What to do after a report, and why."""

    model_config = example(
        verdict="prune",
        reason="the median pruner: 0.88, the best up to step 2, is below the median 0.97 of 9 "
        "trials there",
        deadline="2026-05-04T09:12:45.250Z",
    )

    verdict: Word
    reason: str
    deadline: Moment


class Completion(Wire):
    """A full training has ended; without a value the server selects it from the reports."""

    model_config = example(value=0.93, metrics={"val_loss": 0.2})

    value: Measured = None
    values: Annotated[list[Measured], Field(min_length=1, max_length=10)] | None = None
    metrics: Metrics = Field(default_factory=dict)


class Failure(Wire):
    """An attempt ended without a result."""

    model_config = example(outcome="error", message="ValueError: no such layer")

    outcome: Literal["error", "out_of_memory", "diverged", "preempted", "cancelled"]
    message: Annotated[Text, Field(max_length=10_000)] = ""
    traceback: Annotated[Text, Field(max_length=100_000)] = ""


class WorkerAttempt(Wire):
    study: str
    trial: int | None = Field(description="null where it runs a range test")
    attempt: int
    steps: int
    range_test: str | None = Field(
        default=None, description="its optimizer; left out where it is a trial"
    )

    @model_serializer(mode="wrap")
    def _without_none(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = serialize(self)
        return fields if self.range_test else {k: fields[k] for k in fields if k != "range_test"}


class Worker(Wire):
    """A worker as the service sees it."""

    model_config = example(
        id="1f0c7f3a52f04b0f9c2f6f6f3a1d2b4c",
        name="gpu-box",
        tasks=["digits_mlp"],
        devices=[{"name": "NVIDIA H200"}],
        versions={"tensorflow": "2.21.0"},
        abilities=["range_test"],
        state="alive",
        running=[{"study": "digits", "trial": 17, "attempt": 1, "steps": 3}],
        registered_at="2026-05-04T09:12:05.250Z",
        heard_at="2026-05-04T09:12:35.250Z",
        deadline="2026-05-04T09:13:05.250Z",
    )

    id: str
    name: str
    tasks: list[str]
    devices: list[Any]
    versions: dict[str, str]
    abilities: list[str]
    problems: dict[str, str] = Field(
        default_factory=dict, description="why modules of tasks cannot be used, by module"
    )
    state: Literal["alive", "draining", "lost"]
    running: list[WorkerAttempt]
    registered_at: Moment
    heard_at: Moment
    deadline: Moment


class WorkerPage(Wire):
    items: list[Worker]
    next: str | None = None


CHECKPOINT_HEADER = "X-Checkpoint-SHA256"
