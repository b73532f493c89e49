"""A training's state as bytes: arrays and a JSON note in one NumPy archive, nothing pickled."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

NOTE: Final = "note"


class BadCheckpoint(ValueError):
    """The bytes are no checkpoint, or one of another training."""


def pack(arrays: Mapping[str, np.ndarray], note: Mapping[str, Any]) -> bytes:
    """One archive of the arrays and the note; its CRCs make damage visible."""
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(note).encode(), dtype=np.uint8)
    np.savez(buffer, allow_pickle=False, **{NOTE: text}, **arrays)
    return buffer.getvalue()


def unpack(archive: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the note of `pack`. Raises BadCheckpoint."""
    try:
        with np.load(io.BytesIO(archive), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return arrays, json.loads(arrays.pop(NOTE).tobytes())
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise BadCheckpoint(f"cannot read the checkpoint: {error}") from error
