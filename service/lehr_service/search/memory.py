"""Optuna's memory of a study: its in-memory storage, which notes what samplers and pruners keep."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from optuna.storages import InMemoryStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from lehr_service.search.summaries import Summaries
from lehr_service.search.thinning import Thinned, few


class Memory(InMemoryStorage):  # type: ignore[misc]
    """Storage of one study whose trials have their number as identifier; ``size`` of them.

    ``changed_trials`` and ``study_changed`` tell whose system attributes were written. Of the
    waiting trials Optuna sees ``next_waiting`` only: which of them starts is not its choice.
    """

    def __init__(self) -> None:
        super().__init__()
        self.changed_trials: set[int] = set()
        self.study_changed = False
        self.next_waiting: int | None = None
        self.size = 0
        self.summaries = Summaries()
        self.finished: list[FrozenTrial] = []  # in the order of their end
        self._open: set[int] = set()
        self._thinned: Thinned | None = None
        self._kept: list[FrozenTrial] | None = None  # of the finished ones; None: choose anew

    def thin(self, size: int) -> None:
        """Show only so many of the finished trials from now on, and a hundred of those that run."""
        (direction,) = self.get_study_directions(0)
        self._thinned = Thinned(size, direction)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        number: int = super().create_new_trial(study_id, template_trial)
        self._open.add(number)
        self.size += 1
        if template_trial is not None and template_trial.state.is_finished():
            self._finished(number)
        return number

    def _finished(self, number: int) -> None:
        self._open.discard(number)
        self._kept = None
        trial = self.get_trial(number)
        self.finished.append(trial)
        if trial.state == TrialState.COMPLETE:
            self.summaries.add(trial)

    def add_trial(self, study_id: int, trial: FrozenTrial) -> None:
        """``create_new_trial`` for a trial that nobody else holds: its bulk is not copied."""
        bulk = trial.params, trial.distributions, trial.intermediate_values
        trial.params, trial.distributions, trial.intermediate_values = {}, {}, {}
        added = self.get_trial(self.create_new_trial(study_id, trial))
        added.params, added.distributions, added.intermediate_values = bulk

    def open_trials(self) -> list[FrozenTrial]:
        """Those that have not finished, by number."""
        return [self.get_trial(number) for number in sorted(self._open)]

    def forget_from(self, number: int) -> None:
        """Take back the trials from this number on, none of which has finished.

        Optuna's storage has no public way; without the attributes used here this raises.
        """
        with self._lock:
            for trial_id in range(number, self.size):
                del self._trial_id_to_study_id_and_number[trial_id]
            for study in self._studies.values():
                del study.trials[number:]
            if number < self.size:
                self._max_trial_id, self.size = number - 1, number
        self._open = {n for n in self._open if n < number}
        self.changed_trials = {n for n in self.changed_trials if n < number}

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        done: bool = super().set_trial_state_values(trial_id, state, values)
        if state.is_finished():
            self._finished(trial_id)
        return done

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        super().set_trial_system_attr(trial_id, key, value)
        self.changed_trials.add(trial_id)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        super().set_study_system_attr(study_id, key, value)
        self.study_changed = True

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        if states == (TrialState.WAITING,):
            return [] if self.next_waiting is None else [self.get_trial(self.next_waiting)]
        if self._thinned is None or deepcopy:
            return super().get_all_trials(study_id, deepcopy, states)  # type: ignore[no-any-return]
        if self._kept is None:
            self._kept = self._thinned.of(self.finished)
        running = [t for t in self.open_trials() if t.state == TrialState.RUNNING]
        shown = [*self._kept, *few(running)]
        return [trial for trial in shown if states is None or trial.state in states]


def finished_of(study: Study) -> list[FrozenTrial] | None:
    """The finished trials of a mirror's study, one list that grows; None for any other study."""
    storage = study._storage  # a study has no public way to what stores it
    return storage.finished if isinstance(storage, Memory) else None


def running_of(study: Study) -> list[FrozenTrial]:
    """The trials of a study that have not finished."""
    storage = study._storage
    if isinstance(storage, Memory):
        return storage.open_trials()
    return [t for t in study.get_trials(deepcopy=False) if not t.state.is_finished()]
