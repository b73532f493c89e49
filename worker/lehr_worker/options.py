"""What a worker can be told."""

from __future__ import annotations

from dataclasses import dataclass

from lehr.logs import LogFormat, LogLevel
from lehr_worker.stores import SERVER


@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """Settings of one worker; durations in seconds.

    ``server`` and ``token`` default to ``LEHR_SERVER`` and ``LEHR_TOKEN``, ``data_dir`` to
    ``LEHR_DATA_DIR``. ``drain_seconds`` and ``hand_back_seconds`` together stay below the 30 s that
    Kubernetes and Slurm leave by default between SIGTERM and SIGKILL.
    """

    server: str | None = None
    token: str | None = None
    tasks: tuple[str, ...] = ()  # modules with tasks, beside the built-in ones
    devices: str = "auto"  # auto, cpu, or positions among the visible GPUs: 0,1
    name: str | None = None  # default: the machine's
    data_dir: str | None = None
    checkpoints: str = SERVER  # where they are kept: server, a folder, or a URL for fsspec
    checkpoint_epochs: int | None = None  # from one to the next of a trial; None: time decides
    checkpoint_seconds: float = 60.0  # the same in time; what comes first counts
    tensorboard: str | None = None  # folder for logs of every trial
    log_format: LogFormat = "text"  # of the trainers, as of the command
    log_level: LogLevel = "info"
    step_seconds: float | None = None  # for an epoch of a trial; None: see ``StepWatch``
    memory_bytes: int | None = None  # for one trainer; None: nine tenths of the machine's
    drain_seconds: float = 15.0  # for trials to finish after the first signal
    hand_back_seconds: float = 5.0  # for the epoch, and the upload, of a trial that is handed back
    stop_seconds: float = 60.0  # for the epoch of a trial that was told to stop
    start_seconds: float = 600.0  # for a trainer to load its libraries and tasks
    claim_seconds: float = 20.0  # a claim waits for work; at most 60
    idle_exit_seconds: float | None = None  # without a trial for so long, it leaves
    engine: str = "lehr_worker.keras_engine:KerasEngine"  # package.module:factory
