"""What a trainer and its tasks print: shown up to a limit, its end kept for the report of a death.

It is read for ever and whatever becomes of it, since a pipe that nobody reads stops its writer.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import IO

KEPT_BYTES = 40_000  # of the last words
SHOWN_BYTES = 1 << 20  # of one trial
CHUNK_BYTES = 1 << 16  # read at once; a longer line is shown in parts


def to_stderr(text: str) -> None:
    """Show what was printed where the worker's own log goes."""
    sys.stderr.write(text)
    sys.stderr.flush()


class Output:
    """Reads all that comes from the stream, in a thread of its own, until its writers are gone."""

    def __init__(
        self,
        stream: IO[bytes],
        show: Callable[[str], None] = to_stderr,
        shown_bytes: int = SHOWN_BYTES,
    ) -> None:
        self._stream = stream
        self._show = show
        self._limit = shown_bytes
        self._shown = 0  # bytes of this trial
        self._line = b""  # that has no end yet
        self._kept = b""
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    def begin_trial(self) -> None:
        """What is printed from now on is another trial's."""
        self._shown = 0
        self._kept = b""

    def last_words(self, seconds: float) -> str:
        """The end of what was printed; waits so long for the writers to be gone."""
        self._thread.join(seconds)
        return self._kept.decode("utf-8", "replace")

    def _run(self) -> None:
        with self._stream:
            while chunk := os.read(self._stream.fileno(), CHUNK_BYTES):
                self._kept = (self._kept + chunk)[-KEPT_BYTES:]
                self._pass_on(chunk)
            if self._line:
                self._pass_on(b"\n")

    def _pass_on(self, chunk: bytes) -> None:
        """Show the lines that are whole, as far as the trial may print."""
        if self._shown > self._limit:
            self._line = b""
            return
        lines, end, rest = (self._line + chunk).rpartition(b"\n")
        if len(rest) >= CHUNK_BYTES:
            lines, end, rest = lines + end + rest, b"", b""
        self._line = rest
        self._shown += len(lines)
        self._write((lines + end).decode("utf-8", "replace"))
        if self._shown > self._limit:
            self._write(f"(this trial has printed {self._limit:,} bytes: no more of it is shown)\n")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a full disk, a reader that has left
            if text:
                self._show(text)
