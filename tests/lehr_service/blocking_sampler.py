"""A sampler process whose every suggestion waits until the file BLOCKING_SAMPLER_GATE exists."""

import os
import time
from pathlib import Path

from lehr_service.operations import suggesting
from lehr_service.search import Mirror

_GATE = Path(os.environ["BLOCKING_SAMPLER_GATE"])
_ask_ahead = Mirror.ask_ahead


def _blocked(self, serial, number=None):
    _GATE.with_suffix(".asked").touch()
    while not _GATE.exists():
        time.sleep(0.01)
    return _ask_ahead(self, serial, number)


Mirror.ask_ahead = _blocked
if __name__ == "__main__":
    suggesting.main()
