"""The file format of packs, snapshots and build answers (other half: js/container.mjs)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import msgspec

from edgelift.errors import TargetError

ALIGNMENT = 8


def write_container(head: object, parts: Iterable[bytes]) -> bytes:
    """Return the head's length (uint32), the head as JSON, zeros up to a multiple of 8, parts."""
    encoded = msgspec.json.encode(head)
    padding = -(4 + len(encoded)) % ALIGNMENT
    return b"".join((struct.pack("<I", len(encoded)), encoded, bytes(padding), *parts))


def read_container(data: bytes) -> tuple[Any, memoryview]:
    """Return the head and a view of the bytes; raises TargetError when the data is no container."""
    try:
        (length,) = struct.unpack_from("<I", data)
        encoded = struct.unpack_from(f"{length}s", data, 4)[0]
        head = msgspec.json.decode(encoded)
    except (struct.error, msgspec.DecodeError) as error:
        raise TargetError(
            "The runtime's answer cannot be read",
            why=f"{len(data)} bytes that are not a container: {error}",
            tip="run the build again; if it stays, run it with --debug",
        ) from error
    start = 4 + length
    return head, memoryview(data)[start + (-start % ALIGNMENT) :]
