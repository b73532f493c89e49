"""The pipe between the agent and a trainer: JSON messages, with bytes beside them.

JSON rather than pickle: nothing that crosses it can become code.
"""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from typing import Any

TELL = signal.SIGUSR1  # beside the pipe: the trainer prints where its threads stand, and ends


@dataclass(frozen=True)
class Message:
    """``kind`` says what to do; ``body`` holds JSON values; ``blob`` a checkpoint, or nothing."""

    kind: str
    body: dict[str, Any] = field(default_factory=dict)
    blob: bytes | None = None


class Channel:
    """One end of the pipe. Any thread may send; one thread receives.

    Both raise ``OSError`` or ``EOFError`` when the other end is gone.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    @classmethod
    def at(cls, descriptor: int) -> Channel:
        """The end that a parent process left open at ``descriptor``."""
        return cls(Connection(descriptor))

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        ours, theirs = Pipe()
        return cls(ours), cls(theirs)

    @property
    def descriptor(self) -> int:
        return self._connection.fileno()

    def send(
        self,
        kind: str,
        body: dict[str, Any] | None = None,
        blob: bytes | memoryview | None = None,
    ) -> None:
        head = json.dumps({"kind": kind, "body": body or {}, "blob": blob is not None})
        with self._sending:
            self._connection.send_bytes(head.encode())
            if blob is not None:
                self._connection.send_bytes(blob)

    def receive(self) -> Message:
        head = json.loads(self._connection.recv_bytes())
        blob = self._connection.recv_bytes() if head["blob"] else None
        return Message(head["kind"], head["body"], blob)

    def close(self) -> None:
        with self._sending:
            self._connection.close()
