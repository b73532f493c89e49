"""The rows of one study that are under way, in memory, and what of them is still to be written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from lehr_service.domain.attempt import Attempt
from lehr_service.domain.trial import Trial
from lehr_service.storage import attempts, reports, trials
from lehr_service.storage.questions import ask

Claim = tuple[str, str]  # a worker's id, and its request's


@dataclass
class _Pending:
    """Changes of the batch, by the statement that will write them."""

    new_trials: dict[int, Trial] = field(default_factory=dict)
    changed_trials: dict[int, Trial] = field(default_factory=dict)
    stepped_trials: dict[int, Trial] = field(default_factory=dict)  # changed in steps only
    new_attempts: dict[Claim, Attempt] = field(default_factory=dict)
    ended_attempts: list[Attempt] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    outdated_checkpoints: list[int] = field(default_factory=list)


class Ledger:
    """Trials and attempts that are under way; a lane keeps them between its transactions.

    It is as good as the mirror beside it: both are dropped where a transaction fails. What another
    server has changed is forgotten.
    """

    def __init__(self, study_id: int) -> None:
        self._study_id = study_id
        self._trials: dict[int, Trial] = {}
        self._attempts: dict[str, Attempt] = {}
        self._last_steps: dict[str, int] = {}
        self._finished: set[int] = set()  # of the trials
        self._ended: set[str] = set()  # of the attempts
        self._answers: dict[Claim, Attempt | None] = {}  # that the batch has looked up, or given
        self._pending = _Pending()

    def trial(self, connection: Connection, number: int) -> Trial | None:
        """A trial as it is after all changes so far."""
        if number not in self._trials:
            found = trials.get(connection, self._study_id, number)
            if found is None:
                return None
            self._keep_trial(found)
        return self._trials[number]

    def attempt(self, connection: Connection, token: str) -> Attempt | None:
        """An attempt as it is after all changes so far."""
        if token not in self._attempts:
            found = attempts.by_token(connection, token)
            if found is None:
                return None
            self._keep_attempt(found)
        return self._attempts[token]

    def know(self, claims: Collection[Claim], answered: Mapping[Claim, Attempt]) -> None:
        """Which attempts have answered claims before; the others are known to have none."""
        self._answers |= {claim: answered.get(claim) for claim in claims}

    def claimed(self, connection: Connection, claim: Claim) -> Attempt | None:
        """The attempt that answered a claim before."""
        if claim not in self._answers:
            self.know([claim], ask(connection, attempts.by_requests([claim])))
        return self._answers[claim]

    def last_step(self, connection: Connection, attempt: Attempt) -> int:
        """The last step that an attempt reported, -1 before the first."""
        if attempt.token not in self._last_steps:
            self._last_steps[attempt.token] = reports.last_step(connection, attempt)
        return self._last_steps[attempt.token]

    def _keep_trial(self, trial: Trial) -> None:
        self._trials[trial.number] = trial
        if trial.state.is_finished:
            self._finished.add(trial.number)

    def _keep_attempt(self, attempt: Attempt) -> None:
        self._attempts[attempt.token] = attempt
        if attempt.outcome is not None:
            self._ended.add(attempt.token)

    def add_trial(self, trial: Trial) -> None:
        self._keep_trial(trial)
        self._pending.new_trials[trial.number] = trial

    def save_trial(self, trial: Trial, *, only_steps: bool = False) -> None:
        number, pending = trial.number, self._pending
        self._keep_trial(trial)
        if number in pending.new_trials:
            pending.new_trials[number] = trial
        elif only_steps and number not in pending.changed_trials:
            pending.stepped_trials[number] = trial
        else:
            pending.stepped_trials.pop(number, None)
            pending.changed_trials[number] = trial

    def add_attempt(self, attempt: Attempt, request_id: str) -> None:
        self._keep_attempt(attempt)
        self._last_steps[attempt.token] = -1
        claim = attempt.worker_id, request_id
        self._pending.new_attempts[claim] = self._answers[claim] = attempt

    def end_attempt(self, attempt: Attempt) -> None:
        self._keep_attempt(attempt)
        self._pending.ended_attempts.append(attempt)

    def add_report(self, attempt: Attempt, row: dict[str, Any]) -> None:
        self._last_steps[attempt.token] = row["step"]
        self._pending.reports.append(row)

    def remove_checkpoint(self, number: int) -> None:
        self._pending.outdated_checkpoints.append(number)

    @property
    def new_numbers(self) -> set[int]:
        """Of the trials that are still to be inserted."""
        return set(self._pending.new_trials)

    def flush(
        self, connection: Connection, attrs: Mapping[int, dict[str, Any]] | None = None
    ) -> None:
        """Write what is pending, one statement a kind of change.

        ``attrs``: Optuna's attributes of new trials, by number.
        """
        pending, self._pending = self._pending, _Pending()
        if pending.new_trials:
            trials.add_all(connection, self._study_id, list(pending.new_trials.values()), attrs)
        if pending.changed_trials:
            trials.save_all(connection, self._study_id, list(pending.changed_trials.values()))
        if pending.stepped_trials:
            trials.save_steps(connection, self._study_id, list(pending.stepped_trials.values()))
        if pending.new_attempts:
            claims = [(a, request) for (_, request), a in pending.new_attempts.items()]
            attempts.add_all(connection, claims)
        if pending.ended_attempts:
            attempts.end_all(connection, pending.ended_attempts)
        if pending.reports:
            reports.add_all(connection, pending.reports)
        if pending.outdated_checkpoints:
            reports.remove_checkpoints(connection, self._study_id, pending.outdated_checkpoints)

    def forget(self, numbers: Iterable[int]) -> None:
        """Read these trials, what belongs to them, and attempts at range tests anew."""
        changed = set(numbers)
        self._trials = {n: t for n, t in self._trials.items() if n not in changed}
        self._attempts = {
            token: attempt
            for token, attempt in self._attempts.items()
            if attempt.kind == "trial" and attempt.trial not in changed
        }
        self._last_steps = {t: s for t, s in self._last_steps.items() if t in self._attempts}

    def forget_finished(self) -> None:
        """Keep only what may act again; the batch is over."""
        self._answers.clear()
        for number in self._finished:
            self._trials.pop(number, None)
        for token in self._ended:
            self._attempts.pop(token, None)
            self._last_steps.pop(token, None)
        self._finished.clear()
        self._ended.clear()
