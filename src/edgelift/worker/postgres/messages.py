"""Builds the frontend's messages of PostgreSQL's protocol 3.0; the lowest part of the wire core.

Formats: PostgreSQL's documentation, "Frontend/Backend Protocol", "Message Formats".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

PROTOCOL_VERSION = 196608  # 3.0
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
SYNC = b"S\x00\x00\x00\x04"
FLUSH = b"H\x00\x00\x00\x04"
TERMINATE = b"X\x00\x00\x00\x04"
COPY_DONE = b"c\x00\x00\x00\x04"

_INT = struct.Struct("!i")
_SHORT = struct.Struct("!H")
_NULL = _INT.pack(-1)
Parameter = bytes | bytearray | memoryview | None


def build_message(kind: bytes, body: bytes) -> bytes:
    """Return a message of one kind with its length."""
    return kind + _INT.pack(len(body) + 4) + body


def build_startup(parameters: Mapping[str, str]) -> bytes:
    """Return the startup message, which alone has no kind."""
    body = b"".join(
        name.encode() + b"\0" + value.encode() + b"\0" for name, value in parameters.items()
    )
    return struct.pack("!ii", len(body) + 9, PROTOCOL_VERSION) + body + b"\0"


def build_cancel(pid: int, key: bytes) -> bytes:
    """Return a request to cancel what the backend `pid` runs; it goes over its own connection."""
    return struct.pack("!iii", 12 + len(key), 80877102, pid) + key


def build_query(sql: bytes) -> bytes:
    """Return a simple query."""
    return build_message(b"Q", sql + b"\0")


def build_parse(name: bytes, sql: bytes, oids: Sequence[int] = ()) -> bytes:
    """Return the request to prepare a statement; an OID of 0 leaves the type to the server."""
    types = struct.pack(f"!H{len(oids)}I", len(oids), *oids)
    return build_message(b"P", name + b"\0" + sql + b"\0" + types)


def build_bind(
    portal: bytes,
    statement: bytes,
    parameters: Iterable[Parameter],
    formats: Sequence[int] = (),
    result_formats: Sequence[int] = (),
) -> bytes:
    """Return the request to bind values; formats are 0 for text and 1 for binary.

    None of `formats` means all text, a single one counts for all, as for `result_formats`.
    """
    values = list(parameters)
    parts = [portal, b"\0", statement, b"\0"]
    parts.append(struct.pack(f"!H{len(formats)}h", len(formats), *formats))
    parts.append(_SHORT.pack(len(values)))
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts += (_INT.pack(len(value)), bytes(value))
    parts.append(struct.pack(f"!H{len(result_formats)}h", len(result_formats), *result_formats))
    return build_message(b"B", b"".join(parts))


def build_describe(kind: bytes, name: bytes) -> bytes:
    """Return the request to describe a statement (`S`) or a portal (`P`)."""
    return build_message(b"D", kind + name + b"\0")


def build_close(kind: bytes, name: bytes) -> bytes:
    """Return the request to close a statement (`S`) or a portal (`P`)."""
    return build_message(b"C", kind + name + b"\0")


def build_execute(portal: bytes, limit: int = 0) -> bytes:
    """Return the request to run a portal; 0 is all rows."""
    return build_message(b"E", portal + b"\0" + _INT.pack(limit))


def build_copy_data(data: bytes) -> bytes:
    """Return a part of the data of a COPY FROM STDIN."""
    return build_message(b"d", data)


def build_copy_fail(reason: bytes) -> bytes:
    """Return the refusal to go on with a COPY FROM STDIN."""
    return build_message(b"f", reason + b"\0")


def build_password(secret: bytes) -> bytes:
    """Return a password, or its MD5 form."""
    return build_message(b"p", secret + b"\0")


def build_sasl_initial(mechanism: bytes, first: bytes) -> bytes:
    """Return the first message of a SASL exchange."""
    return build_message(b"p", mechanism + b"\0" + _INT.pack(len(first)) + first)


def build_sasl_response(data: bytes) -> bytes:
    """Return a further message of a SASL exchange."""
    return build_message(b"p", data)
