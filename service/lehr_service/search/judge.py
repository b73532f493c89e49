"""Verdicts of a study's pruner on its trials."""

from __future__ import annotations

from contextlib import nullcontext

from optuna import Study
from optuna.trial import FrozenTrial

from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import AUDITED
from lehr_service.search.errors import SearchError
from lehr_service.search.forecast import ForecastPruner
from lehr_service.search.memory import Memory
from lehr_service.search.pruners import Decision, build_pruner, explain
from lehr_service.search.quiet import quiet
from lehr_service.search.ranking import RankingPruner


class Judge:
    """A study's pruner, and what it says in words."""

    def __init__(self, definition: StudyDefinition) -> None:
        """Raises SearchError where the pruner refuses its options."""
        self.pruner = build_pruner(definition)
        self._definition = definition
        # Ours warn of nothing.
        self._is_ours = isinstance(self.pruner, ForecastPruner | RankingPruner)

    def decide(self, study: Study, memory: Memory, trial: FrozenTrial) -> Decision:
        """The verdict for the last report of a trial of the study that the memory holds.

        Not idempotent: some pruners note that they judged. Raises SearchError where one fails.
        """
        name = self._definition.pruner["name"]
        if name == "none" or len(self._definition.goals) > 1:
            return Decision("continue", "no pruner judges this study")
        try:
            with nullcontext() if self._is_ours else quiet():
                if isinstance(self.pruner, ForecastPruner):
                    return _forecast(self.pruner, study, memory, trial)
                if self.pruner.prune(study, trial):
                    return Decision("prune", explain(self._definition, study, trial))
        except Exception as error:
            raise SearchError(f"the pruner {name} failed: {error}") from error
        return Decision("continue", f"the {name} pruner lets it go on at step {trial.last_step}")


def _forecast(pruner: ForecastPruner, study: Study, memory: Memory, trial: FrozenTrial) -> Decision:
    reason = pruner.reason(study, trial)
    if reason is None:
        return Decision("continue", f"the forecast lets it go on at step {trial.last_step}")
    if not pruner.is_audited(trial):
        return Decision("prune", f"forecast: {reason}")
    if AUDITED not in trial.system_attrs:
        memory.set_trial_system_attr(trial.number, AUDITED, trial.last_step)
    return Decision("continue", f"goes on for the audit; forecast: {reason}")
