"""Waiting for a server that does not answer, for as long as it takes."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import TypeVar

from lehr.errors import ServerUnreachable, Unavailable, UnexpectedAnswer

T = TypeVar("T")

FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 10.0

log = logging.getLogger(__name__)


class GaveUp(Exception):
    """The wait for the server was interrupted."""


def insist(call: Callable[[], T], interrupted: threading.Event, purpose: str) -> T:
    """The answer to ``call``, which is repeated until the server gives one.

    Waits double from 0.2 to 10 s, with jitter, and last at least the server's ``Retry-After``.

    Raises:
        GaveUp: ``interrupted`` was set before an answer came.
        LehrError: the server said no.
    """
    wait, told = FIRST_WAIT_SECONDS, False
    while not interrupted.is_set():
        try:
            return call()
        except (ServerUnreachable, Unavailable, UnexpectedAnswer) as error:
            if not told:
                log.warning("%s: %s; trying until the server answers", purpose, error)
            told = True
            named = error.retry_after if isinstance(error, Unavailable) else None
        interrupted.wait(wait * random.uniform(0.5, 1.0) + (named or 0.0))
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)
    raise GaveUp(purpose)
