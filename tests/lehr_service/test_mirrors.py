"""What a mirror knows after it has caught up, again and again, is what a new one reads."""

import random

import pytest

from lehr_service.operations.mirrors import catch_up
from lehr_service.operations.suggesting import sampling_mirror
from lehr_service.search.snapshots import FIXED
from lehr_service.storage import studies

SAMPLER = {"name": "tpe", "max_history": 0}
PRUNER = {"name": "threshold", "lower": 0.2}


def seen(mirror):
    """All of a mirror that a sampler reads: the curves of pruned trials, and of no other."""
    trials = mirror._memory.get_all_trials(0, deepcopy=False)
    return [
        (
            trial.number,
            trial.state,
            trial.params,
            trial.values,
            trial.intermediate_values if trial.state.name == "PRUNED" else None,
            set(trial.system_attrs) - {FIXED} if trial.state.is_finished() else None,
        )
        for trial in trials
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_mirror_for_sampling_knows_all_that_a_sampler_reads(
    serve, create, simulated, database_url, database, seed
):
    server, chance = serve(database_url=database_url), random.Random(seed)
    create(server.http, sampler=SAMPLER, pruner=PRUNER, training={"epochs": 9})
    workers = [simulated(server.http) for _ in range(4)]
    running, steps, known, kinds = {}, {}, None, set()
    for _ in range(120):
        worker = chance.choice(workers)
        match chance.choice(["claim", "report", "report", "report", "complete", "fail", "add"]):
            case "claim" if worker not in running:
                running[worker], steps[worker] = worker.claim(), 0
            case "report" if worker in running:
                value = chance.choice([0.1, 0.5, 0.6, 0.7, 0.8])
                said = worker.report(running[worker], steps[worker], value)
                steps[worker] += 1
                if said["verdict"] != "continue":
                    del running[worker]
            case "complete" if worker in running and steps[worker]:
                worker.complete(running.pop(worker))
            case "fail" if worker in running:
                outcome = chance.choice(["error", "preempted"])  # which waits again
                worker.send(running.pop(worker), "fail", outcome=outcome, message="it did")
            case "add":
                server.http.post("/v1/studies/study/trials", json={"params": {}})
        if chance.random() < 0.5:
            continue
        with database.read() as connection:
            study = studies.by_id(connection, 1)
            known = known or sampling_mirror(study, 1)
            fresh = sampling_mirror(study, 1)
            catch_up(connection, study, known, for_sampling=True)
            catch_up(connection, study, fresh)
        assert seen(known) == seen(fresh)
        kinds |= {state.name for _, state, *_ in seen(known)}
    assert kinds == {"WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL"}
