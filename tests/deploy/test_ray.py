"""A fleet on a real Ray cluster of three nodes. On demand: LEHR_TEST_RAY=1 and pip install ray."""

import os
import subprocess
import sys
import time

import pytest
from tests.deploy.conftest import DEPLOY
from tests.system.conftest import Lab, digits


@pytest.fixture
def cluster(monkeypatch):
    if not os.environ.get("LEHR_TEST_RAY"):
        pytest.skip("LEHR_TEST_RAY=1 tests a fleet on a real Ray cluster")
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "240")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "num_gpus": 1})
    try:
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture
def lab(tmp_path, wait_for):
    lab = Lab(
        tmp_path,
        f"sqlite:///{tmp_path}/lehr.db",
        LEHR_LEASE_SECONDS="4",
        LEHR_HEARTBEAT_SECONDS="1",
    )
    try:
        lab.start("server", "serve")
        wait_for(lab.is_ready, 120)
        yield lab
    finally:
        lab.stop()


@pytest.mark.filterwarnings("ignore")
def test_a_fleet_outlives_a_node_and_ends_with_the_work(cluster, lab, tmp_path, wait_for):
    begun = time.monotonic()

    def say(text):
        print(f"{time.monotonic() - begun:6.1f} s  {text}")  # noqa: T201 - the rehearsal's record

    nodes = [cluster.add_node(num_cpus=2, num_gpus=1) for _ in range(2)]
    endless = digits(training={"epochs": 1_000_000}, limits={"max_trials": 3}, pruner="none")
    lab.post("/v1/studies", **endless)
    program = [sys.executable, DEPLOY / "ray" / "fleet.py", "--address", cluster.address]
    options = ["--most", "8", "--every", "2", "--idle-exit-seconds", "3", "--devices", "cpu"]
    settings = {"LEHR_SERVER": lab.url, "LEHR_DRAIN_SECONDS": "2", "LEHR_CHECKPOINT_SECONDS": "1"}

    def start():
        with (tmp_path / "fleet.log").open("ab") as log:
            return subprocess.Popen(
                [*program, *options, "--until-done"],
                env=os.environ | settings,
                stdout=log,
                stderr=log,
            )

    def trial(number):
        return lab.get(f"/v1/studies/digits/trials/{number}")

    def report_of(number, attempt):
        return lab.get(f"/v1/studies/digits/trials/{number}/reports?attempt={attempt}")

    def all_train(attempt):
        return len(lab.trials()) == 3 and all(report_of(n, attempt) for n in range(3))

    fleet = start()
    try:
        wait_for(lambda: all_train(1), 240)
        assert {trial(n)["worker"] for n in range(3)} == {"ray-1", "ray-2", "ray-3"}
        say("three trials on three nodes, one GPU each")

        fleet.terminate()
        assert fleet.wait(90) == 0
        ends = [trial(n)["history"][0]["outcome"] for n in range(3)]
        assert ends == ["preempted"] * 3
        say("the fleet was told to leave: three trials handed back")

        fleet = start()
        wait_for(lambda: all_train(2), 240)
        firsts = [report_of(n, 2)[0]["step"] for n in range(3)]
        assert all(firsts)
        say(f"a new fleet goes on with them at epochs {firsts}")

        cluster.remove_node(nodes[0], allow_graceful=False)
        lost = wait_for(
            lambda: [n for n in range(3) if trial(n)["history"][1]["outcome"] == "lost"], 60
        )
        say(f"a node was killed: trial {lost[0]} is lost and waits")
        wait_for(lambda: "ray-4 is wanted" in (tmp_path / "fleet.log").read_text(), 60)
        cluster.add_node(num_cpus=2, num_gpus=1)

        again = wait_for(lambda: report_of(lost[0], 3), 240)
        assert trial(lost[0])["worker"] == "ray-4"
        say(f"another node came: ray-4 goes on with it at epoch {again[0]['step']}")

        for number in range(3):
            lab.post(f"/v1/studies/digits/trials/{number}/stop")
        assert fleet.wait(120) == 0
        assert lab.study()["state"] == "completed"
        say("the work is done: the workers left, the fleet ended")
    finally:
        fleet.terminate()
        fleet.wait(90)
        print((tmp_path / "fleet.log").read_text()[-3000:])  # noqa: T201
