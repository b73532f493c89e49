"""A model of studies, trials, attempts and workers in plain Python, to hold the service against.

It knows what DESIGN promises and nothing of how it is done: no SQL, no mirrors, no lanes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FINISHED = ("completed", "cancelled", "failed")
RETURNED = ("lost", "preempted")


@dataclass
class Trial:
    state: str = "waiting"
    attempts: int = 0
    lost: int = 0
    steps: int = 0
    value: float | None = None
    reason: str | None = None
    token: str | None = None


@dataclass
class Attempt:
    study: Study
    trial: int
    worker: str
    outcome: str | None = None
    verdicts: dict[int, str] = field(default_factory=dict)


@dataclass
class Worker:
    deadline: float
    lost: bool = False
    draining: bool = False


@dataclass
class Study:
    name: str
    max_trials: int
    max_parallel: int
    max_failed: int | None
    max_attempts: int
    state: str = "active"
    trials: list[Trial] = field(default_factory=list)

    def count(self, state: str) -> int:
        return sum(trial.state == state for trial in self.trials)

    @property
    def may_start(self) -> bool:
        room = len(self.trials) < self.max_trials or self.count("waiting") > 0
        return self.state == "active" and self.count("running") < self.max_parallel and room


class Reference:
    """The service as it should be."""

    def __init__(self, lease: float, epochs: int) -> None:
        self.lease, self.epochs = lease, epochs
        self.now, self.grace_until = 0.0, lease
        self.studies: dict[str, Study] = {}
        self.workers: dict[str, Worker] = {}
        self.attempts: dict[str, Attempt] = {}

    @property
    def open(self) -> list[Study]:
        return [study for study in self.studies.values() if study.state not in FINISHED]

    @property
    def may_start(self) -> bool:
        return any(study.may_start for study in self.studies.values())

    @property
    def running(self) -> list[str]:
        """The tokens of attempts that may act."""
        return [token for token, attempt in self.attempts.items() if attempt.outcome is None]

    def restart(self, down: float) -> None:
        """The server was away for so many seconds."""
        self.now += down
        self.grace_until = self.now + self.lease

    def enqueue(self, study: Study) -> str:
        if study.state not in ("active", "paused"):
            return "invalid_transition"
        if len(study.trials) >= study.max_trials:
            return "limit_reached"
        study.trials.append(Trial())
        return "ok"

    def act(self, study: Study, action: str) -> str:
        target = {"pause": "paused", "resume": "active", "stop": "stopping", "cancel": "cancelled"}
        source = {
            "pause": ["active"],
            "resume": ["paused"],
            "stop": ["active", "paused"],
            "cancel": ["active", "paused", "stopping"],
        }
        if study.state != target[action]:
            if study.state not in source[action]:
                return "invalid_transition"
            self._move(study, target[action])
        return "ok"

    def change(self, study: Study, max_trials: int, max_parallel: int) -> str:
        if study.state in FINISHED:
            return "invalid_transition"
        if max_trials < len(study.trials):
            return "invalid"
        study.max_trials, study.max_parallel = max_trials, max_parallel
        self._settle(study)
        return "ok"

    def stop_trial(self, study: Study, number: int) -> str:
        if number >= len(study.trials):
            return "trial_unknown"
        trial = study.trials[number]
        if trial.state not in ("waiting", "running"):
            return "invalid_transition"
        self._cancel(study, trial)
        self._settle(study)
        return "ok"

    def next_trial(self, study: Study) -> int:
        """Those that started before, then those that were enqueued, then a new one."""
        waiting = [n for n, trial in enumerate(study.trials) if trial.state == "waiting"]
        waiting.sort(key=lambda n: (study.trials[n].attempts == 0, n))
        return waiting[0] if waiting else len(study.trials)

    def claimed(self, study: Study, number: int, worker: str, token: str) -> None:
        if number == len(study.trials):
            study.trials.append(Trial())
        trial = study.trials[number]
        trial.state, trial.reason, trial.token = "running", None, token
        trial.attempts += 1
        self.attempts[token] = Attempt(study, number, worker)
        self.heard(worker)

    def heard(self, worker: str) -> None:
        if not self.workers[worker].lost:
            self.workers[worker].deadline = self.now + self.lease

    def report(self, token: str, step: int, value: float | None) -> str:
        attempt = self.attempts[token]
        stored = attempt.verdicts.get(step)
        if attempt.outcome is not None:
            if attempt.outcome == "cancelled":
                return "stop"
            return stored if stored in ("prune", "stop") else "lease_lost"
        if step >= self.epochs or (stored is None and step < max(attempt.verdicts, default=-1)):
            return "invalid"
        self.heard(attempt.worker)
        if stored is not None:
            return stored
        trial = attempt.study.trials[attempt.trial]
        passed_before = step < trial.steps
        trial.steps = max(trial.steps, step + 1)
        verdict = "continue"
        if value is None:
            verdict = "stop"
        elif value < 0 and not passed_before:
            verdict = "prune"
        attempt.verdicts[step] = verdict
        if verdict != "continue":
            self._end(token, "diverged" if verdict == "stop" else "pruned")
        return verdict

    def complete(self, token: str, value: float | None) -> str:
        attempt = self.attempts[token]
        if attempt.outcome is not None:
            return "ok" if attempt.outcome == "complete" else "lease_lost"
        self.heard(attempt.worker)
        self._end(token, "diverged" if value is None else "complete", value)
        return "ok"

    def fail(self, token: str, outcome: str) -> str:
        attempt = self.attempts[token]
        if attempt.outcome is not None:
            return "ok" if attempt.outcome == outcome else "lease_lost"
        self.heard(attempt.worker)
        self._end(token, outcome)
        return "ok"

    def sweep(self) -> None:
        for name, worker in self.workers.items():
            if self.now < worker.deadline or self.now < self.grace_until:
                continue
            worker.lost = True
            for token, attempt in self.attempts.items():
                if attempt.worker == name and attempt.outcome is None:
                    self._end(token, "lost")

    def _end(self, token: str, outcome: str, value: float | None = None) -> None:
        attempt = self.attempts[token]
        study, trial = attempt.study, attempt.study.trials[attempt.trial]
        attempt.outcome = outcome
        trial.lost += outcome == "lost"
        if outcome == "preempted" or (outcome == "lost" and trial.lost < study.max_attempts):
            trial.state = "waiting"
        elif outcome in ("complete", "pruned"):
            trial.state, trial.value = outcome, value
        else:
            trial.state, trial.reason = "fail", outcome
        self._settle(study)

    def _cancel(self, study: Study, trial: Trial) -> None:
        if trial.state == "running" and trial.token is not None:
            self.attempts[trial.token].outcome = "cancelled"
        trial.state, trial.reason = "fail", "cancelled"

    def _move(self, study: Study, state: str) -> None:
        study.state = state
        for trial in study.trials:
            is_over = trial.state == "running" and state in ("cancelled", "failed")
            if is_over or (trial.state == "waiting" and state in (*FINISHED, "stopping")):
                self._cancel(study, trial)
        self._settle(study)

    def _settle(self, study: Study) -> None:
        failures = sum(t.state == "fail" and t.reason != "cancelled" for t in study.trials)
        under_way = study.count("running") + study.count("waiting")
        if study.state in FINISHED:
            return
        if study.max_failed is not None and failures >= study.max_failed:
            self._move(study, "failed")
            return
        is_stopped = study.state == "stopping" and study.count("running") == 0
        if is_stopped or (under_way == 0 and len(study.trials) >= study.max_trials):
            self._move(study, "completed")
