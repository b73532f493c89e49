"""An in-memory Optuna study that holds what the database knows and decides what is wise next."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import optuna
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from lehr.wire.space import Searched, SearchSpace, narrowed, resolve, searched
from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import TrialState
from lehr_service.search.ahead import Suggestion
from lehr_service.search.errors import SearchError
from lehr_service.search.judge import Judge
from lehr_service.search.memory import Memory
from lehr_service.search.pruners import Decision, prepare
from lehr_service.search.quiet import quiet
from lehr_service.search.samplers import FINITE, avoids_failures, build_sampler
from lehr_service.search.snapshots import (
    AVOIDED,
    FIXED,
    TrialSnapshot,
    as_number,
    final_values,
    freeze,
    optuna_state,
)
from lehr_service.search.space import count_points, decode, distribution, encode_all, suggest
from lehr_service.search.tpe import Recall, Recalling

__all__ = ["Asked", "Changes", "Decision", "Mirror", "TrialSnapshot", "narrowing"]

_NARROWED = "lehr:learning_rates"  # the study's attribute that tells every mirror of its bounds


@dataclass(frozen=True)
class Asked:
    """A trial that starts, and its parameters, flat and in the order of suggestion."""

    number: int
    params: dict[str, Any]


@dataclass(frozen=True)
class Changes:
    """System attributes that Optuna wrote and the database must keep; JSON throughout."""

    trials: dict[int, dict[str, Any]]  # number -> all attributes of a trial that changed
    study: dict[str, Any] | None  # all attributes of the study, None where none changed


def narrowing(bounds: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """The study attributes that make a mirror search learning rates within these bounds."""
    return {_NARROWED: {name: list(pair) for name, pair in bounds.items()}} if bounds else {}


class Mirror:
    """Optuna's view of one study; used by one thread at a time.

    A trial that was asked for is running until it is told: that its worker was lost says nothing
    about its parameters. A trial that ended before it was asked for stays waiting here, for it has
    nothing to say to a sampler either. The same seed and the same order of events give the same
    parameters and verdicts, whichever mirrors took part. A trial that failed by its parameters is a
    pruned one here where that lets the sampler avoid them.
    """

    def __init__(self, definition: StudyDefinition, study_name: str, seed: int) -> None:
        """``study_name`` decides on Hyperband's brackets, ``seed`` on everything random.

        Raises SearchError where a sampler or pruner refuses its options.
        """
        self.revision = -1
        self._definition = definition
        self._name = study_name
        self._seed = seed
        self._see(definition.space)
        self._objectives = len(definition.goals)
        self._judge = Judge(definition)
        self._avoids = avoids_failures(definition)
        self._points: set[tuple[Any, ...]] = set()
        finite = definition.sampler["name"] in FINITE
        self._point_count = count_points(self._space) if finite else None
        self._last_steps: dict[int, int] = {}
        parts = {"search_space", "sampler", "pruner", "objective", "objectives"}
        self._search = definition.model_dump_json(include=parts)
        self._begin()

    def _see(self, space: SearchSpace) -> None:
        self._space = space
        self._searched = searched(space)
        self._distributions = {n: distribution(v) for n, v in self._searched.items()}

    def _begin(self) -> None:
        self._memory = Memory()
        self._recall = Recall() if Recalling.is_possible() else None
        # This sampler never samples: `ask` puts the one for its trial in its place.
        self._study = optuna.create_study(
            storage=self._memory,
            study_name=self._name,
            directions=[goal.direction for goal in self._definition.goals],
            sampler=RandomSampler(seed=0),
            pruner=self._judge.pruner,
        )
        self._study_id = self._memory.get_study_id_from_name(self._name)
        prepare(self._judge.pruner, self._study)

    def load(self, trials: Iterable[TrialSnapshot], study_attrs: Mapping[str, Any]) -> None:
        """Take over what the database knows: all of it, or what is newer than before.

        ``trials`` rise by number, without a gap after the last one known here; ``study_attrs`` are
        those of the study as it is now. Forgets changes that were not taken.
        """
        if _NARROWED in study_attrs:
            self._narrow(study_attrs[_NARROWED])
        for trial in trials:
            self._upsert(trial)
        known = self._memory.get_study_system_attrs(self._study_id)
        for key, value in study_attrs.items():
            if key not in known or known[key] != value:
                self._memory.set_study_system_attr(self._study_id, key, value)
        self.take_changes()

    def narrow(self, bounds: Mapping[str, tuple[float, float]]) -> None:
        """Search learning rates within what range tests found, by flat name; before any is asked.

        A rate that is given outside of its bounds is seen as the nearest one within them.
        """
        attrs = narrowing(bounds)
        for key, value in attrs.items():
            self._memory.set_study_system_attr(self._study_id, key, value)
            self._narrow(value)

    def _narrow(self, bounds: Mapping[str, list[float]]) -> None:
        pairs = {name: (low, high) for name, (low, high) in bounds.items()}
        self._see(narrowed(self._definition.space, pairs))
        for trial in self._memory.get_all_trials(self._study_id, deepcopy=False):
            given = trial.system_attrs.get(FIXED, {})
            for name in given.keys() & pairs.keys():
                low, high = pairs[name]
                given[name] = min(max(given[name], low), high)

    def _upsert(self, trial: TrialSnapshot) -> None:
        size = self._memory.size
        trial = replace(trial, state=self._seen(trial.state, trial.reason))
        if trial.number > size:
            raise SearchError(f"trial {size} is missing before trial {trial.number}")
        params = None if trial.params is None else encode_all(self._searched, trial.params)
        self._note_point(params)
        if trial.number == size:
            fixed = encode_all(self._searched, trial.fixed_params)
            template = freeze(trial, params, fixed, self._distributions, self._objectives)
            self._memory.add_trial(self._study_id, template)
        else:
            self._catch_up(trial, params)

    def _catch_up(self, trial: TrialSnapshot, params: dict[str, Any] | None) -> None:
        memory, number, known = self._memory, trial.number, self._memory.get_trial(trial.number)
        if known.state.is_finished() or params is None:
            return
        if known.state == OptunaState.WAITING:
            memory.set_trial_state_values(number, OptunaState.RUNNING)
            for name, value in params.items():
                known_as = self._distributions[name]
                internal = known_as.to_internal_repr(value)
                memory.set_trial_param(number, name, internal, known_as)
        for key, attr in trial.attrs.items():
            if key not in known.system_attrs or known.system_attrs[key] != attr:
                memory.set_trial_system_attr(number, key, attr)
        for step in sorted(trial.reports):
            value = as_number(trial.reports[step])
            if known.intermediate_values.get(step) != value:
                memory.set_trial_intermediate_value(number, step, value)
        if trial.state.is_finished:
            reports = memory.get_trial(number).intermediate_values
            values = final_values(trial.state, trial.values, reports, self._objectives)
            memory.set_trial_state_values(number, optuna_state(trial), values)

    def enqueue(self, fixed_params: Mapping[str, Any]) -> int:
        """A new waiting trial with some or all parameters given; its number."""
        number = self._memory.size
        waiting = TrialSnapshot(
            number, TrialState.WAITING, None, dict(fixed_params), None, reports={}, attrs={}
        )
        self._upsert(waiting)
        return number

    def ask(self, number: int | None = None) -> Asked:
        """Start a waiting trial, or a new one where no number is given.

        Raises SearchError, with the mirror as it was before, where the sampler fails, where
        every point has been handed out, and for a trial that is not waiting.
        """
        if number is None and self.is_exhausted():
            raise SearchError("every point of the search space has been handed out")
        if number is not None:
            self._check_waiting(number)
        new = self._memory.size if number is None else number
        sampler = build_sampler(self._definition, self._seed, new)
        with self._undone_on_failure():
            params = self._sample(sampler, number)
        self._note_point(encode_all(self._searched, params))
        return Asked(new, params)

    @contextmanager
    def pretending(self, pending: Iterable[Suggestion]) -> Iterator[None]:
        """A block in which those that are pending run already; nothing of it is kept."""
        size = self._memory.size
        try:
            for suggestion in pending:
                self.adopt(suggestion)
            yield
        finally:
            self._memory.forget_from(size)

    def ask_ahead(self, serial: int, number: int | None = None) -> Suggestion:
        """What to try next; it is pending from now on. Raises SearchError: drop the mirror then.

        ``serial`` varies what is random, ``number`` is that of a waiting trial.
        """
        own = self._memory.size if number is None else number
        known = dict(self._memory.get_study_system_attrs(self._study_id))
        with self._failures_told():
            sampler = build_sampler(self._definition, self._seed, serial, self._recall)
            params = self._sample(sampler, number)
        now = self._memory.get_study_system_attrs(self._study_id)
        attrs = self._memory.get_trial_system_attrs(own)
        return Suggestion(
            params,
            {k: v for k, v in attrs.items() if k != FIXED},
            {k: v for k, v in now.items() if k not in known or known[k] != v},
            key=self.key,
            number=number,
        )

    def given(self, number: int) -> Suggestion | None:
        """The point of a waiting trial that was enqueued with all its parameters, else None."""
        fixed = self._memory.get_trial(number).system_attrs.get(FIXED, {})
        params: dict[str, Any] = {}

        def look_up(name: str, value: Searched) -> Any:
            params[name] = decode(value, fixed[name])
            return params[name]

        try:
            resolve(self._space, look_up)
        except KeyError:
            return None
        return Suggestion(params, key=self.key, number=number)

    def adopt(self, suggestion: Suggestion) -> Asked:
        """Start a trial with a point that another mirror has suggested."""
        size = self._memory.size
        number = size if suggestion.number is None else suggestion.number
        if suggestion.number is not None:
            self._check_waiting(number)
        started = TrialSnapshot(
            number, TrialState.RUNNING, suggestion.params, {}, None, {}, suggestion.attrs
        )
        self._upsert(started)
        if suggestion.attrs:
            self._memory.changed_trials.add(number)
        for name, value in suggestion.study_attrs.items():
            self._memory.set_study_system_attr(self._study_id, name, value)
        return Asked(number, dict(suggestion.params))

    @property
    def key(self) -> str:
        """Equal for mirrors that search the same space in the same way."""
        attrs = self._memory.get_study_system_attrs(self._study_id)
        ours = {name: value for name, value in attrs.items() if name.startswith("lehr:")}
        return f"{self._search} {json.dumps(ours, sort_keys=True)}"

    def thin(self, size: int) -> None:
        """Let the sampler see only a part of a long history; only TPE does not mind."""
        if size and self._objectives == 1 and self._definition.sampler["name"] == "tpe":
            self._memory.thin(size)

    @property
    def size(self) -> int:
        """How many trials it holds."""
        return self._memory.size

    def _check_waiting(self, number: int) -> None:
        known = number < self._memory.size
        if not known or self._memory.get_trial(number).state != OptunaState.WAITING:
            raise SearchError(f"trial {number} is not waiting")

    def _sample(self, sampler: Any, number: int | None) -> dict[str, Any]:
        self._memory.next_waiting = number
        resting, self._study.sampler = self._study.sampler, sampler
        try:
            with quiet():
                return suggest(self._study.ask(), self._space)
        finally:
            self._study.sampler = resting
            self._memory.next_waiting = None

    @contextmanager
    def _undone_on_failure(self) -> Iterator[None]:
        memory = self._memory
        trials = memory.get_all_trials(self._study_id, deepcopy=False)
        attrs = memory.get_study_system_attrs(self._study_id)
        changed = set(memory.changed_trials), memory.study_changed
        try:
            with self._failures_told():
                yield
        except SearchError:
            self._begin()
            for trial in trials:
                self._memory.add_trial(self._study_id, trial)
            for key, value in attrs.items():
                self._memory.set_study_system_attr(self._study_id, key, value)
            self._memory.changed_trials, self._memory.study_changed = changed
            raise

    @contextmanager
    def _failures_told(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            name = self._definition.sampler["name"]
            raise SearchError(f"the sampler {name} failed: {error}") from error

    def report(self, number: int, step: int, value: float | None) -> None:
        """A value of a running trial; a step that is reported again takes the new value."""
        self._memory.set_trial_intermediate_value(number, step, as_number(value))
        self._last_steps[number] = step

    def curve(self, number: int) -> list[float]:
        """The reported values of a trial by step; not a number where none was."""
        reports = self._memory.get_trial(number).intermediate_values
        return [reports[step] for step in sorted(reports)]

    def judge(self, number: int) -> Decision:
        """The pruner's verdict for the last reported step.

        Not idempotent: some pruners note that they judged. Raises SearchError where one fails.
        """
        return self._judge.decide(self._study, self._memory, self._reported(number))

    def _reported(self, number: int) -> FrozenTrial:
        """The trial up to its last reported step: an earlier attempt may have come further."""
        trial = self._memory.get_trial(number)
        last = self._last_steps.get(number)
        if last is None or last == trial.last_step:
            return trial
        values = {step: value for step, value in trial.intermediate_values.items() if step <= last}
        trial = copy.copy(trial)
        trial.intermediate_values = values
        return trial

    def tell(
        self,
        number: int,
        state: TrialState,
        values: list[float] | None,
        reason: str | None = None,
    ) -> None:
        """End a trial as complete with ``values``, or as pruned, or as failed for a reason."""
        state = self._seen(state, reason)
        self._last_steps.pop(number, None)
        if self._memory.get_trial(number).state == OptunaState.WAITING:
            return
        reports = self._memory.get_trial(number).intermediate_values
        told = final_values(state, values, reports, self._objectives)
        self._memory.set_trial_state_values(number, OptunaState[state.name], told)

    def _seen(self, state: TrialState, reason: str | None) -> TrialState:
        return TrialState.PRUNED if self._avoids and reason in AVOIDED else state

    def is_exhausted(self) -> bool:
        """Whether grid or brute force has handed out every point; False for other samplers."""
        return self._point_count is not None and len(self._points) >= self._point_count

    def _note_point(self, params: dict[str, Any] | None) -> None:
        if self._point_count is not None and params is not None:
            self._points.add(tuple(params.items()))

    def take_changes(self) -> Changes:
        """The attributes that changed since the last call, and forget that they did."""
        memory, hidden = self._memory, {FIXED}
        trials = {}
        for number in sorted(memory.changed_trials):
            attrs = memory.get_trial_system_attrs(number)
            trials[number] = {key: attrs[key] for key in attrs.keys() - hidden}
        study = dict(memory.get_study_system_attrs(self._study_id))
        changes = Changes(trials, study if memory.study_changed else None)
        memory.changed_trials, memory.study_changed = set(), False
        return changes
