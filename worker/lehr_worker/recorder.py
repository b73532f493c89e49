"""What a trainer notes of one trial: reports, what the trial is worth, when to save its state."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Protocol

from lehr.wire.parts import Objective
from lehr.wire.workers import Completion, Failure, Lease, NewReport
from lehr_worker.channel import Channel
from lehr_worker.saver import Interval, Pace, Saver
from lehr_worker.training.errors import Diverged

VERDICT_SHARE = 0.05  # of the last epoch's time, to wait for its verdict
VERDICT_SECONDS = 1.0  # at most

State = Callable[[], bytes]

log = logging.getLogger(__name__)


class Epoch(Protocol):
    """An engine's report of one epoch."""

    @property
    def step(self) -> int: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def seconds(self) -> float: ...


class Guidance(Protocol):
    """The agent's orders for the trial at hand."""

    word: str | None
    wants_checkpoint: bool

    def await_verdict(self, step: int, seconds: float) -> bool: ...


class Log(Protocol):
    """Where a trial's epochs are written down for whoever looks on; it never raises."""

    def epoch(
        self, step: int, metrics: Mapping[str, float], learning_rate: float | None
    ) -> None: ...
    def end(self, succeeded: bool | None, values: Mapping[str, float]) -> None: ...


class NoLog:
    """Nobody looks on."""

    def epoch(self, step: int, metrics: Mapping[str, float], learning_rate: float | None) -> None:
        """Nothing."""

    def end(self, succeeded: bool | None, values: Mapping[str, float]) -> None:
        """Nothing."""


class MissingMetric(Exception):
    """The task does not report the metric that the study judges by."""


class Recorder:
    """Sends what one trial measures to the agent, and passes its orders on to the engine."""

    def __init__(
        self,
        lease: Lease,
        orders: Guidance,
        channel: Channel,
        saver: Saver,
        interval: Interval,
        log: Log,
    ) -> None:
        self._lease = lease
        self._log = log
        self._orders = orders
        self._channel = channel
        self._saver = saver
        self._pace = Pace(interval)
        self._metrics: dict[int, Mapping[str, float | None]] = {
            report.step: report.metrics for report in lease.reports
        }
        self.obeyed = False  # whether the training ended because it was told to

    def on_epoch(self, epoch: Epoch) -> bool:
        """Report an epoch; whether to train the next, as far as is known in time."""
        self._pace.epoch(self._saver.clock(), epoch.seconds)
        self._forget_from(epoch.step)
        self._metrics[epoch.step] = dict(epoch.metrics)
        report = NewReport(
            step=epoch.step,
            value=judged(self._lease.objectives[0], epoch.metrics),
            learning_rate=epoch.learning_rate,
            metrics=dict(epoch.metrics),
        )
        for objective in self._lease.objectives:
            measured(objective.metric, epoch.metrics)
        self._send(report)
        self._log.epoch(epoch.step, epoch.metrics, epoch.learning_rate)
        patience = min(VERDICT_SECONDS, VERDICT_SHARE * epoch.seconds)
        self.obeyed = not self._orders.await_verdict(epoch.step, patience)
        return not self.obeyed

    def on_checkpoint(self, step: int, state: State) -> None:
        """Send the state when it is due, or when the trial is handed back."""
        if self._orders.word == "hand_back":
            self._save(step, state)
            self._saver.flush()
            return
        last = step + 1 >= self._lease.training.epochs
        if not last and not self.obeyed and self._saver.is_idle and self._is_due():
            self._orders.wants_checkpoint = False
            self._save(step, state)

    def _is_due(self) -> bool:
        return self._orders.wants_checkpoint or self._pace.is_due(self._saver.clock())

    def _save(self, step: int, state: State) -> None:
        began = self._saver.clock()
        self._saver.send(self._lease.token, step, state())
        self._pace.saved(began, self._saver.clock())

    def record_divergence(self, error: Diverged) -> None:
        """Report the epoch that ended in no number."""
        self._send(NewReport(step=error.step, value=None, metrics=dict(error.metrics)))
        self._log.epoch(error.step, error.metrics, None)

    def completion(self) -> Completion:
        """A full training; the server selects a single objective's value from the reports."""
        objectives = self._lease.objectives
        last = self._metrics[max(self._metrics)] if self._metrics else {}
        if len(objectives) == 1:
            return Completion(metrics=dict(last))
        return Completion(values=[self._selected(goal) for goal in objectives], metrics=dict(last))

    def _selected(self, objective: Objective) -> float | None:
        history = [self._metrics[step].get(objective.metric) for step in sorted(self._metrics)]
        return selected(objective, [value for value in history if value is not None])

    def _forget_from(self, step: int) -> None:
        """Steps of an earlier attempt that this one trains again."""
        self._metrics = {s: metrics for s, metrics in self._metrics.items() if s < step}

    def end(self, ending: Completion | Failure | None) -> None:
        """End the log, and say what the checkpoints have cost."""
        if isinstance(ending, Completion):
            values = {goal.metric: self._selected(goal) for goal in self._lease.objectives}
            self._log.end(True, {name: v for name, v in values.items() if v is not None})
        elif ending is not None or self._orders.word != "hand_back":
            self._log.end(ending is None, {})  # a pruned trial has not failed
        else:
            self._log.end(None, {})
        if self._pace.copies:
            log.debug(
                "%s #%d: %d checkpoints, %.1f ms each, %.2f %% of the training's time",
                self._lease.study,
                self._lease.trial.number,
                self._pace.copies,
                1e3 * self._pace.stalled / self._pace.copies,
                100 * self._pace.share(self._saver.clock()),
            )

    def _send(self, report: NewReport) -> None:
        body = {"token": self._lease.token, "report": report.model_dump(mode="json")}
        self._channel.send("report", body)


def judged(objective: Objective, metrics: Mapping[str, float]) -> float:
    """What the trial is judged by while it trains: the objective's metric, of averaged weights
    where the lease asks for them (``judge: ema``) or would have them (``auto``).

    Raises MissingMetric.
    """
    averaged = objective.averaged_metric
    if objective.judge == "ema" or (objective.judge == "auto" and averaged in metrics):
        return measured(averaged, metrics)
    return measured(objective.metric, metrics)


def measured(name: str, metrics: Mapping[str, float]) -> float:
    """The value of a metric. Raises MissingMetric."""
    if name not in metrics:
        raise MissingMetric(
            f"the study judges by {name}, which the task does not report; "
            f"it reports {', '.join(metrics) or 'nothing'}"
        )
    return metrics[name]


def selected(objective: Objective, history: list[float]) -> float | None:
    """Which reported value counts: ``last``, ``best``, or the mean of the last N."""
    if not history:
        return None
    if objective.select == "last":
        return history[-1]
    if objective.select == "best":
        return max(history) if objective.direction == "maximize" else min(history)
    tail = history[-int(objective.select.removeprefix("mean_of_last_")) :]
    return math.fsum(tail) / len(tail)
