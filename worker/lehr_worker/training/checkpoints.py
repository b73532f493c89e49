"""A training's state as bytes: arrays and a JSON note, nothing pickled.

The bytes are made while the training waits, so they are made by copying: a mark, the CRC-32 of what
follows, the length of the head, the head (JSON: the note, and each array's name, type and shape),
and the arrays' memory one after the other.
"""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

MARK: Final = b"lehr checkpoint 1\n"
_NUMBER: Final = struct.Struct("<I")


class BadCheckpoint(ValueError):
    """The bytes are no checkpoint, or one of another training."""


def pack(arrays: Mapping[str, np.ndarray], note: Mapping[str, Any]) -> bytes:
    """The arrays and the note as `unpack` takes them; damage to the bytes will show."""
    listed = [[name, array.dtype.name, list(array.shape)] for name, array in arrays.items()]
    head = json.dumps({"note": note, "arrays": listed}).encode()
    parts = [_NUMBER.pack(len(head)), head, *(_memory(array) for array in arrays.values())]
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    return b"".join([MARK, _NUMBER.pack(crc), *parts])


def unpack(state: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the note of `pack`. Raises BadCheckpoint."""
    start = len(MARK) + _NUMBER.size
    if not state.startswith(MARK) or len(state) < start + _NUMBER.size:
        raise BadCheckpoint("cannot read the checkpoint: it does not start like one")
    if zlib.crc32(memoryview(state)[start:]) != _NUMBER.unpack_from(state, len(MARK))[0]:
        raise BadCheckpoint("cannot read the checkpoint: its bytes have changed")
    head_at = start + _NUMBER.size
    arrays_at = head_at + _NUMBER.unpack_from(state, start)[0]
    head = json.loads(state[head_at:arrays_at])
    return dict(_arrays(head["arrays"], state, arrays_at)), head["note"]


def _memory(array: np.ndarray) -> Any:
    """The array's bytes, not copied."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _arrays(listed: Any, state: bytes, offset: int) -> Iterator[tuple[str, np.ndarray]]:
    for name, type_name, shape in listed:
        dtype = np.dtype(type_name)
        count = int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(state, np.uint8, count * dtype.itemsize, offset)
        yield name, array.view(dtype).reshape(shape).copy()
        offset += count * dtype.itemsize
