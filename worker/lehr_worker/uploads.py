"""Checkpoints on their way to the server, beside the training."""

from __future__ import annotations

import logging
import threading

from lehr.client import Client
from lehr.errors import LeaseLost, LehrError

log = logging.getLogger(__name__)


class Uploads:
    """Sends the newest checkpoint of an attempt; one that was not sent yet gives way to it."""

    def __init__(self, client: Client, token: str, label: str) -> None:
        self._client = client
        self._token = token
        self._label = label
        self._newest: bytes | None = None
        self._sending = False
        self._closed = False
        self._news = threading.Condition()
        threading.Thread(target=self._run, name=f"upload {label}", daemon=True).start()

    def offer(self, checkpoint: bytes) -> None:
        """Send it as soon as the one before has been sent; returns at once."""
        with self._news:
            self._newest = checkpoint
            self._news.notify_all()

    def flush(self, seconds: float) -> bool:
        """Whether all that was offered is sent, or failed to be, within so many seconds."""
        with self._news:
            return self._news.wait_for(
                lambda: self._closed or (self._newest is None and not self._sending), seconds
            )

    def close(self) -> None:
        """Send nothing more."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def _run(self) -> None:
        while (checkpoint := self._take()) is not None:
            self._send(checkpoint)
            with self._news:
                self._sending = False
                self._news.notify_all()

    def _take(self) -> bytes | None:
        with self._news:
            self._news.wait_for(lambda: self._closed or self._newest is not None)
            if self._closed:
                return None
            checkpoint, self._newest = self._newest, None
            self._sending = True
            return checkpoint

    def _send(self, checkpoint: bytes) -> None:
        try:
            self._client.save_checkpoint(self._token, checkpoint)
            log.debug("%s: checkpoint of %d bytes stored", self._label, len(checkpoint))
        except LeaseLost:
            self.close()
        except LehrError as error:
            log.warning("%s: checkpoint not stored: %s", self._label, error)
