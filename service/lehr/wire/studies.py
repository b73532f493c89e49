"""The study: its definition as a client writes it, and how the service shows it."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from lehr.wire.base import (
    Moment,
    Name,
    Number,
    Problems,
    TaskName,
    Text,
    Wire,
    example,
)
from lehr.wire.definitions import parse_space, space_of
from lehr.wire.parts import Limits, Objective, Retry, Training
from lehr.wire.pruning import Pruning
from lehr.wire.range_tests import RangeTestSummary
from lehr.wire.search import PRUNERS, SAMPLERS, check_pruner, check_sampler, read_choice
from lehr.wire.space import (
    Choice,
    Range,
    SearchSpace,
    is_conditional,
    searched,
    searches_schedule,
)
from lehr.wire.trials import Trial


class StudyState(StrEnum):
    """Where a study is in its life."""

    ACTIVE = "active"  # trials are handed out
    PAUSED = "paused"  # no new trials until resumed
    STOPPING = "stopping"  # no new trials, running ones finish
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_finished(self) -> bool:
        return self in (StudyState.COMPLETED, StudyState.CANCELLED, StudyState.FAILED)


_EMA = 0.99


def _read_sampler(raw: Any) -> Any:
    problems = Problems()
    sampler = read_choice(raw, "sampler", SAMPLERS, problems, ())
    problems.raise_if_any()
    return sampler


def _read_pruner(raw: Any) -> Any:
    problems = Problems()
    pruner = read_choice(raw, "pruner", PRUNERS, problems, ())
    problems.raise_if_any()
    return pruner


def _default_pruner(fields: dict[str, Any]) -> dict[str, Any]:
    """Where schedules differ between trials, the one that knows them; fields are unchecked."""
    try:
        differ = searches_schedule(parse_space(fields.get("search_space")))
    except ValidationError:  # said of the field itself
        differ = False
    return {"name": "forecast" if differ and fields.get("objectives") is None else "none"}


def _check_space(raw: Any) -> Any:
    parse_space(raw)
    return raw


def _named(kind: str, names: Any) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "type": "object",
            "properties": {"name": {"enum": list(names)}},
            "required": ["name"],
            "description": f"the {kind}'s name and Optuna's own options for it",
        }
    )


Sampler = Annotated[dict[str, Any], BeforeValidator(_read_sampler), _named("sampler", SAMPLERS)]
Pruner = Annotated[dict[str, Any], BeforeValidator(_read_pruner), _named("pruner", PRUNERS)]
Labels = Annotated[dict[Text, Text], Field(max_length=100)]
Weight = Annotated[Number, Field(gt=0, le=1e6)]


_DEFINITION: dict[str, Any] = {
    "name": "digits",
    "task": "digits_mlp",
    "objective": {"metric": "val_accuracy", "direction": "maximize"},
    "search_space": {
        "optimizer": {"adam": {"learning_rate": {"low": 0.0001, "high": 0.03, "log": True}}},
        "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}},
    },
    "training": {"epochs": 10, "seed": 7},
    "sampler": {"name": "tpe", "seed": 7},
    "limits": {"max_trials": 30},
}


class StudyDefinition(Wire):
    """What a researcher writes: what is searched, on which task, judged how, how far."""

    model_config = example(**_DEFINITION)

    name: Name
    task: TaskName
    objective: Objective | None = None
    objectives: Annotated[list[Objective], Field(min_length=2, max_length=10)] | None = Field(
        default=None, description="two or more; they exclude a pruner"
    )
    search_space: Annotated[
        Any,
        AfterValidator(_check_space),
        WithJsonSchema(
            {
                "type": "object",
                "properties": {
                    "optimizer": {"type": "object", "additionalProperties": {"type": "object"}},
                    "schedule": {"type": "object", "additionalProperties": {"type": "object"}},
                    "warmup": {},
                    "parameters": {"type": "object"},
                },
                "required": ["optimizer"],
                "additionalProperties": False,
            }
        ),
    ] = Field(
        description="optimizers and schedules by name, each with its arguments: a scalar is a "
        "constant, a list a choice, {low, high, log, step, int} a range; a learning_rate may be "
        "{range_test: {start, end, updates, seeds, reuse}}: a worker then tests first at which "
        "rates the loss falls, and those are searched"
    )
    training: Training
    sampler: Sampler = Field(
        default_factory=lambda: {"name": "tpe"},
        description="A name, or a name with options. With a seed each suggestion is made when it "
        "is claimed, so that the same order of events gives the same search; without one they are "
        "made ahead (ask_ahead).",
    )
    pruner: Pruner = Field(
        default_factory=lambda: {"name": "none"},
        description="default: forecast where schedules are searched, else none",
    )
    limits: Limits = Field(default_factory=Limits)
    retry: Retry = Field(default_factory=Retry)
    weight: Weight = Field(default=1.0, description="fair share against other studies")
    labels: Labels = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _with_pruner(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and "pruner" not in raw:
            return raw | {"pruner": _default_pruner(raw)}
        return raw

    @model_validator(mode="after")
    def _rules_across_fields(self) -> StudyDefinition:
        problems = Problems()
        if (self.objective is None) == (self.objectives is None):
            path = ("objective",) if self.objective is None else ("objectives",)
            problems.add(path, "give either objective or objectives")
        if self.objectives is not None:
            self._check_several(problems)
        self._check_judge(problems)
        self._check_sampler(problems)
        check_pruner(self.pruner, self.training.epochs, problems, ("pruner",))
        problems.raise_if_any()
        return self

    def _check_several(self, problems: Problems) -> None:
        if self.pruner["name"] != "none":
            problems.add(("pruner", "name"), "several objectives exclude pruning: use none")
        if self.limits.target is not None:
            problems.add(("limits", "target"), "needs a single objective")
        if self.sampler["name"] == "cmaes":
            problems.add(("sampler", "name"), "cmaes searches one objective only; try nsga2")
        metrics = [objective.metric for objective in self.objectives or ()]
        for index, metric in enumerate(metrics):
            if metric in metrics[:index]:
                problems.add(("objectives", index, "metric"), f"{metric} is an objective already")

    def _check_judge(self, problems: Problems) -> None:
        for index, goal in enumerate(self.goals):
            if goal.judge != "ema":
                continue
            several = self.objectives is not None
            path = ("objectives", index, "judge") if several else ("objective", "judge")
            if several:
                problems.add(path, "several objectives are not judged before the end: use raw")
            elif not goal.metric.startswith("val_"):
                problems.add(path, f"{goal.metric} has no average: use raw, or a val_ metric")

    def _check_sampler(self, problems: Problems) -> None:
        name, parameters = self.sampler["name"], searched(self.space)
        check_sampler(self.sampler, len(self.goals), problems, ("sampler",))
        if name == "grid" and is_conditional(self.space):
            problems.add(
                ("sampler", "name"),
                "grid cannot search branches with parameters of their own; use brute_force",
            )
        if name not in ("grid", "brute_force"):
            return
        for parameter, value in parameters.items():
            listed = isinstance(value, Choice)
            stepped = isinstance(value, Range) and (value.integer or value.step is not None)
            if not (listed or (stepped and not getattr(value, "log", False))):
                problems.add(
                    ("search_space", *path_of(self.space, parameter)),
                    f"{name} needs a list, or a range with a step and without log",
                )

    @cached_property
    def space(self) -> SearchSpace:
        return space_of(self.search_space)

    @property
    def judge(self) -> Literal["raw", "ema"]:
        """The weights that a running trial is judged by: ``objective.judge`` without ``auto``."""
        goal = self.objective
        if goal is None or goal.judge == "raw" or not goal.metric.startswith("val_"):
            return "raw"
        return "ema" if goal.judge == "ema" or searches_schedule(self.space) else "raw"

    @property
    def ema(self) -> float | None:
        """Decay an update of the average that workers keep; None where none is wanted."""
        wanted = self.judge == "ema" or any(g.metric.startswith("ema_val_") for g in self.goals)
        return self.training.ema or (_EMA if wanted else None)

    @property
    def goals(self) -> tuple[Objective, ...]:
        """The objectives, one or several."""
        return tuple(self.objectives or ([self.objective] if self.objective else ()))


def path_of(space: SearchSpace, parameter: str) -> tuple[str, ...]:
    """Where a flat parameter name (``sgd.learning_rate``) stands in the search space."""
    first, _, rest = parameter.partition(".")
    if parameter in ("optimizer", "schedule", "warmup"):
        return (parameter,)
    for key, branches in (("optimizer", space.optimizer), ("schedule", space.schedule)):
        if rest and first in branches:
            return (key, first, *rest.split("."))
    return ("warmup", rest) if first == "warmup" else ("parameters", *parameter.split("."))


class StudyChanges(Wire):
    """What may change in a study that exists; what is left out stays as it is."""

    model_config = example(limits={"max_trials": 100}, weight=2.0)

    limits: Limits | None = None
    weight: Weight | None = None
    labels: Labels | None = None


class Counts(Wire):
    """Trials by state."""

    waiting: int = 0
    running: int = 0
    complete: int = 0
    pruned: int = 0
    fail: int = 0

    @property
    def total(self) -> int:
        return self.waiting + self.running + self.complete + self.pruned + self.fail


class Study(Wire):
    """A study as the service shows it."""

    model_config = example(
        name="digits",
        state="active",
        revision=0,
        counts={"waiting": 0, "running": 0, "complete": 0, "pruned": 0, "fail": 0},
        definition=_DEFINITION,
        created_at="2026-05-04T09:12:05.750Z",
    )

    name: str
    state: StudyState
    reason: str | None = Field(default=None, description="why it is in this state, or waits")
    revision: int = Field(description="rises with every change")
    counts: Counts = Field(default_factory=Counts)
    epochs: int = Field(default=0, description="epochs reported so far, over all trials")
    best: Trial | None = Field(default=None, description="null with several objectives")
    range_tests: dict[str, RangeTestSummary] = Field(
        default_factory=dict, description="by optimizer, in short; no trial starts before they end"
    )
    pruning: Pruning = Field(default_factory=Pruning)
    definition: StudyDefinition
    created_at: Moment
    finished_at: Moment | None = None


class StudyPage(Wire):
    items: list[Study]
    next: str | None = Field(description="give it as `after` for the next page; null at the end")
