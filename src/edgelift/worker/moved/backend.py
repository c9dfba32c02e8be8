"""PostgreSQL's side of its protocol over a moved database: bytes of a driver in, answers out.

Every driver is served by it, ours and pure Python ones alike, for all of them only move bytes.
Formats: PostgreSQL's documentation, "Frontend/Backend Protocol", "Message Formats".
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from edgelift.worker.moved import binary
from edgelift.worker.moved.constants import Parameter
from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.kinds import Kind, find_modifier, find_oid, find_size
from edgelift.worker.moved.outputs import write_text
from edgelift.worker.moved.session import Outcome, Session

_SSL, _CANCEL, _GSS = 80877103, 80877102, 80877104
_REPORTED = (
    "application_name", "client_encoding", "DateStyle", "default_transaction_read_only",
    "in_hot_standby", "integer_datetimes", "IntervalStyle", "is_superuser", "server_encoding",
    "server_version", "session_authorization", "standard_conforming_strings", "TimeZone",
)  # fmt: skip
_BUGS = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError)
_SHORT, _INT = struct.Struct("!h"), struct.Struct("!i")


class Portal:
    """A statement with its values; `outcome` once it has run, `position` how far it was read."""

    def __init__(
        self, statement: Any, parameters: list[Parameter], formats: tuple[int, ...]
    ) -> None:
        self.statement, self.parameters, self.formats = statement, parameters, formats
        self.outcome: Outcome | None = None
        self.position = 0


class Backend:
    """One connection's server; `outgoing` are the bytes for the driver, `closed` ends it."""

    def __init__(self, open_session: Callable[[dict[str, str]], Session]) -> None:
        self.outgoing = bytearray()
        self.closed = False
        self._open_session = open_session
        self._session: Session | None = None
        self._buffer = bytearray()
        self._statements: dict[bytes, Any] = {}
        self._portals: dict[bytes, Portal] = {}
        self._skips = False
        self._told: dict[str, str] = {}
        self._copy: Any = None
        self._alone = False
        self._ran: Any = None
        self._handlers: dict[int, Callable[[bytes], None]] = {
            ord("Q"): self._on_query,
            ord("P"): self._on_parse,
            ord("B"): self._on_bind,
            ord("D"): self._on_describe,
            ord("E"): self._on_execute,
            ord("C"): self._on_close,
            ord("d"): self._on_copy_data,
            ord("c"): self._on_copy_done,
            ord("f"): self._on_copy_fail,
        }

    @property
    def session(self) -> Session:
        """The session of a connection that has logged in."""
        assert self._session is not None
        return self._session

    def feed(self, data: bytes) -> None:
        """Take bytes of the driver and answer what is whole."""
        self._buffer += data
        while not self.closed:
            head = 1 if self._session is not None else 0
            if len(self._buffer) < head + 4:
                return
            end = head + int.from_bytes(self._buffer[head : head + 4], "big")
            if len(self._buffer) < end:
                return
            kind, body = self._buffer[0], bytes(self._buffer[head + 4 : end])
            del self._buffer[:end]
            self._alone = bytes(self._buffer[:1]) in {b"S", b""}
            if head:
                self._take(kind, body)
            else:
                self._start(body)

    def close(self) -> None:
        """End the connection: what is open is rolled back."""
        if not self.closed:
            self.closed = True
            if self._session is not None:
                self._session.close()

    # Logging in

    def _start(self, body: bytes) -> None:
        code = int.from_bytes(body[:4], "big")
        if code in {_SSL, _GSS}:
            self.outgoing += b"N"
            return
        if code == _CANCEL:
            self.close()
            return
        parts = body[4:].split(b"\0")
        pairs = zip(parts[::2], parts[1::2], strict=False)
        options = {name.decode(): value.decode() for name, value in pairs if name}
        try:
            self._session = self._open_session(options)
        except ServerError as error:
            self._tell_error(error, severity=b"FATAL")
            self.closed = True
            return
        self._send(b"R", _INT.pack(0))
        self._report_settings()
        self._send(b"K", struct.pack("!ii", 1, 0))
        self._ready()

    def _report_settings(self) -> None:
        for name in _REPORTED:
            value = self.session.settings.get(name.lower(), "")
            if self._told.get(name) != value:
                self._told[name] = value
                self._send(b"S", name.encode() + b"\0" + value.encode() + b"\0")

    def _ready(self) -> None:
        self._report_settings()
        self._send(b"Z", self.session.transactions.status.encode())

    def _send(self, kind: bytes, body: bytes) -> None:
        self.outgoing += kind + _INT.pack(len(body) + 4) + body

    # Messages

    def _take(self, kind: int, body: bytes) -> None:
        if kind == ord("X"):
            self.close()
        elif kind == ord("S"):
            self._on_sync()
        elif kind == ord("H") or (self._skips and kind != ord("Q")):
            return
        else:
            handler = self._handlers.get(kind)
            if handler is None:
                self._fail(ServerError("08P01", f"invalid frontend message type {kind}"))
                return
            failure = self._handle(handler, body)
            if failure is not None:
                self._fail(failure)
                if kind == ord("Q"):
                    self._skips = False
                    self._ready()

    @staticmethod
    def _handle(handler: Callable[[bytes], None], body: bytes) -> ServerError | None:
        """Return the error of a message; what nobody foresaw ends the statement, not the server."""
        try:
            handler(body)
        except ServerError as error:
            return error
        except _BUGS as bug:
            return ServerError("XX000", f"the moved database: {type(bug).__name__}: {bug}")
        return None

    def _fail(self, error: ServerError) -> None:
        self._copy = None
        self._skips = True
        self.session.fail()
        self._tell_error(error)

    def _tell_error(self, error: ServerError, severity: bytes = b"ERROR") -> None:
        self._send(b"E", write_report(severity, error.sqlstate, error.message, error.fields))

    def _tell_notices(self) -> None:
        notices = self.session.notices
        for severity, sqlstate, message in notices:
            self._send(b"N", write_report(severity.encode(), sqlstate, message, {}))
        notices.clear()

    def _on_sync(self) -> None:
        if self._copy is not None:
            return
        self._skips, self._ran = False, None
        try:
            self.session.end_pipeline()
        except ServerError as error:
            self._tell_error(error)
        if self.session.transactions.status == "I":
            self._portals.clear()
        self._ready()

    # Simple queries

    def _on_query(self, body: bytes) -> None:
        self._skips = False
        statements = self.session.split(body[:-1].decode())
        if not statements:
            self._send(b"I", b"")
        self._run_all(statements)
        if self._copy is None:
            self.session.end_pipeline()
            self._ready()

    def _run_all(self, statements: list[Any]) -> None:
        for index, tokens in enumerate(statements):
            self.session.meet_fault(tokens[0].upper)
            statement = self.session.prepare(tokens, ())
            outcome = self.session.run(statement, [], alone=len(statements) == 1)
            self._tell_notices()
            if outcome.copy is not None:
                self._begin_copy(outcome, statements[index + 1 :], simple=True)
                return
            if outcome.columns is not None:
                self._describe_rows(outcome.columns, ())
                self._send_rows(outcome.rows, outcome.columns, ())
            self._send(b"C", outcome.tag.encode() + b"\0")

    # Extended queries

    def _on_parse(self, body: bytes) -> None:
        name, sql, rest = body.split(b"\0", 2)
        count = int.from_bytes(rest[:2], "big")
        oids = struct.unpack_from(f"!{count}I", rest, 2)
        statements = self.session.split(sql.decode())
        if len(statements) > 1:
            raise ServerError("42601", "cannot insert multiple commands into a prepared statement")
        if name and name in self._statements:
            raise ServerError("42P05", f'prepared statement "{name.decode()}" already exists')
        self._statements[name] = self.session.prepare(statements[0], oids) if statements else None
        self._send(b"1", b"")

    def _find_statement(self, name: bytes) -> Any:
        if name not in self._statements:
            shown = name.decode()
            text = (
                f'prepared statement "{shown}" does not exist' if shown
                else "unnamed prepared statement does not exist"
            )  # fmt: skip
            raise ServerError("26000", text)
        return self._statements[name]

    def _on_bind(self, body: bytes) -> None:
        portal, name, rest = body.split(b"\0", 2)
        statement = self._find_statement(name)
        formats, position = _read_shorts(rest, 0)
        (count,) = _SHORT.unpack_from(rest, position)
        position += 2
        values: list[Parameter] = []
        for index in range(count):
            (size,) = _INT.unpack_from(rest, position)
            position += 4
            data = None if size < 0 else rest[position : position + size]
            position += max(size, 0)
            values.append(Parameter(_pick(formats, index), data))
        results, _ = _read_shorts(rest, position)
        wanted = len(statement.parameter_kinds) if statement is not None else 0
        if wanted != count:
            shown = name.decode()
            raise ServerError(
                "08P01",
                f"bind message supplies {count} parameters, but prepared statement "
                f'"{shown}" requires {wanted}',
            )
        self._portals[portal] = Portal(statement, values, results)
        self._send(b"2", b"")

    def _on_describe(self, body: bytes) -> None:
        kind, name = body[:1], body[1:-1]
        if kind == b"S":
            statement = self._find_statement(name)
            kinds = statement.parameter_kinds if statement is not None else ()
            oids = [find_oid(one) for one in kinds]
            self._send(b"t", struct.pack(f"!h{len(oids)}I", len(oids), *oids))
            formats: tuple[int, ...] = ()
        elif name not in self._portals and name.decode() in self.session.cursors:
            self._describe_rows(self.session.cursors[name.decode()].columns, ())
            return
        else:
            portal = self._find_portal(name)
            statement, formats = portal.statement, portal.formats
        columns = statement.columns if statement is not None else None
        if columns is None:
            self._send(b"n", b"")
        else:
            self._describe_rows(columns, formats)

    def _find_portal(self, name: bytes) -> Portal:
        if name not in self._portals:
            raise ServerError("34000", f'portal "{name.decode()}" does not exist')
        return self._portals[name]

    def _on_execute(self, body: bytes) -> None:
        name, rest = body.split(b"\0", 1)
        portal = self._find_portal(name)
        limit = int.from_bytes(rest[:4], "big")
        if portal.statement is None:
            self._send(b"I", b"")
            return
        if portal.outcome is None:
            if portal.statement is not self._ran:  # executemany is one statement to the app
                self.session.meet_fault(getattr(portal.statement, "verb", ""))
            self._ran = portal.statement
            portal.outcome = self.session.run(
                portal.statement, portal.parameters, alone=self._alone, pipelined=True
            )
            self._tell_notices()
        outcome = portal.outcome
        if outcome.copy is not None:
            self._begin_copy(outcome, [], simple=False)
            return
        end = portal.position + limit if limit else len(outcome.rows)
        rows = outcome.rows[portal.position : end]
        if outcome.columns is not None:
            self._send_rows(rows, outcome.columns, portal.formats)
        portal.position = end
        if limit and len(rows) == limit:
            self._send(b"s", b"")
            return
        tag = outcome.tag
        if limit and tag.startswith("SELECT"):
            tag = f"SELECT {len(rows)}"
        self._send(b"C", tag.encode() + b"\0")

    def _on_close(self, body: bytes) -> None:
        listed: dict[bytes, Any] = self._statements if body[:1] == b"S" else self._portals
        listed.pop(body[1:-1], None)
        self._send(b"3", b"")

    # Rows

    def _describe_rows(
        self, columns: tuple[tuple[str, Kind], ...], formats: tuple[int, ...]
    ) -> None:
        parts = [_SHORT.pack(len(columns))]
        for index, (name, kind) in enumerate(columns):
            parts.append(name.encode() + b"\0")
            parts.append(
                struct.pack(
                    "!IhIhih", 0, 0, find_oid(kind), find_size(kind), find_modifier(kind),
                    _pick(formats, index),
                )
            )  # fmt: skip
        self._send(b"T", b"".join(parts))

    def _send_rows(
        self, rows: Any, columns: tuple[tuple[str, Kind], ...], formats: tuple[int, ...]
    ) -> None:
        head = _SHORT.pack(len(columns))
        shapes = [(kind, _pick(formats, index)) for index, (_name, kind) in enumerate(columns)]
        for row in rows:
            parts = [head]
            for value, (kind, form) in zip(row, shapes, strict=True):
                text = write_text(kind, value)
                if text is None:
                    parts.append(b"\xff\xff\xff\xff")
                    continue
                data = binary.encode(kind, text) if form else text.encode()
                parts += (_INT.pack(len(data)), data)
            self._send(b"D", b"".join(parts))

    # COPY

    def _begin_copy(self, outcome: Outcome, following: list[Any], *, simple: bool) -> None:
        copy = outcome.copy
        assert copy is not None
        formats = struct.pack(f"!bh{copy.width}h", 0, copy.width, *[0] * copy.width)
        if copy.reads:
            self._send(b"G", formats)
            self._copy = (copy, following, simple)
            return
        self._send(b"H", formats)
        for line in copy.write():
            self._send(b"d", line)
        self._send(b"c", b"")
        self._send(b"C", copy.tag.encode() + b"\0")
        self._run_all(following)

    def _on_copy_data(self, body: bytes) -> None:
        if self._copy is not None:
            self._copy[0].take(body)

    def _on_copy_done(self, _body: bytes) -> None:
        if self._copy is None:
            return
        (copy, following, simple), self._copy = self._copy, None
        try:
            copy.finish()
            self._send(b"C", copy.tag.encode() + b"\0")
            self._run_all(following)
            if simple:
                self.session.end_pipeline()
        except ServerError as error:
            self._fail(error)
            self._skips = not simple
        if simple:
            self._ready()

    def _on_copy_fail(self, body: bytes) -> None:
        if self._copy is None:
            return
        simple = self._copy[2]
        text = body[:-1].decode("utf-8", "replace")
        self._fail(ServerError("57014", f"COPY from stdin failed: {text}"))
        self._skips = not simple
        if simple:
            self._ready()


def _read_shorts(data: bytes, position: int) -> tuple[tuple[int, ...], int]:
    (count,) = _SHORT.unpack_from(data, position)
    return struct.unpack_from(f"!{count}h", data, position + 2), position + 2 + 2 * count


def _pick(formats: tuple[int, ...], index: int) -> int:
    if not formats:
        return 0
    return formats[0] if len(formats) == 1 else formats[index]


def write_report(severity: bytes, sqlstate: str, message: str, fields: dict[str, str]) -> bytes:
    """Return the body of an error or a notice."""
    parts = [b"S" + severity, b"V" + severity, b"C" + sqlstate.encode(), b"M" + message.encode()]
    parts += [name.encode() + text.encode() for name, text in fields.items()]
    return b"\0".join(parts) + b"\0\0"
