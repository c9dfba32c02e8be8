"""Conninfo and Escaping of psycopg.pq."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from psycopg import errors
from psycopg.pq.misc import ConninfoOption

from edgelift.worker.postgres.conninfo import OPTIONS, ConninfoError, parse_conninfo


def _encode(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")


def list_options(values: Mapping[str, str | None]) -> list[Any]:
    """Return libpq's options with the given values."""
    return [
        ConninfoOption(
            option.keyword.encode(),
            _encode(option.environment),
            _encode(option.default),
            _encode(values.get(option.keyword)),
            option.label.encode(),
            option.display.encode(),
            option.size,
        )
        for option in OPTIONS
    ]


class Conninfo:
    """Reads connection strings."""

    __module__ = "psycopg.pq.pq_ctypes"

    @classmethod
    def get_defaults(cls) -> list[Any]:
        """Return libpq's options with their defaults, the environment's included."""
        return list_options(
            {o.keyword: os.environ.get(o.environment or "", o.default) for o in OPTIONS}
        )

    @classmethod
    def parse(cls, conninfo: bytes) -> list[Any]:
        """Return libpq's options with what a string sets; raises OperationalError."""
        if not isinstance(conninfo, bytes):
            raise TypeError(f"bytes expected, got {type(conninfo)} instead")
        try:
            return list_options(parse_conninfo(conninfo.decode("utf-8", "surrogateescape")))
        except ConninfoError as error:
            raise errors.OperationalError(f"{error}\n") from None


_OCTAL = re.compile(rb"\\(?:([0-7]{3})|(.))", re.DOTALL)


class Escaping:
    """Escapes text and bytes for statements."""

    __module__ = "psycopg.pq.pq_ctypes"

    def __init__(self, conn: Any = None) -> None:
        self.conn = conn

    def _need(self, name: str) -> None:
        if self.conn is None:
            raise errors.OperationalError(f"{name} failed: no connection provided")
        self.conn._ensure_open()

    def _has_standard_strings(self) -> bool:
        return self.conn is None or (
            self.conn.parameter_status(b"standard_conforming_strings") != b"off"
        )

    def escape_literal(self, data: Any) -> bytes:
        """Return a string literal."""
        self._need("escape_literal")
        text = bytes(data).replace(b"'", b"''")
        if b"\\" not in text:
            return b"'" + text + b"'"
        return b" E'" + text.replace(b"\\", b"\\\\") + b"'"

    def escape_identifier(self, data: Any) -> bytes:
        """Return a quoted identifier."""
        self._need("escape_identifier")
        return b'"' + bytes(data).replace(b'"', b'""') + b'"'

    def escape_string(self, data: Any) -> bytes:
        """Return text for the inside of a literal."""
        if self.conn is not None:
            self.conn._ensure_open()
        text = bytes(data).replace(b"'", b"''")
        return text if self._has_standard_strings() else text.replace(b"\\", b"\\\\")

    def escape_bytea(self, data: Any) -> bytes:
        """Return bytes for the inside of a literal."""
        if self.conn is not None:
            self.conn._ensure_open()
        slash = b"\\" if self.conn is not None and self._has_standard_strings() else b"\\\\"
        return slash + b"x" + bytes(data).hex().encode()

    def unescape_bytea(self, data: Any) -> bytes:
        """Return the bytes of a bytea's text."""
        if self.conn is not None:
            self.conn._ensure_open()
        raw = bytes(data)
        if raw.startswith(b"\\x"):
            return bytes.fromhex(raw[2:].decode())
        return _OCTAL.sub(lambda m: bytes([int(m[1], 8)]) if m[1] else m[2], raw)
