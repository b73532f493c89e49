"""What must hold of a database whatever was done to its servers and workers.

``broken(stored)`` looks at the database alone and may be asked at any moment; ``unfinished`` and
``unkept`` (what clients were told against what is stored) at the end. Each answers sentences.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import create_engine, make_url, select

from lehr_service.storage import tables

Row = Mapping[str, Any]
Told = list[dict[str, Any]]

_FINISHED_STUDY = ("completed", "cancelled", "failed")
_FINISHED_TRIAL = ("complete", "pruned", "fail")
_RETURNED = ("lost", "preempted")
_FAILED = ("lost", "error", "out_of_memory", "diverged", "cancelled")
_STATE_OF = {"complete": "complete", "pruned": "pruned"} | dict.fromkeys(_FAILED, "fail")
_DISTINCT = ("grid", "brute_force")


@dataclass(frozen=True)
class Stored:
    """All rows at one moment."""

    studies: list[Row]
    trials: dict[int, list[Row]]  # by study, in the order of numbers
    attempts: dict[tuple[int, int], list[Row]]  # at a trial, in the order of attempts
    reports: dict[tuple[int, int, int], dict[int, Row]]  # of an attempt, by step
    tokens: dict[str, Row]  # attempts of both kinds
    tests: list[Row]

    def named(self, name: str) -> Row | None:
        return next((study for study in self.studies if study["name"] == name), None)

    def trial(self, attempt: Row) -> Row | None:
        trials = self.trials[attempt["study_id"]]
        return next((trial for trial in trials if trial["number"] == attempt["trial"]), None)


def load(url: str) -> Stored:
    """One consistent view of the database at a SQLAlchemy URL."""
    engine = create_engine(url)
    is_sqlite = make_url(url).get_backend_name() == "sqlite"
    try:
        with engine.connect() as connection:
            if is_sqlite:
                connection.exec_driver_sql("BEGIN")
            else:
                connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ")

            def rows(table: Any, *order: str) -> list[Row]:
                query = select(table).order_by(*(table.c[name] for name in order))
                return [dict(row._mapping) for row in connection.execute(query)]

            found = {
                "studies": rows(tables.studies, "id"),
                "trials": rows(tables.trials, "study_id", "number"),
                "attempts": rows(tables.attempts, "study_id", "trial", "attempt"),
                "reports": rows(tables.reports, "study_id", "trial", "attempt", "step"),
                "tests": rows(tables.range_tests, "study_id", "number"),
            }
            connection.exec_driver_sql("ROLLBACK")
    finally:
        engine.dispose()
    return _indexed(**found)


def _indexed(
    studies: list[Row],
    trials: list[Row],
    attempts: list[Row],
    reports: list[Row],
    tests: list[Row],
) -> Stored:
    by_study = defaultdict(list)
    for trial in trials:
        by_study[trial["study_id"]].append(trial)
    by_trial = defaultdict(list)
    for attempt in attempts:
        if attempt["kind"] == "trial":
            by_trial[attempt["study_id"], attempt["trial"]].append(attempt)
    by_attempt: dict[tuple[int, int, int], dict[int, Row]] = defaultdict(dict)
    for report in reports:
        by_attempt[report["study_id"], report["trial"], report["attempt"]][report["step"]] = report
    tokens = {attempt["token"]: attempt for attempt in attempts}
    return Stored(studies, by_study, by_trial, by_attempt, tokens, tests)


def broken(stored: Stored) -> list[str]:
    """What must hold at every moment and does not."""
    found: list[str] = []
    for study in stored.studies:
        trials = stored.trials[study["id"]]
        for check in (_numbers, _counts, _limits, _distinct):
            found += [f"study {study['name']}: {text}" for text in check(study, trials)]
        for trial in trials:
            attempts = stored.attempts[study["id"], trial["number"]]
            where = f"trial {trial['number']} of {study['name']}"
            found += [f"{where}: {text}" for text in _attempts(trial, attempts)]
            found += [f"{where}: {text}" for text in _reports(stored, study, trial, attempts)]
    return found


def _numbers(_study: Row, trials: list[Row]) -> Iterator[str]:
    numbers = [trial["number"] for trial in trials]
    if numbers != list(range(len(numbers))):
        yield f"numbers have a gap or come twice: {numbers}"


def _counts(study: Row, trials: list[Row]) -> Iterator[str]:
    states = Counter(trial["state"] for trial in trials)
    started = [t for t in trials if t["state"] == "waiting" and t["attempts"]]
    failures = [t for t in trials if t["state"] == "fail" and t["reason"] != "cancelled"]
    finished = [trial for trial in trials if trial["state"] in _FINISHED_TRIAL]
    expected = {
        **{state: states[state] for state in ("waiting", "running", *_FINISHED_TRIAL)},
        "returned": len(started),
        "failures": len(failures),
        "epochs": sum(trial["steps"] for trial in trials),
        "finished_epochs": sum(trial["steps"] for trial in finished),
    }
    for name, count in expected.items():
        if study[name] != count:
            yield f"{name} is {study[name]}, but its trials say {count}"


def _limits(study: Row, trials: list[Row]) -> Iterator[str]:
    definition = json.loads(study["definition"])
    limits = definition.get("limits", {})
    most = limits.get("max_trials")
    if most is not None and len(trials) > most:
        yield f"has {len(trials)} trials, max_trials is {most}"
    if most is not None and "max_trials" in (study["reason"] or "") and len(trials) != most:
        yield f"ended for max_trials, which is {most}, with {len(trials)} trials"
    running = sum(trial["state"] == "running" for trial in trials)
    parallel = limits.get("max_parallel")
    if parallel is not None and running > parallel:
        yield f"{running} trials run, max_parallel is {parallel}"
    epochs = limits.get("max_epochs")
    if epochs is not None and study["epochs"] > epochs:
        yield f"{study['epochs']} epochs were reported, max_epochs is {epochs}"


def _distinct(study: Row, trials: list[Row]) -> Iterator[str]:
    definition = json.loads(study["definition"])
    points = [json.dumps(t["params"], sort_keys=True) for t in trials if t["params"] is not None]
    if definition["sampler"]["name"] not in _DISTINCT:
        return
    for point, times in Counter(points).items():
        if times > 1:
            yield f"{point} was tried {times} times by sampler {definition['sampler']['name']}"
    size = definition.get("labels", {}).get("points")
    if size is not None and study["state"] == "completed" and len(points) != int(size):
        yield f"tried {len(points)} of {size} points"


def _attempts(trial: Row, attempts: list[Row]) -> Iterator[str]:
    if [attempt["attempt"] for attempt in attempts] != list(range(1, trial["attempts"] + 1)):
        yield f"says {trial['attempts']} attempts, but there are {len(attempts)}"
        return
    outcomes = [attempt["outcome"] for attempt in attempts]
    if any(outcome not in _RETURNED for outcome in outcomes[:-1]):
        yield f"an attempt began though one before it had not been given back: {outcomes}"
    if outcomes.count("lost") != trial["lost"]:
        yield f"was lost {outcomes.count('lost')} times, but says {trial['lost']}"
    if trial["state"] not in _allowed(trial, outcomes[-1] if outcomes else "none"):
        yield f"is {trial['state']} ({trial['reason']}) after attempts {outcomes}"
    for attempt in attempts:
        if (attempt["outcome"] is None) != (attempt["finished_at"] is None):
            yield f"attempt {attempt['attempt']} has an outcome or an end, but not both"


def _allowed(trial: Row, last: str | None) -> tuple[str, ...]:
    """The states a trial may be in after its last attempt's outcome; None: it is under way."""
    if last is None:
        return ("running",)
    if last in ("none", *_RETURNED):
        is_over = trial["reason"] == "cancelled" or (last == "lost" and trial["reason"] == "lost")
        return ("fail",) if is_over else ("waiting",)
    return (_STATE_OF[last],)


def _reports(stored: Stored, study: Row, trial: Row, attempts: list[Row]) -> Iterator[str]:
    last_revision, steps = -1, 0
    for attempt in attempts:
        reports = stored.reports.get((study["id"], trial["number"], attempt["attempt"]), {})
        revisions = [report["revision"] for report in reports.values()]
        if reports and min(revisions) <= last_revision:
            yield f"attempt {attempt['attempt']} acted while the one before it did"
        if revisions != sorted(revisions):
            yield f"attempt {attempt['attempt']} reported steps out of order"
        last_revision = max([last_revision, *revisions])
        steps = max([steps, *(step + 1 for step in reports)])
        ending = [r["verdict"] for r in reports.values() if r["verdict"] != "continue"]
        if len(ending) > 1 or ("prune" in ending) != (attempt["outcome"] == "pruned"):
            yield f"attempt {attempt['attempt']} ended as {attempt['outcome']} after {ending}"
    if steps != trial["steps"]:
        yield f"says {trial['steps']} steps, but its reports say {steps}"


def unfinished(stored: Stored) -> list[str]:
    """What has not come to its end."""
    found = []
    for study in stored.studies:
        if study["state"] not in _FINISHED_STUDY:
            found.append(f"study {study['name']} is stuck: {study['state']}")
        elif study["waiting"] or study["running"]:
            found.append(f"study {study['name']} is {study['state']} with trials under way")
    found += [
        f"the lease {attempt['token']} has no outcome"
        for attempt in stored.tokens.values()
        if attempt["outcome"] is None
    ]
    found += [
        f"range test {test['number']} of study {test['study_id']} is {test['state']}"
        for test in stored.tests
        if test["state"] not in ("complete", "failed")
    ]
    return found


def unkept(stored: Stored, told: Told) -> list[str]:
    """What clients were told and the database does not say."""
    found: list[str] = []
    checks = {
        "lease": _leased,
        "report": _reported,
        "complete": _completed,
        "fail": _failed,
        "range_test": _tested,
        "enqueued": _enqueued,
        "surprise": _surprised,
    }
    for entry in told:
        check = checks.get(entry["what"])
        if check is not None:
            found += check(stored, entry)
    return [*found, *_one_lease_a_request(told)]


def _attempt_of(stored: Stored, entry: Row) -> Row | None:
    return stored.tokens.get(entry["token"])


def _leased(stored: Stored, entry: Row) -> Iterator[str]:
    attempt = _attempt_of(stored, entry)
    study = stored.named(entry["study"])
    if attempt is None or study is None or attempt["study_id"] != study["id"]:
        yield f"the lease {entry['token']} of {entry['study']} is not stored"
        return
    if "trial" not in entry:
        return
    where = f"lease of trial {entry['trial']} of {entry['study']}, attempt {entry['attempt']}"
    if (attempt["trial"], attempt["attempt"]) != (entry["trial"], entry["attempt"]):
        yield f"{where}: stored as trial {attempt['trial']}, attempt {attempt['attempt']}"
        return
    trial = stored.trial(attempt)
    if trial is None or trial["params"] != entry["params"]:
        yield f"{where}: its parameters have changed"
    known = {
        step
        for earlier in range(1, entry["attempt"])
        for step in stored.reports.get((study["id"], entry["trial"], earlier), {})
    }
    if not known <= set(entry["steps"]):
        yield f"{where}: reports of steps {sorted(known - set(entry['steps']))} were not in it"


def _reported(stored: Stored, entry: Row) -> Iterator[str]:
    attempt = _attempt_of(stored, entry)
    if attempt is None:
        yield f"the lease {entry['token']} that reported is not stored"
        return
    where = f"trial {attempt['trial']} of study {attempt['study_id']}, attempt {attempt['attempt']}"
    key = (attempt["study_id"], attempt["trial"], attempt["attempt"])
    rows = stored.reports.get(key, {})
    verdict = entry["verdict"]
    for step, value in entry["values"].items():
        row = rows.get(int(step))
        if row is None:
            if verdict == "continue":
                yield f"{where}: the acknowledged report of step {step} is not stored"
            continue
        if row["value"] != value:
            yield f"{where}: step {step} was reported as {value}, stored as {row['value']}"
    verdicts = [rows[int(step)]["verdict"] for step in entry["values"] if int(step) in rows]
    if verdict == "prune" and "prune" not in verdicts:
        yield f"{where}: it was pruned, which is not stored"
    if verdict == "continue" and verdicts and verdicts[-1] != "continue":
        yield f"{where}: it was told to continue, stored is {verdicts[-1]}"
    if verdict == "stop" and attempt["outcome"] not in ("cancelled", "diverged"):
        yield f"{where}: it was told to stop, but ended as {attempt['outcome']}"


def _completed(stored: Stored, entry: Row) -> Iterator[str]:
    attempt = _attempt_of(stored, entry)
    if attempt is None or attempt["outcome"] not in ("complete", "diverged"):
        yield f"the acknowledged completion by {entry['token']} is not stored"
        return
    trial = stored.trial(attempt)
    told = (entry["value"], entry["values"])
    if trial is None or (trial["value"], trial["objective_values"]) != told:
        yield f"trial {attempt['trial']}: the value told by {entry['token']} has changed"


def _failed(stored: Stored, entry: Row) -> Iterator[str]:
    attempt = _attempt_of(stored, entry)
    if attempt is None or attempt["outcome"] != entry["outcome"]:
        yield f"the acknowledged end of {entry['token']} as {entry['outcome']} is not stored"


def _tested(stored: Stored, entry: Row) -> Iterator[str]:
    attempt = _attempt_of(stored, entry)
    if attempt is None or attempt["outcome"] != "complete":
        yield f"the acknowledged result of the range test {entry['token']} is not stored"


def _enqueued(stored: Stored, entry: Row) -> Iterator[str]:
    study = stored.named(entry["study"])
    trials = stored.trials[study["id"]] if study else []
    trial = next((t for t in trials if t["number"] == entry["trial"]), None)
    where = f"enqueued trial {entry['trial']} of {entry['study']}"
    if trial is None or trial["fixed_params"] != entry["params"]:
        yield f"{where} is not stored as it was given"
    elif trial["params"] is not None and not entry["params"].items() <= trial["params"].items():
        yield f"{where} ran with other parameters than were given"


def _surprised(_stored: Stored, entry: Row) -> Iterator[str]:
    yield f"a client was answered with {entry['error']}: {entry['said']}"


def _one_lease_a_request(told: Iterable[Row]) -> Iterator[str]:
    tokens: dict[str, str] = {}
    for entry in told:
        if (
            entry["what"] == "lease"
            and tokens.setdefault(entry["request"], entry["token"]) != (entry["token"])
        ):
            yield f"the claim {entry['request']} was answered with two leases"
