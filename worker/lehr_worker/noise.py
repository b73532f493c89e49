"""What TensorFlow prints as it loads, at every log level: its logging is set up only afterwards.

Run as a program it passes its input on to its standard error, without that.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LEVEL = "TF_CPP_MIN_LOG_LEVEL"

_NOISE = re.compile(
    r"WARNING: All log messages before absl::InitializeLog\(\) is called"
    r"|I0000 00:00:[0-9.]+ +\d+ \w+\.cc:\d+\] "
    r"|E0000 00:00:.* failed call to cuInit: .* \(303\)"  # there is no driver, as there is no GPU
)


def is_noise(line: str) -> bool:
    """Whether nobody asked for this line; who sets TensorFlow's level to 0 asks for all."""
    return os.environ.get(LEVEL) != "0" and _NOISE.match(line) is not None


@contextmanager
def unheard() -> Iterator[None]:
    """Keep the noise out of this process's standard error while TensorFlow loads.

    What else is printed passes through another process, so that it is seen even if loading aborts.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    sys.stderr.flush()
    error = os.dup(2)
    command = [sys.executable, "-IS", __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as strainer:
        if strainer.stdin is not None:
            os.dup2(strainer.stdin.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(error, 2)
            os.close(error)


def main() -> None:
    for line in sys.stdin.buffer:
        if not is_noise(line.decode("utf-8", "replace")):
            os.write(2, line)


if __name__ == "__main__":
    main()
