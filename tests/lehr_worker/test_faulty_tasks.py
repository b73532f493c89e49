"""What a task author is told of each mistake, by a worker that trains with TensorFlow."""

from __future__ import annotations

from typing import Any

import pytest
from tests.lehr_worker.fake_server import FakeServer
from tests.lehr_worker.working import HERE, Work

from lehr_worker.options import AgentOptions

pytestmark = pytest.mark.tensorflow

HERE_OF = f"{HERE}/faulty_tasks.py line "
SAID = {
    "model_is_none": (
        "TypeError: the function must return a keras.Model, it returned NoneType",
        "(the model of task model_is_none, faulty_tasks.model_is_none)",
    ),
    "model_raises": (
        f"RuntimeError: no such layer (in model_raises, {HERE_OF}",
        "; the model of task model_raises, faulty_tasks.model_raises)",
    ),
    "data_is_a_tuple": (
        "TypeError: the function must return a lehr_worker.Data or a lehr_worker.Stream, "
        "it returned tuple",
        "(the data of task data_is_a_tuple, faulty_tasks.returns_a_tuple)",
    ),
    "data_raises": (
        f"FileNotFoundError: /data/train.npz (in raises_when_loaded, {HERE_OF}",
        "; the data of task data_raises, faulty_tasks.raises_when_loaded)",
    ),
    "data_of_two_lengths": (
        "ValueError: the train arrays must hold equally many samples, got [19, 20]",
        "(the data of task data_of_two_lengths, faulty_tasks.one_label_less)",
    ),
    "data_of_another_shape": (
        "expected axis -1 of input shape to have value 4, but received input with shape (1, 3)",
        "(task data_of_another_shape of faulty_tasks)",
    ),
    "loss_raises": (
        f"ValueError: no such loss (in bad_loss, {HERE_OF}",
        "; the loss of task loss_raises, faulty_tasks.loss_raises)",
    ),
    "metric_is_a_vector": (
        "TypeError: metric by_class: must be one number, got",
        "(task metric_is_a_vector of faulty_tasks)",
    ),
    "metric_is_a_string": (
        "TypeError: metric in_words: must be one number, got",
        "(task metric_is_a_string of faulty_tasks)",
    ),
    "step_raises": (
        f"KeyError: 'teacher' (in train_step, {HERE_OF}",
        "; task step_raises of faulty_tasks)",
    ),
    "step_interrupts": (
        f"KeyboardInterrupt (in train_step, {HERE_OF}",
        "; task step_interrupts of faulty_tasks)",
    ),
    "disk_is_full": (
        "ResourceExhaustedError: ",
        "; the data of task disk_is_full, faulty_tasks.writes_too_much)",
    ),
}


def faulty(task: str, **changes: Any) -> dict[str, Any]:
    metric = {"metric": "val_loss", "direction": "minimize", "select": "last"}
    return {"task": task, "objective": metric, "objectives": [metric]} | changes


def failure_of(server: FakeServer, token: str) -> Any:
    (call,) = server.wait_for(lambda: server.of("fail", token), seconds=60)
    return call.body


def test_each_mistake_is_told_by_name_and_place(
    server: FakeServer, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    engine = AgentOptions().engine
    worker = work(engine=engine, tasks=("broken_tasks", "faulty_tasks", "no_such_tasks"))
    server.wait_for(lambda: server.of("workers") or worker.status is not None, seconds=90)
    (registration,) = server.of("workers")
    assert {"sound", "digits_mlp", *SAID} <= set(registration.body["tasks"])
    problems = registration.body["problems"]
    assert list(problems) == ["broken_tasks", "no_such_tasks"]
    assert problems["broken_tasks"] == (
        "importing broken_tasks failed: AttributeError: module 'math' has no attribute "
        f"'no_such_thing' (in <module>, {HERE}/broken_tasks.py line 5)"
    )
    assert problems["no_such_tasks"].startswith("no module named no_such_tasks; give its import")
    assert "broken_tasks cannot be used: importing broken_tasks failed" in caplog.text

    for task in SAID:
        server.offer(task, **faulty(task))
    server.offer("diverges", **faulty("data_is_no_number"))
    server.offer("sound", **faulty("sound"))
    for task, parts in SAID.items():
        told = failure_of(server, task)
        assert told["outcome"] == "error"
        for part in parts:
            assert part in told["message"], task
        assert "\x1b" not in told["message"]
    told = failure_of(server, "diverges")
    assert told["outcome"] == "diverged"
    server.wait_for(lambda: server.of("complete", "sound"), seconds=60)
    assert len(server.of("workers")) == 1
