"""What a worker does with its leases, against a scripted server and with real trainer processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lehr_worker.fake_server import FakeServer, goals
from tests.lehr_worker.working import Gate, Work, ends_well

from lehr.wire.workers import NewReport, NewReports
from lehr_service.settings import Settings
from lehr_worker.trials import REPORTS_A_REQUEST


def test_a_worker_registers_what_it_can_train(server: FakeServer, work: Work) -> None:
    work()
    body = server.wait_for(lambda: server.of("workers"))[0].body
    assert body == {
        "name": "tested",
        "tasks": {"light": {}},
        "devices": [{"kind": "cpu", "id": "cpu", "name": "CPU"}],
        "versions": {"light": "1"},
        "abilities": ["range_test"],
    }


def test_each_epoch_is_reported_and_the_server_selects_the_value(
    server: FakeServer, work: Work
) -> None:
    work()
    server.offer("t")
    (completion,) = server.wait_for(lambda: server.of("complete", "t"))
    reports = [r for call in server.of("reports", "t") for r in call.body["reports"]]
    assert [(r["step"], r["value"], r["learning_rate"]) for r in reports] == [
        (0, 0.0, 0.1),
        (1, 0.1, 0.1),
        (2, 0.2, 0.1),
    ]
    assert reports[2]["metrics"] == {"loss": pytest.approx(1 / 3), "val_accuracy": 0.2}
    assert completion.body == {"metrics": reports[2]["metrics"]}


def test_several_objectives_are_completed_with_values(server: FakeServer, work: Work) -> None:
    work()
    server.offer("t", objective=None, objectives=goals("val_accuracy", "loss"))
    (completion,) = server.wait_for(lambda: server.of("complete", "t"))
    assert completion.body["values"] == [0.2, pytest.approx(1 / 3)]


def test_a_metric_that_the_task_lacks_is_an_error_that_names_it(
    server: FakeServer, work: Work
) -> None:
    work()
    server.offer("t", objective=None, objectives=goals("loss", "val_auc"))
    (failed,) = server.wait_for(lambda: server.of("fail", "t"))
    assert failed.body["outcome"] == "error"
    assert "val_auc" in failed.body["message"]
    assert "loss, val_accuracy" in failed.body["message"]


def test_an_unknown_task_is_an_error_that_names_it(server: FakeServer, work: Work) -> None:
    work()
    server.offer("t", task="other")
    (failed,) = server.wait_for(lambda: server.of("fail", "t"))
    assert failed.body["outcome"] == "error"
    assert "no other here; this worker has light" in failed.body["message"]


@pytest.mark.parametrize("word", ["prune", "stop"])
def test_a_verdict_ends_the_training(server: FakeServer, work: Work, word: str) -> None:
    server.verdict = lambda token, step: word if (token, step >= 2) == ("t", True) else "continue"
    work()
    server.offer("t", epochs=1_000_000)
    ends_well(server)
    assert server.steps("t")[-1] >= 2
    assert server.steps("t") == list(range(len(server.steps("t"))))
    assert not server.of("complete", "t")
    assert not server.of("fail", "t")


def test_after_a_refused_report_nothing_more_is_sent(
    server: FakeServer, work: Work, gate: Gate
) -> None:
    server.change(heartbeat_seconds=60)  # only the report can tell
    work()
    server.offer("t", epochs=1_000_000, gate=gate.path)
    gate.open(0)
    server.wait_for(lambda: server.steps("t") == [0])
    server.live.discard("t")
    gate.open("all")
    ends_well(server)
    refused = [c for c in server.calls if c.status == 409]
    assert [c.path for c in refused] == ["/v1/attempts/t/reports"]


def test_a_heartbeat_that_names_an_attempt_stops_it(
    server: FakeServer, work: Work, gate: Gate
) -> None:
    work()
    server.offer("t", epochs=1_000_000, gate=gate.path)
    assert gate.pid
    server.live.discard("t")
    server.wait_for(lambda: any("t" in c.body["attempts"] for c in server.of("heartbeat")))
    server.wait_for(lambda: server.of("heartbeat")[-1].body["attempts"])
    count = len(server.of("heartbeat"))
    server.wait_for(lambda: len(server.of("heartbeat")) > count + 1)
    gate.open("all")
    ends_well(server)
    assert not [c for c in server.calls if "/t/" in c.path]


def test_what_waits_for_the_server_fits_into_its_largest_body() -> None:
    metrics = {f"{'m' * 97}{number:03}": -1.2345678901234567e-300 for number in range(200)}
    report = NewReport(step=999_999, value=0.1234567890123456, metrics=metrics)
    reports = NewReports(reports=[report] * REPORTS_A_REQUEST)
    assert len(reports.model_dump_json()) < Settings.model_fields["body_bytes"].default


@pytest.mark.parametrize("mode", ["down", "busy"])
def test_an_outage_delays_reports_and_loses_none(
    server: FakeServer, work: Work, gate: Gate, mode: str
) -> None:
    work()
    server.offer("t", epochs=6, gate=gate.path)
    gate.open(0)
    server.wait_for(lambda: server.steps("t") == [0])
    server.change(mode=mode)
    gate.open("all")
    refused = server.refused
    server.wait_for(lambda: gate.is_passed and server.refused > refused + 2)
    server.change(mode="up")
    server.wait_for(lambda: server.of("complete", "t"))
    batches = [[r["step"] for r in c.body["reports"]] for c in server.of("reports", "t")]
    assert batches == [[0], [1, 2, 3, 4, 5]]
    ends_well(server)


def test_a_lost_answer_to_a_claim_does_not_lose_the_lease(server: FakeServer, work: Work) -> None:
    server.change(lose={"claim"})
    server.offer("t")
    work()
    server.wait_for(lambda: server.of("complete", "t"))
    lost = server.lost[0].body["request_id"]
    used = [c.body["request_id"] for c in server.of("claim")]
    assert used[0] == lost
    assert lost not in used[1:]


def test_a_lost_answer_to_a_completion_is_asked_for_again(server: FakeServer, work: Work) -> None:
    server.change(lose={"complete"})
    work()
    server.offer("t")
    ends_well(server)  # the second completion is refused (lease lost), which harms nobody
    assert [c.what for c in server.lost] == ["complete"]


def test_a_forgotten_worker_registers_again(server: FakeServer, work: Work) -> None:
    work(claim_seconds=0.2)
    server.wait_for(lambda: server.of("claim"))
    with server.news:
        server.workers.clear()
    server.wait_for(lambda: len(server.of("workers")) == 2)
    ends_well(server)
    assert len(server.of("workers")) == 2


def test_heartbeats_and_training_go_on_while_an_upload_hangs(
    server: FakeServer, work: Work, gate: Gate
) -> None:
    server.change(hold={"checkpoint"})
    work(checkpoint_seconds=0.0)
    server.offer("t", epochs=4, gate=gate.path)
    gate.open(0)
    gate.open(1)
    server.wait_for(lambda: server.steps("t") == [0, 1])
    count = len(server.of("heartbeat"))
    server.wait_for(lambda: len(server.of("heartbeat")) > count + 3)
    gate.open("all")
    server.wait_for(lambda: server.of("complete", "t"))
    server.change(hold=set())
    ends_well(server)


def test_checkpoints_are_stored_and_a_later_attempt_resumes(
    server: FakeServer, work: Work, gate: Gate
) -> None:
    work(checkpoint_seconds=0.0)
    server.offer("t", gate=gate.path)
    gate.open(0)
    server.wait_for(lambda: server.checkpoints.get("t") == b"1")
    gate.open("all")
    server.wait_for(lambda: server.of("complete", "t"))
    server.checkpoints["u"] = b"2"
    server.offer("u", attempt=2, checkpoint="/v1/attempts/u/checkpoint")
    server.wait_for(lambda: server.of("complete", "u"))
    assert server.steps("u") == [2]


def test_no_checkpoint_is_made_before_it_is_due(server: FakeServer, work: Work) -> None:
    work(checkpoint_seconds=60.0)
    server.offer("t")
    ends_well(server)
    assert not server.checkpoints


def test_a_refused_checkpoint_harms_nothing(server: FakeServer, work: Work) -> None:
    server.change(deny={"checkpoint": 413})
    work(checkpoint_seconds=0.0)
    server.offer("t", attempt=2, checkpoint="/v1/attempts/t/checkpoint")
    server.wait_for(lambda: server.of("complete", "t"))
    assert server.steps("t") == [0, 1, 2]


def test_what_the_server_refuses_ends_the_trial(server: FakeServer, work: Work) -> None:
    server.change(deny={"reports": 422})
    work()
    server.offer("t", epochs=1_000_000)
    (failed,) = server.wait_for(lambda: server.of("fail", "t"))
    assert "refused" in failed.body["message"]
    server.change(deny={})
    ends_well(server)


def test_a_worker_that_is_not_admitted_ends(server: FakeServer, work: Work) -> None:
    server.change(deny={"workers": 401})
    assert work().left() == 1


def test_tasks_that_cannot_be_loaded_end_the_worker(
    server: FakeServer, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    assert work(tasks=("missing_tasks",)).left() == 2
    assert "missing_tasks" in caplog.text


def test_a_worker_may_start_before_its_server(server: FakeServer, work: Work) -> None:
    server.change(mode="down")
    work()
    server.wait_for(lambda: server.refused > 1)
    server.change(mode="up")
    ends_well(server)


def test_a_module_of_tasks_that_fails_is_shown_where(
    work: Work, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing_tasks.py").write_text("import math\nmath.no_such_thing\n")
    monkeypatch.chdir(tmp_path)
    worker = work(engine="lehr_worker.tasks.registry:load", tasks=("failing_tasks",))
    assert worker.left() == 2
    assert "failing_tasks.py" in caplog.text
    assert "no_such_thing" in caplog.text
