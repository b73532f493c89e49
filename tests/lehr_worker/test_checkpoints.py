"""Checkpoints as bytes, as files, and on their way from the training to where they are kept."""

from __future__ import annotations

import errno
import logging
import resource
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from tests.lehr_worker.fake_server import lease
from tests.lehr_worker.working import until

from lehr.errors import LeaseLost
from lehr.wire.workers import Lease
from lehr_worker.channel import Channel
from lehr_worker.files import Disk, Files, Objects, UnknownPlace, open_files
from lehr_worker.saver import PART_BYTES, STALL_SHARE, Interval, Pace, Saver
from lehr_worker.stores import FileStore, folder_of
from lehr_worker.training.checkpoints import BadCheckpoint, pack, unpack
from lehr_worker.uploads import Uploads

DTYPES = st.sampled_from(["float32", "float16", "float64", "int64", "int32", "uint32", "bool"])
SHAPES = arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
ARRAYS = st.dictionaries(
    st.text(max_size=5),
    st.builds(lambda d, s: (d, s), DTYPES, SHAPES).flatmap(lambda a: arrays_of.arrays(*a)),
    max_size=4,
)


# --- bytes


@given(ARRAYS, st.dictionaries(st.text(), st.integers() | st.none() | st.floats(allow_nan=False)))
def test_what_is_packed_comes_back(arrays: dict[str, np.ndarray], note: dict[str, Any]) -> None:
    found, noted = unpack(pack(arrays, note))
    assert noted == note
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()
        assert found[name].flags.writeable


@given(st.data())
def test_every_damage_is_noticed(data: st.DataObject) -> None:
    state = pack({"w": np.arange(6.0).reshape(2, 3), "n": np.array(3)}, {"next_step": 1})
    at = data.draw(st.integers(0, len(state) - 1))
    flipped = bytes([state[at] ^ data.draw(st.integers(1, 255))])
    for damaged in (state[:at], state[:at] + flipped + state[at + 1 :], state + b"\0"):
        with pytest.raises(BadCheckpoint, match="cannot read"):
            unpack(damaged)


# --- files


@pytest.fixture(params=["folder", "file", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    places = {
        "folder": str(tmp_path / "deep" / "kept"),
        "file": f"file://{tmp_path}/with%20space",
        "memory": f"memory://{uuid4().hex}/kept",
    }
    return open_files(places[request.param])


def damage(files: Files, name: str) -> None:
    content = bytearray(files.read("t", name))
    content[len(content) // 2] ^= 1
    files.write("t", name, bytes(content))


def test_the_last_two_are_kept(files: Files) -> None:
    store = FileStore(files, "t")
    assert store.newest() is None
    for step in (7, 9, 10):
        store.save(step, b"state %d" % step)
    assert store.newest() == b"state 10"
    assert sorted(files.names("t")) == [
        *("00000009.json", "00000009.state", "00000010.json", "00000010.state")
    ]


@pytest.mark.parametrize("name", ["00000009.state", "00000009.json"])
def test_in_place_of_a_damaged_one_the_one_before_is_used(
    files: Files, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = FileStore(files, "t")
    store.save(5, b"state 5")
    store.save(9, b"state 9")
    damage(files, name)
    assert FileStore(files, "t").newest() == b"state 5"
    assert "checkpoint of step 9 not used" in caplog.text
    store.save(6, b"state 6")
    store.save(7, b"state 7")
    assert store.newest() == b"state 7", "the damaged one is out of the way"


def test_with_both_damaged_there_is_none(files: Files) -> None:
    store = FileStore(files, "t")
    for step in (5, 9):
        store.save(step, b"state")
        damage(files, f"{step:08d}.state")
    assert store.newest() is None


def test_a_state_that_is_gone_is_one_that_is_damaged(files: Files) -> None:
    store = FileStore(files, "t")
    store.save(5, b"state 5")
    store.save(9, b"state 9")
    files.delete("t", "00000009.state")
    assert store.newest() == b"state 5"


def test_what_a_dead_worker_left_unfinished_is_ignored_and_removed(files: Files) -> None:
    store = FileStore(files, "t")
    store.save(5, b"state 5")
    files.write("t", ".00000006.state.3f2a", b"sta")
    files.write("t", "00000006.state", b"state without a manifest")
    assert store.newest() == b"state 5"
    store.save(7, b"state 7")
    assert sorted(files.names("t")) == [
        *("00000005.json", "00000005.state", "00000007.json", "00000007.state")
    ]


def test_a_trial_that_starts_anew_leaves_what_it_could_not_use(files: Files) -> None:
    store = FileStore(files, "t")
    for step in (8, 9, 0):
        store.save(step, b"state %d" % step)
    assert sorted(files.names("t")) == ["00000000.json", "00000000.state"]
    assert store.newest() == b"state 0"


def test_trials_have_folders_of_their_own(files: Files) -> None:
    one, other = FileStore(files, "t"), FileStore(files, "u")
    one.save(5, b"one")
    other.save(6, b"other")
    one.remove()
    one.remove()
    assert (one.newest(), other.newest()) == (None, b"other")


def test_a_first_attempt_goes_on_from_nothing(files: Files) -> None:
    FileStore(files, "t").save(5, b"state")
    assert FileStore(files, "t", first=True).newest() is None


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    """The limit on file sizes stands for a full disk."""
    files = Disk(tmp_path)
    store = FileStore(files, "t")
    store.save(5, b"state 5")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            store.save(9, b"s" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert sorted(files.names("t")) == ["00000005.json", "00000005.state"]
    assert store.newest() == b"state 5"


def test_only_places_that_can_be_opened_are_taken(tmp_path: Path) -> None:
    assert isinstance(open_files(str(tmp_path)), Disk)
    assert isinstance(open_files("memory://x"), Objects)
    with pytest.raises(UnknownPlace, match="nonsense"):
        open_files("nonsense://x")


def test_no_two_trials_share_a_folder() -> None:
    first = Lease.model_validate(lease("a"))
    names = [
        first,
        Lease.model_validate(lease("b")),  # created at another time: that of another server
        first.model_copy(update={"optimizer": {"name": "sgd", "learning_rate": 0.2}}),
        first.model_copy(update={"trial": first.trial.model_copy(update={"number": 1})}),
    ]
    assert len({folder_of(one) for one in names}) == 4
    later = first.model_copy(update={"token": "c", "attempt": 2, "checkpoint": "there"})
    assert folder_of(later) == folder_of(first)
    assert folder_of(first).startswith("study-0-")


# --- beside the training


class Shelf:
    """A store that keeps nothing but notes; ``fails`` is what it raises."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.fails = fails
        self.saved: list[tuple[int, bytes]] = []
        self.tried = 0
        self.removed = False

    def save(self, step: int, state: bytes) -> None:
        self.tried += 1
        if self.fails is not None:
            raise self.fails
        self.saved.append((step, state))

    def newest(self) -> bytes | None:
        return None

    def remove(self) -> None:
        self.removed = True
        if self.fails is not None:
            raise self.fails


@pytest.fixture
def uploads_to() -> Iterator[Callable[[Shelf], Uploads]]:
    made: list[Uploads] = []

    def make(shelf: Shelf) -> Uploads:
        made.append(Uploads(shelf, "study #0"))
        return made[-1]

    yield make
    for one in made:
        one.close()
        one.join(5)


def test_a_state_is_kept_once_the_server_has_its_reports(
    uploads_to: Callable[[Shelf], Uploads],
) -> None:
    shelf = Shelf()
    uploads = uploads_to(shelf)
    for step in (3, 5, 8):
        uploads.offer(step, b"%d" % step)
    assert not uploads.flush(0.05)
    assert shelf.saved == []
    uploads.acknowledge(4)
    until(lambda: shelf.saved == [(3, b"3")])
    uploads.acknowledge(8)
    assert uploads.flush(5)
    assert shelf.saved == [(3, b"3"), (8, b"8")]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), ValueError("denied")])
def test_a_store_that_fails_is_logged_and_tried_again(
    uploads_to: Callable[[Shelf], Uploads], caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    shelf = Shelf(error)
    uploads = uploads_to(shelf)
    uploads.acknowledge(9)
    uploads.offer(1, b"1")
    assert uploads.flush(5)
    assert f"study #0: checkpoint of step 1 not kept, training goes on: {error}" in caplog.text
    shelf.fails = None
    uploads.offer(2, b"2")
    assert uploads.flush(5)
    assert shelf.saved == [(2, b"2")]


def test_a_lost_lease_is_no_warning(
    uploads_to: Callable[[Shelf], Uploads], caplog: pytest.LogCaptureFixture
) -> None:
    uploads = uploads_to(Shelf(LeaseLost(409, "lease_lost", "lost")))
    uploads.acknowledge(9)
    uploads.offer(1, b"1")
    assert uploads.flush(5)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("finished", [True, False])
def test_what_is_kept_goes_with_the_trial(
    uploads_to: Callable[[Shelf], Uploads], finished: bool
) -> None:
    shelf = Shelf(OSError("away"))
    uploads = uploads_to(shelf)
    uploads.offer(1, b"1")
    uploads.close(finished=finished)
    uploads.join(5)
    assert (shelf.removed, shelf.tried) == (finished, 0)


def test_a_state_reaches_the_agent_whole_and_lets_reports_through() -> None:
    ours, theirs = Channel.pair()
    saver = Saver(theirs)
    state = np.random.default_rng(0).bytes(3 * PART_BYTES + 17)
    saver.send("t", 4, state)
    assert not saver.is_idle  # nobody reads: the training would not have waited
    theirs_report = threading.Thread(target=theirs.send, args=("report", {"step": 5}))
    theirs_report.start()
    messages = [ours.receive() for _ in range(5)]
    theirs_report.join()
    saver.flush()
    parts = [message for message in messages if message.kind == "checkpoint"]
    assert b"".join(part.blob or b"" for part in parts) == state
    assert [part.body["last"] for part in parts] == [False, False, False, True]
    assert {(part.body["token"], part.body["step"]) for part in parts} == {("t", 4)}
    assert saver.is_idle


# --- when


def steps_saved(interval: Interval, epochs: int, seconds: float, cost: float) -> list[int]:
    """Of a training whose epochs take so long, and whose state takes ``cost`` to copy."""
    pace, now, saved = Pace(interval), 100.0, []
    for step in range(epochs):
        now += seconds
        pace.epoch(now, seconds)
        if pace.is_due(now):
            pace.saved(now, now + cost)
            now += cost
            saved.append(step)
    return saved


@pytest.mark.parametrize(
    ("interval", "saved"),
    [
        (Interval(None, 3.0), [2, 5, 8]),
        (Interval(2, 60.0), [1, 3, 5, 7, 9]),
        (Interval(4, 3.0), [2, 5, 8]),
        (Interval(None, 60.0), []),
        (Interval(None, 0.0), list(range(10))),
    ],
)
def test_what_comes_first_counts(interval: Interval, saved: list[int]) -> None:
    assert steps_saved(interval, 10, 1.0, 0.0) == saved


def test_costly_states_are_saved_less_often() -> None:
    assert steps_saved(Interval(1, 60.0), 100, 1.0, 0.5)[1:] == [49, 73, 98]


@given(
    st.floats(1e-3, 100), st.floats(1e-4, 10), st.integers(1, 5), st.floats(0, 100), st.floats(1, 3)
)
def test_training_waits_for_two_percent_of_its_time_at_most(
    seconds: float, cost: float, epochs: int, period: float, drift: float
) -> None:
    pace, now, stalled = Pace(Interval(epochs, period)), 0.0, 0.0
    for _ in range(50):
        now += seconds
        pace.epoch(now, seconds)
        if pace.is_due(now):
            before, first = stalled, stalled == 0.0
            pace.saved(now, now + cost)
            stalled, now = stalled + cost, now + cost
            assert first or before + cost <= STALL_SHARE * now * drift
            assert pace.share(now) == pytest.approx(stalled / now)
