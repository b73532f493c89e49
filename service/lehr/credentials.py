"""Secrets that the environment names."""

from __future__ import annotations

import os
from pathlib import Path

from lehr.errors import LehrError


def token_of_environment() -> str | None:
    """``LEHR_TOKEN``, else what the file ``LEHR_TOKEN_FILE`` holds, else None.

    The file is what systemd, Docker and Kubernetes hand secrets over in; an environment can be
    read by more people. Raises LehrError where it cannot be read or is empty.
    """
    token, file = os.environ.get("LEHR_TOKEN"), os.environ.get("LEHR_TOKEN_FILE")
    return token or (_read(file) if file else None)


def _read(file: str) -> str:
    try:
        token = Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LehrError(f"LEHR_TOKEN_FILE: {file} cannot be read: {error}") from error
    if not token:
        raise LehrError(f"LEHR_TOKEN_FILE: {file} is empty; write the token into it")
    return token
