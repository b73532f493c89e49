"""`lehr serve` under a clock that can be set: ``python server.py OFFSET_FILE serve --port ...``.

Everything else is the server as users run it. The file holds seconds to add to the system's time.
"""

import sys
import time
from functools import partial
from pathlib import Path

from lehr.cli import app as command
from lehr_service import app as service


def main() -> None:
    offset = Path(sys.argv.pop(1))

    def clock() -> float:
        return time.time() + float(offset.read_text() or 0)

    service.create_app = partial(service.create_app, clock=clock)  # type: ignore[assignment]
    command()


if __name__ == "__main__":
    main()
