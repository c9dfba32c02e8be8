"""MySQL's side of its protocol over a moved database: packets of a driver in, answers out.

PyMySQL, mysqlclient (over PyMySQL here) and aiomysql speak the text protocol alone. Who connects is
let in: nobody else is in the process. Formats: MySQL's internals, "Client/Server Protocol".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.kinds import Kind
from edgelift.worker.moved.mysql_errors import find_number
from edgelift.worker.moved.mysql_values import find_type, write_value

_CAPABILITIES = (
    0x81FFA7DF & ~(1 << 11) & ~(1 << 5) & ~(1 << 24)
)  # neither TLS, compression, nor OK for EOF
_FOUND_ROWS, _WITH_DATABASE, _PLUGIN_DATA = 1 << 1, 1 << 3, 1 << 21
_IN_TRANSACTION, _AUTOCOMMIT, _MORE = 1, 2, 8
_SALT = b"edgeliftedgeliftsalt"
_BUGS = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError)
_LARGEST = (1 << 24) - 1


class MysqlBackend:
    """One connection's server; `outgoing` are the bytes for the driver, `closed` ends it."""

    def __init__(self, open_session: Callable[[dict[str, str], bool], Any]) -> None:
        self.outgoing = bytearray()
        self.closed = False
        self._open_session = open_session
        self._session: Any = None
        self._buffer = bytearray()
        self._whole = bytearray()
        self._sequence = 0
        self._commands: dict[int, Callable[[bytes], None]] = {
            2: self._on_database,
            3: self._on_query,
            14: lambda _body: self._send_ok(),
            27: lambda _body: self._send_eof(),
        }
        self._greet()

    def feed(self, data: bytes) -> None:
        """Take bytes of the driver and answer what is whole."""
        self._buffer += data
        while not self.closed and len(self._buffer) >= 4:
            size = int.from_bytes(self._buffer[:3], "little")
            if len(self._buffer) < size + 4:
                return
            self._sequence = self._buffer[3] + 1
            self._whole += self._buffer[4 : size + 4]
            del self._buffer[: size + 4]
            if size < _LARGEST:
                body, self._whole = bytes(self._whole), bytearray()
                self._take(body)

    def close(self) -> None:
        """End the connection: what is open is rolled back."""
        if not self.closed:
            self.closed = True
            if self._session is not None:
                self._session.close()

    # Packets

    def _send(self, body: bytes) -> None:
        while True:
            part, body = body[:_LARGEST], body[_LARGEST:]
            self.outgoing += len(part).to_bytes(3, "little") + bytes((self._sequence & 255,)) + part
            self._sequence += 1
            if len(part) < _LARGEST:
                return

    def _read_status(self) -> int:
        if self._session is None:
            return _AUTOCOMMIT
        status = _AUTOCOMMIT if self._session.autocommit else 0
        return status | (_IN_TRANSACTION if self._session.transactions.status != "I" else 0)

    def _send_ok(self, affected: int = 0, last_id: int = 0, *, more: bool = False) -> None:
        status = self._read_status() | (_MORE if more else 0)
        self._send(
            b"\0" + pack_number(affected) + pack_number(last_id) + struct.pack("<HH", status, 0)
        )

    def _send_eof(self, *, more: bool = False) -> None:
        self._send(b"\xfe" + struct.pack("<HH", 0, self._read_status() | (_MORE if more else 0)))

    def _send_error(self, error: ServerError) -> None:
        number, state = find_number(error)
        body = (
            struct.pack("<BH", 255, number)
            + b"#"
            + state.encode()
            + error.message.encode("utf-8", "surrogateescape")
        )
        self._send(body)

    # Logging in

    def _greet(self) -> None:
        low, high = _CAPABILITIES & 0xFFFF, _CAPABILITIES >> 16
        self._send(
            b"\x0a5.5.5-10.11.0-MariaDB-edgelift\0"
            + struct.pack("<I", 1) + _SALT[:8] + b"\0"
            + struct.pack("<HBHHB", low, 45, _AUTOCOMMIT, high, 21) + b"\0" * 10
            + _SALT[8:] + b"\0mysql_native_password\0"
        )  # fmt: skip

    def _log_in(self, body: bytes) -> None:
        flags = int.from_bytes(body[:4], "little")
        user, _, rest = body[32:].partition(b"\0")
        if flags & _PLUGIN_DATA:
            size, rest = read_number(rest)
        else:
            size, rest = rest[0], rest[1:]
        rest = rest[size:]
        database = rest.partition(b"\0")[0] if flags & _WITH_DATABASE else b""
        options = {"user": user.decode(), "database": database.decode()}
        self._session = self._open_session(options, bool(flags & _FOUND_ROWS))
        self._send_ok()

    # Commands

    def _take(self, body: bytes) -> None:
        try:
            if self._session is None:
                self._log_in(body)
            elif body[0] == 1:
                self.close()
            else:
                self._commands.get(body[0], _refuse)(body[1:])
        except ServerError as error:
            self._fail(error)
        except _BUGS as bug:
            self._fail(ServerError("HY000", f"the moved database: {type(bug).__name__}: {bug}"))

    def _fail(self, error: ServerError) -> None:
        if self._session is not None:
            self._session.fail()
        self._send_error(error)

    def _on_database(self, _body: bytes) -> None:
        self._send_ok()

    def _on_query(self, body: bytes) -> None:
        statements = self._session.split(body.decode("utf-8", "surrogateescape"))
        if not statements:
            raise ServerError("42000", "Query was empty")
        for index, tokens in enumerate(statements):
            self._session.meet_fault(tokens[0].upper)
            outcome = self._session.run_tokens(tokens)
            more = index + 1 < len(statements)
            if outcome.columns is None:
                self._send_ok(outcome.affected, outcome.last_id, more=more)
            else:
                self._send_rows(outcome.columns, outcome.rows, more=more)

    def _send_rows(
        self, columns: Sequence[tuple[str, Kind]], rows: Sequence[Any], *, more: bool
    ) -> None:
        self._send(pack_number(len(columns)))
        for name, kind in columns:
            wire = find_type(kind)
            shown = name.encode("utf-8", "surrogateescape")
            parts = [b"def", b"", b"", b"", shown, shown]
            self._send(
                b"".join(pack_text(part) for part in parts)
                + b"\x0c"
                + struct.pack("<HIBHB", wire.charset, 65535, wire.code, wire.flags, wire.decimals)
                + b"\0\0"
            )
        self._send_eof(more=more)
        kinds = [kind for _name, kind in columns]
        for row in rows:
            values = [write_value(kind, value) for kind, value in zip(kinds, row, strict=True)]
            self._send(b"".join(b"\xfb" if v is None else pack_text(v) for v in values))
        self._send_eof(more=more)


def _refuse(_body: bytes) -> None:
    raise ServerError("HY000", "the moved database knows the text protocol alone")


def pack_number(value: int) -> bytes:
    """Return a length-encoded integer."""
    if value < 251:
        return bytes((value,))
    if value < 1 << 16:
        return b"\xfc" + value.to_bytes(2, "little")
    if value < 1 << 24:
        return b"\xfd" + value.to_bytes(3, "little")
    return b"\xfe" + value.to_bytes(8, "little")


def pack_text(value: bytes) -> bytes:
    """Return a length-encoded text."""
    return pack_number(len(value)) + value


def read_number(data: bytes) -> tuple[int, bytes]:
    """Return a length-encoded integer and what follows it."""
    first = data[0]
    if first < 251:
        return first, data[1:]
    size = {252: 2, 253: 3, 254: 8}[first]
    return int.from_bytes(data[1 : 1 + size], "little"), data[1 + size :]
