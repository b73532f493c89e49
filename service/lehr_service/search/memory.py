"""Optuna's memory of a study: its in-memory storage, which notes what samplers and pruners keep."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState


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

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        self.size += 1
        return super().create_new_trial(study_id, template_trial)  # type: ignore[no-any-return]

    def add_trial(self, study_id: int, trial: FrozenTrial) -> None:
        """``create_new_trial`` for a trial that nobody else holds: its bulk is not copied."""
        bulk = trial.params, trial.distributions, trial.intermediate_values
        trial.params, trial.distributions, trial.intermediate_values = {}, {}, {}
        added = self.get_trial(self.create_new_trial(study_id, trial))
        added.params, added.distributions, added.intermediate_values = bulk

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
        return super().get_all_trials(study_id, deepcopy, states)  # type: ignore[no-any-return]
