"""What a trainer's recorder tells the log of a trial."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.lehr_worker.fake_server import goals
from tests.lehr_worker.fake_server import lease as lease_of

from lehr.wire.workers import Completion, Failure, Lease
from lehr_worker.channel import Channel
from lehr_worker.failures import failure
from lehr_worker.recorder import NoLog, Recorder
from lehr_worker.saver import Interval, Saver
from lehr_worker.trainer import make_log
from lehr_worker.training.errors import Diverged


@dataclass
class Epoch:
    step: int
    metrics: dict[str, float]
    learning_rate: float = 0.1
    seconds: float = 0.0


@dataclass
class Orders:
    word: str | None = None
    wants_checkpoint: bool = False

    def await_verdict(self, step: int, seconds: float) -> bool:
        return self.word is None


@dataclass
class Notes:
    epochs: list[Any] = field(default_factory=list)
    ends: list[Any] = field(default_factory=list)

    def epoch(self, step: int, metrics: Mapping[str, float], learning_rate: float | None) -> None:
        self.epochs.append((step, dict(metrics), learning_rate))

    def end(self, succeeded: bool | None, values: Mapping[str, float]) -> None:
        self.ends.append((succeeded, dict(values)))


@pytest.fixture
def channel() -> Iterator[Channel]:
    ours, theirs = Channel.pair()
    yield ours
    theirs.close()


def recorded(channel: Channel, notes: Notes, orders: Orders, **changes: Any) -> Recorder:
    lease = Lease.model_validate(lease_of("t", **changes))
    interval = Interval(epochs=None, seconds=60.0)
    recorder = Recorder(lease, orders, channel, Saver(channel), interval, notes)
    recorder.on_epoch(Epoch(0, {"loss": 2.0, "val_accuracy": 0.5}))
    recorder.on_epoch(Epoch(1, {"loss": 1.0, "val_accuracy": 0.75}))
    return recorder


@pytest.mark.parametrize(
    ("word", "ending", "said"),
    [
        (None, Completion(), (True, {"val_accuracy": 0.75, "loss": 1.0})),
        (None, failure("error", "it broke"), (False, {})),
        ("stop", None, (True, {})),
        ("hand_back", None, (None, {})),
        ("hand_back", Completion(), (True, {"val_accuracy": 0.75, "loss": 1.0})),
    ],
)
def test_how_a_log_ends(
    channel: Channel,
    word: str | None,
    ending: Completion | Failure | None,
    said: tuple[bool | None, Any],
) -> None:
    """A pruned trial has not failed; one that is handed back goes on elsewhere."""
    notes = Notes()
    both = {"objective": None, "objectives": goals("val_accuracy", "loss")}
    recorded(channel, notes, Orders(word), **both).end(ending)
    assert notes.ends == [said]
    assert notes.epochs == [
        (0, {"loss": 2.0, "val_accuracy": 0.5}, 0.1),
        (1, {"loss": 1.0, "val_accuracy": 0.75}, 0.1),
    ]


def test_no_log_is_wanted_by_default() -> None:
    lease = Lease.model_validate(lease_of("t"))
    assert isinstance(make_log(None, lease), NoLog)


def test_without_tensorflow_there_is_a_warning_and_no_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "lehr_worker.training.tensorboard", None)
    lease = Lease.model_validate(lease_of("t"))
    assert isinstance(make_log("logs", lease), NoLog)
    assert "no TensorBoard logs" in caplog.text


def test_the_epoch_that_diverged_is_logged(channel: Channel) -> None:
    notes = Notes()
    recorded(channel, notes, Orders()).record_divergence(Diverged(2, {"loss": float("inf")}))
    assert notes.epochs[-1] == (2, {"loss": float("inf")}, None)
