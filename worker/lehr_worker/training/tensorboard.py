"""TensorBoard logs: a run a trial, with its metrics by epoch, its learning rates and parameters.

An event file is a TFRecord file of TensorFlow's `Event` messages, so writing one needs neither
TensorBoard nor a TensorFlow context, which would take a GPU's memory from another back end.
"""

import json
import logging
import os
import platform
import re
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import tensorflow as tf

from lehr.wire.workers import Lease

SUCCESS: Final = 1
FAILURE: Final = 2

log = logging.getLogger(__name__)


class TrialLog:
    """Writes `FOLDER/STUDY/00007/events.out.tfevents...`, a file an attempt.

    Each attempt's file tells the run anew: what earlier attempts reported, as the lease has it,
    then its own epochs. TensorBoard drops what came before, so no step is shown twice, whatever was
    lost, and a run is whole also where the machines share no folder. Files are read in the order of
    their names, which are the server's time and the attempt: no worker's clock counts.

    A file that cannot be written ends the log with a warning; nothing is raised.
    """

    def __init__(self, folder: Path, lease: Lease) -> None:
        self._lease = lease
        study = re.sub(r"^\.+|[^a-z0-9._-]", "_", lease.study)  # a server must not choose a path
        self._folder = folder / study / f"{lease.trial.number:05d}"
        self._writer: tf.io.TFRecordWriter | None = None
        self._step = 0
        self._is_broken = False

    def epoch(self, step: int, metrics: Mapping[str, float], learning_rate: float | None) -> None:
        """Note what an epoch measured, and the learning rate of its last update."""
        self._safely(lambda: self._epoch(step, metrics, learning_rate))

    def end(self, succeeded: bool | None, values: Mapping[str, float]) -> None:
        """Close the file; note how the trial ended unless it goes on elsewhere (None).

        `values` are those that the trial is judged by, by metric.
        """
        self._safely(lambda: self._end(succeeded, values))

    def _epoch(self, step: int, metrics: Mapping[str, float], learning_rate: float | None) -> None:
        if self._writer is None:
            self._writer = self._open(step)
        self._write(step, _scalars(metrics, learning_rate))
        self._writer.flush()
        self._step = step

    def _end(self, succeeded: bool | None, values: Mapping[str, float]) -> None:
        if succeeded is not None:
            self._writer = self._writer or self._open(self._lease.training.epochs)
            status = SUCCESS if succeeded else FAILURE
            ending = _hparams("session_end_info", session_end(status, time.time()))
            scalars = [_scalar(f"objective/{metric}", value) for metric, value in values.items()]
            self._write(self._step, [*scalars, ending])
        if self._writer is not None:
            self._writer.close()

    def _open(self, first_step: int) -> tf.io.TFRecordWriter:
        """A new file with all that is known of the trial before this step."""
        self._folder.mkdir(parents=True, exist_ok=True)
        trial = self._lease.trial
        began = f"{int(trial.created_at.timestamp()):010d}.{self._lease.attempt:04d}"
        name = f"events.out.tfevents.{began}.{platform.node()}.{os.getpid()}"
        self._writer = tf.io.TFRecordWriter(str(self._folder / name))
        self._event(time.time(), file_version="brain.Event:2")
        restart = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        self._event(time.time(), session_log=restart)  # drops what other files say, from step 0 on
        self._write(0, [_hparams("session_start_info", session_start(trial.params, time.time()))])
        for report in self._lease.reports:
            if report.step < first_step:
                known = {n: value for n, value in report.metrics.items() if value is not None}
                scalars = _scalars(known, report.learning_rate)
                self._write(report.step, scalars, report.reported_at.timestamp())
                self._step = report.step
        return self._writer

    def _write(self, step: int, values: list[Any], at: float | None = None) -> None:
        summary = tf.compat.v1.Summary(value=values)
        self._event(time.time() if at is None else at, step=step, summary=summary)

    def _event(self, at: float, **content: Any) -> None:
        if self._writer is not None:
            self._writer.write(tf.compat.v1.Event(wall_time=at, **content).SerializeToString())

    def _safely(self, write: Callable[[], None]) -> None:
        if self._is_broken:
            return
        try:
            write()
        except Exception as error:  # a full disk, a share that is gone: training matters more
            self._is_broken = True
            about = self._lease.study, self._lease.trial.number, error
            log.warning("%s #%d: its TensorBoard log ends here: %s", *about)


def session_start(params: Mapping[str, Any], at: float) -> bytes:
    """A trial's parameters as TensorBoard's plugin for hyperparameters reads them.

    `HParamsPluginData` (tensorboard/plugins/hparams/plugin_data.proto) with field 3, a
    `SessionStartInfo`: hparams 1 (a map of `google.protobuf.Value`), start_time_secs 5. Encoded by
    hand: the messages come with TensorBoard, not with TensorFlow.
    """
    hparams = (_part(1, name.encode()) + _part(2, _value(v)) for name, v in params.items())
    return _part(3, b"".join(_part(1, entry) for entry in hparams) + _double(5, at))


def session_end(status: int, at: float) -> bytes:
    """`HParamsPluginData` with field 4, a `SessionEndInfo`: status 1, end_time_secs 2."""
    return _part(4, _whole(1, status) + _double(2, at))


def _value(value: Any) -> bytes:
    """`google.protobuf.Value`: number 2, string 3, bool 4; anything else becomes JSON."""
    if isinstance(value, bool):
        return _whole(4, value)
    if isinstance(value, int | float):
        return _double(2, value)
    return _part(3, (value if isinstance(value, str) else json.dumps(value)).encode())


def _part(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _whole(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the low ones first; the high bit says that more follow."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _scalars(metrics: Mapping[str, float], learning_rate: float | None) -> list[Any]:
    known = {**metrics} | ({} if learning_rate is None else {"learning_rate": learning_rate})
    return [_scalar(name, value) for name, value in known.items()]


def _scalar(tag: str, value: float) -> Any:
    return tf.compat.v1.Summary.Value(tag=tag, simple_value=value)


def _hparams(name: str, content: bytes) -> Any:
    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="hparams", content=content)
    return tf.compat.v1.Summary.Value(
        tag=f"_hparams_/{name}",
        metadata=tf.compat.v1.SummaryMetadata(plugin_data=plugin),
        tensor=tf.make_tensor_proto(0.0, shape=(1,)),
    )
