"""A fleet on a real Slurm of one node. On demand: LEHR_TEST_SLURM=1, as root (3 minutes)."""

import os
import time

import pytest
from tests.deploy import slurm_node
from tests.deploy.conftest import DEPLOY
from tests.system.conftest import LEHR, Lab, digits

SLURM = DEPLOY / "slurm"


@pytest.fixture
def node(tmp_path):
    if not os.environ.get("LEHR_TEST_SLURM"):
        pytest.skip("LEHR_TEST_SLURM=1 tests a fleet on a real Slurm")
    if missing := slurm_node.missing():
        pytest.skip(f"not installed: {', '.join(missing)}")
    node = slurm_node.SlurmNode(tmp_path)
    try:
        node.start()
        yield node
    finally:
        node.stop()


@pytest.fixture
def lab(node, tmp_path, wait_for):
    folder = tmp_path / "lab"
    folder.mkdir()
    lab = Lab(folder, f"sqlite:///{folder}/lehr.db")
    try:
        lab.start("server", "serve")
        wait_for(lab.is_ready, 60)
        node.environment |= {
            "LEHR": str(LEHR),
            "LEHR_SERVER": lab.url,
            "LEHR_WORK_OPTIONS": "--devices cpu",
            "LEHR_CHECKPOINT_EPOCHS": "1",
            "LEHR_DRAIN_SECONDS": "3",
            "LEHR_IDLE_EXIT_SECONDS": "3",
        }
        yield lab
    finally:
        lab.stop()


def say(begun, text):
    print(f"{time.monotonic() - begun:6.1f} s  {text}")  # noqa: T201 - the rehearsal's record


def test_a_fleet_comes_is_interrupted_goes_on_and_leaves(lab, node, wait_for):
    begun = time.monotonic()
    endless = digits(training={"epochs": 1_000_000}, limits={"max_trials": 1}, pruner="none")
    lab.post("/v1/studies", **endless)

    def scale(*options):
        said = node.run(SLURM / "autoscale", "--most", "2", "--", *options)
        say(begun, said.strip().replace("\n", "; ") or "autoscale: nothing to do")
        return said

    def attempts():
        return lab.get("/v1/studies/digits/trials/0")["history"]

    def trains(attempt):
        reports = lab.get("/v1/studies/digits/trials/0/reports")
        return any(report["attempt"] == attempt for report in reports)

    def state(job):
        return node.job(job).partition("JobState=")[2].split()[0]

    # Slurm warns up to a minute early: about half a minute after the start here.
    assert "devices wanted: 1, jobs there: 0" in scale("--time=2", "--signal=B:USR1@60")
    assert scale() == ""
    job = node.run("squeue", "--noheader", "--array", "--format=%A").split()[0]
    wait_for(lambda: lab.trials() and trains(1), 60)
    say(begun, f"job {job} trains, epoch after epoch")

    wait_for(lambda: state(job) == "PENDING", 150)
    (first,) = attempts()
    assert (first["outcome"], first["worker"].startswith("slurm-")) == ("preempted", True)
    kept = len(lab.get("/v1/studies/digits/trials/0/reports"))
    say(begun, f"the time limit was near: attempt 1 preempted after {kept} epochs, job queued")

    node.run("scontrol", "update", f"JobId={job}", "StartTime=now")
    wait_for(lambda: trains(2), 60)
    begins = min(
        report["step"] for report in lab.get("/v1/studies/digits/trials/0/reports?attempt=2")
    )
    assert 0 < begins <= kept
    say(begun, f"attempt 2 goes on with epoch {begins}")

    node.run("scontrol", "requeue", job)  # what preemption does
    wait_for(lambda: attempts()[1]["outcome"] == "preempted", 60)
    wait_for(lambda: state(job) == "PENDING", 60)
    say(begun, "preempted by Slurm: attempt 2 handed back, not lost")

    node.run("scontrol", "update", f"JobId={job}", "StartTime=now")
    wait_for(lambda: trains(3), 60)
    lab.post("/v1/studies/digits/trials/0/stop")
    wait_for(lambda: lab.study()["state"] == "completed", 60)
    wait_for(lambda: state(job) == "COMPLETED", 60)
    say(begun, "the study is over: no work for 3 s, the job has left the node")
    workers = lab.get("/v1/workers")["items"]
    assert not [worker for worker in workers if worker["state"] == "alive"]

    lab.post("/v1/studies", **digits(name="small", limits={"max_trials": 6}))
    assert "devices wanted: 2, jobs there: 0, submitting: 2" in scale()
    wait_for(lambda: lab.study("small")["state"] == "completed", 120)
    wait_for(lambda: not node.run("squeue", "--noheader").strip(), 60)
    used = {trial["worker"] for trial in lab.trials("small")}
    say(begun, f"6 trials by {len(used)} jobs; the queue is empty again")
    logs = "".join(path.read_text() for path in node.folder.glob("lehr-*.log"))
    assert "the time limit is near: queued again" in logs
    assert logs.count("no work for 3 s") == 3
