"""What happens to trials: reports and verdicts, ends, enqueued points, checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from lehr.wire.range_tests import RangeTest as RangeTestView
from lehr.wire.studies import StudyState
from lehr.wire.trials import Outcome, TrialState
from lehr.wire.trials import Trial as TrialView
from lehr.wire.workers import Completion, Failure, NewReport, Verdict, Word
from lehr_service.domain import study as study_rules
from lehr_service.domain.attempt import Attempt, check_attempt
from lehr_service.domain.trial import Trial, select_value
from lehr_service.errors import (
    Invalid,
    InvalidTransition,
    LeaseLost,
)
from lehr_service.operations import range_tests
from lehr_service.operations.desk import Desk
from lehr_service.operations.views import moment, trial_view
from lehr_service.search import SearchError, check_enqueued
from lehr_service.storage import attempts, reports


def report(desk: Desk, token: str, sent: Sequence[NewReport]) -> Verdict:
    """Store intermediate values in the order of steps and judge each; the last verdict is answered.

    A report that is stored already gets the verdict that was stored with it. Raises LeaseLost,
    Invalid for a step beyond the training or out of order, AttemptUnknown.
    """
    attempt = desk.attempt(token)
    if attempt.outcome is not None:
        return _verdict_of_ended(desk, attempt, sent)
    _check_steps(desk, attempt, sent)
    desk.heard.add(attempt.worker_id)
    trial = desk.trial(attempt.trial)
    word: Word = "continue"
    reason = ""
    for new in sent:
        if new.step <= desk.ledger.last_step(desk.unflushed, attempt):
            stored = reports.get(desk.connection, attempt, new.step)
            if stored is not None:
                word, reason = stored.verdict, stored.reason
            continue
        trial, word, reason = _judge(desk, attempt, trial, new)
        if word != "continue":
            break
    return Verdict(verdict=word, reason=reason, deadline=moment(desk.deadline))


def _verdict_of_ended(desk: Desk, attempt: Attempt, sent: Sequence[NewReport]) -> Verdict:
    """A repeated report hears the verdict that ended its attempt; anything else is refused."""
    deadline = moment(desk.deadline)
    if attempt.outcome is Outcome.CANCELLED:
        return Verdict(verdict="stop", reason="the trial was cancelled", deadline=deadline)
    for new in reversed(sent):
        stored = reports.get(desk.connection, attempt, new.step)
        if stored is not None and stored.verdict != "continue":
            return Verdict(verdict=stored.verdict, reason=stored.reason, deadline=deadline)
    check_attempt(attempt)
    raise LeaseLost("ended")


def _check_steps(desk: Desk, attempt: Attempt, sent: Sequence[NewReport]) -> None:
    epochs = desk.study.definition.training.epochs
    last = desk.ledger.last_step(desk.unflushed, attempt)
    for index, new in enumerate(sent):
        path = ("reports", index, "step")
        if new.step >= epochs:
            raise Invalid(
                f"step {new.step} is beyond the training",
                [(path, f"must be below training.epochs, which is {epochs}")],
            )
        if new.step > last:
            last = new.step
        elif reports.get(desk.connection, attempt, new.step) is None:
            raise Invalid(
                f"step {new.step} is out of order",
                [(path, f"steps rise within an attempt; the last one was {last}")],
            )


def _judge(desk: Desk, attempt: Attempt, trial: Trial, new: NewReport) -> tuple[Trial, Word, str]:
    """Store one report with its verdict; a verdict other than continue ends the attempt."""
    is_first = new.step >= trial.steps
    word, reason, outcome = _decide(desk, trial, new, is_first)
    desk.ledger.add_report(
        attempt,
        {
            "study_id": desk.study.id,
            "trial": trial.number,
            "attempt": attempt.attempt,
            "step": new.step,
            "value": new.value,
            "learning_rate": new.learning_rate,
            "metrics": new.metrics,
            "verdict": word,
            "reason": reason,
            "revision": desk.revision,
            "reported_at": desk.now,
        },
    )
    trial = desk.save(trial, steps=max(trial.steps, new.step + 1))
    if outcome is not None:
        trial = desk.end(attempt, trial, outcome, message=reason)
        desk.settle()
    return trial, word, reason


def _decide(
    desk: Desk, trial: Trial, new: NewReport, is_first: bool
) -> tuple[Word, str, Outcome | None]:
    if new.value is None:
        metric = desk.study.definition.goals[0].metric
        return "stop", f"{metric} is not a number at step {new.step}", Outcome.DIVERGED
    desk.mirror.report(trial.number, new.step, new.value)
    if not is_first:
        return "continue", "an earlier attempt passed this step", None
    try:
        decision = desk.mirror.judge(trial.number)
    except SearchError as error:
        return "continue", f"the pruner failed: {error}", None
    if decision.word == "prune":
        return "prune", decision.reason, Outcome.PRUNED
    return "continue", decision.reason, None


def complete(desk: Desk, token: str, completion: Completion) -> TrialView:
    """End an attempt that trained to its end; asked again, answer the same."""
    attempt = desk.attempt(token)
    trial = desk.trial(attempt.trial)
    if attempt.outcome is not Outcome.COMPLETE:
        check_attempt(attempt)
        values = _final_values(desk, trial, completion)
        desk.heard.add(attempt.worker_id)
        if any(value is None for value in values):
            trial = desk.end(attempt, trial, Outcome.DIVERGED, message="the value is not a number")
        else:
            finite = [value for value in values if value is not None]
            trial = desk.end(
                attempt, trial, Outcome.COMPLETE, values=finite, metrics=dict(completion.metrics)
            )
            if study_rules.reaches_target(desk.study, trial.value):
                _stop_at_target(desk, trial)
        desk.settle()
    return trial_view(desk.study.name, trial)


def _final_values(desk: Desk, trial: Trial, completion: Completion) -> Sequence[float | None]:
    goals = desk.study.definition.goals
    if len(goals) > 1:
        if completion.values is None or len(completion.values) != len(goals):
            message = f"{len(goals)} values are needed, one an objective"
            raise Invalid(message, [(("values",), message)])
        return completion.values
    if completion.values is not None:
        message = "the study has one objective: send value"
        raise Invalid(message, [(("values",), message)])
    if completion.value is not None or "value" in completion.model_fields_set:
        return [completion.value]
    curve: list[float | None]
    if desk.study.definition.judge == "raw":
        curve = [*desk.mirror.curve(trial.number)]
    else:
        rows = reports.curve(desk.connection, desk.study.id, trial.number)
        curve = [_worth(desk, row) for row in rows]
    if not curve:
        message = "there are no reports to select it from: send a value"
        raise Invalid(message, [(("value",), message)])
    finite = [value for value in curve if value is not None]
    if len(finite) < len(curve):
        return [None]
    return [select_value(goals[0].select, goals[0].direction, finite)]


def _worth(desk: Desk, row: Any) -> float | None:
    """What the study's metric was at a report, which may have been judged by averaged weights."""
    definition = desk.study.definition
    measured: float | None = row.metrics.get(definition.goals[0].metric, row.value)
    return measured


def _stop_at_target(desk: Desk, trial: Trial) -> None:
    if not desk.study.state.is_finished:
        target = desk.study.definition.limits.target
        reason = f"trial {trial.number} reached the target {target:g} with {trial.value:g}"
        desk.move(StudyState.STOPPING, reason)


def fail(desk: Desk, token: str, failure: Failure) -> TrialView | RangeTestView:
    """End an attempt without a result; asked again, answer the same."""
    attempt = desk.attempt(token, None)
    if attempt.kind == "range_test":
        return range_tests.fail(desk, attempt, failure)
    trial = desk.trial(attempt.trial)
    outcome = Outcome(failure.outcome)
    if attempt.outcome is not outcome:
        check_attempt(attempt)
        desk.heard.add(attempt.worker_id)
        trial = desk.end(
            attempt,
            trial,
            outcome,
            message=failure.message or None,
            traceback=failure.traceback or None,
        )
        desk.settle()
    return trial_view(desk.study.name, trial)


def stop(desk: Desk, number: int) -> TrialView:
    """Cancel one trial; its attempt hears ``stop``. Raises InvalidTransition for a finished one."""
    trial = desk.trial(number)
    if trial.state.is_finished:
        raise InvalidTransition(f"trial {number} of {desk.study.name!r} is {trial.state} already")
    attempt = attempts.running_of_trial(desk.connection, desk.study.id, number)
    if attempt is None:
        trial = desk.finish(trial, TrialState.FAIL, Outcome.CANCELLED.value)
    else:
        trial = desk.end(attempt, trial, Outcome.CANCELLED)
    desk.settle()
    return trial_view(desk.study.name, trial)


def enqueue(desk: Desk, params: dict[str, Any]) -> TrialView:
    """Add a waiting trial with given parameters, tried before new suggestions.

    Raises Invalid, InvalidTransition, LimitReached.
    """
    study_rules.check_enqueue(desk.study)
    wrong = check_enqueued(desk.study.definition, params)
    if wrong:
        raise Invalid("the parameters are not in the search space", wrong)
    number = desk.mirror.enqueue(params)
    trial = desk.add(
        Trial(number=number, state=TrialState.WAITING, fixed_params=params, created_at=desk.now)
    )
    return trial_view(desk.study.name, trial)


def save_checkpoint(desk: Desk, token: str, content: bytes, sha256: str | None) -> str:
    """Store the state of an attempt's training; answers its checksum. Raises Invalid, LeaseLost."""
    attempt = desk.attempt(token)
    check_attempt(attempt)
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and sha256.lower() != found:
        raise Invalid(f"the checkpoint arrived damaged: its SHA-256 is {found}, not {sha256:.64}")
    desk.heard.add(attempt.worker_id)
    row = {
        "study_id": desk.study.id,
        "trial": attempt.trial,
        "attempt": attempt.attempt,
        "sha256": found,
        "content": content,
        "saved_at": desk.now,
    }
    reports.save_checkpoint(desk.connection, row)
    return found
