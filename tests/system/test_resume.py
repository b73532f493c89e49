"""A trial outlives its machine: its state lies in a folder that the next worker has, too."""

import random
import signal
import threading

import pytest

pytestmark = [
    pytest.mark.system,
    pytest.mark.tensorflow,
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]

EPOCHS = 150
SPACE = {
    "optimizer": {"momentum": {"learning_rate": 0.02}},
    "schedule": {"cosine_restarts": {"first_decay": {"epochs": 30}}},
    "parameters": {"dropout": 0.2},
}


def facts(reports):
    return [(r["step"], r["value"], r["learning_rate"], r["metrics"]) for r in reports]


def test_a_killed_trial_goes_on_exactly_from_the_last_whole_checkpoint(
    lab, digits, wait_for, tmp_path
):
    kept = tmp_path / "kept"
    here = lab(
        LEHR_LEASE_SECONDS="3",
        LEHR_HEARTBEAT_SECONDS="1",
        LEHR_CHECKPOINTS=str(kept),
        LEHR_CHECKPOINT_EPOCHS="1",
    )
    doomed = here.start("doomed", "work", "--name", "doomed", "--devices", "cpu")
    study = digits(
        search_space=SPACE,
        training={"epochs": EPOCHS, "seed": 7},
        limits={"max_trials": 1},
        sampler="random",
        pruner="none",
    )
    here.post("/v1/studies", **study)
    moment = random.randrange(20, 60)
    wait_for(lambda: here.study()["epochs"] >= moment)
    wait_for(lambda: len(list(kept.glob("*/*.json"))) >= 2)
    threading.Event().wait(random.uniform(0.0, 0.1))
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    seen = here.get("/v1/studies/digits/trials/0/reports")
    assert len(seen) < EPOCHS, "the trial was over before it was killed"

    newest = max(kept.glob("*/*.json")).with_suffix(".state")
    newest.write_bytes(newest.read_bytes()[:-1] + b"?")
    here.start("heir", "work", "--name", "heir", "--devices", "cpu")
    wait_for(lambda: here.study()["state"] == "completed")
    here.post("/v1/studies", **study | {"name": "whole"})
    wait_for(lambda: here.study("whole")["state"] == "completed")

    (trial,) = here.trials()
    assert (trial["state"], trial["worker"], trial["attempts"]) == ("complete", "heir", 2)
    whole = facts(here.get("/v1/studies/whole/trials/0/reports"))
    assert [step for step, *_ in whole] == list(range(EPOCHS))
    assert facts(here.get("/v1/studies/digits/trials/0/reports")) == whole
    assert facts(seen) == whole[: len(seen)]
    again = here.get("/v1/studies/digits/trials/0/reports?attempt=2")
    assert 0 < again[0]["step"] <= len(seen)
    assert "not used: it is damaged" in (tmp_path / "heir.log").read_text()
    wait_for(lambda: not list(kept.iterdir()))
    assert here.study()["epochs"] == EPOCHS
