"""The protocol's client side without input and output; the sync and async drivers move the bytes.

A driver calls a method that fills `outgoing`, sends it, and gives what it receives to `feed`, which
appends to `results`, `copied` and `notifications`. Every command may be sent before the answers of
the earlier ones have come (a pipeline); `pending` says what is still unanswered.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from edgelift.worker.postgres import messages
from edgelift.worker.postgres.results import (
    Command,
    Field,
    Notification,
    Report,
    Result,
    Status,
)
from edgelift.worker.postgres.scram import MECHANISM, ScramClient, ScramError, hash_md5

_FIELD = struct.Struct("!IhIhih")
_HEADER = struct.Struct("!BI").unpack_from


class ProtocolError(Exception):
    """The server sent what the protocol does not allow, or wants what this client does not do."""


class MissingPasswordError(ProtocolError):
    """The server asks for a password and none was given."""


class Session:
    """One connection's state; `transaction` is b"I", b"T" or b"E" as the server last said."""

    def __init__(self) -> None:
        self.outgoing = bytearray()
        self.results: deque[Result] = deque()
        self.copied: deque[bytes] = deque()
        self.notifications: deque[Notification] = deque()
        self.pending: deque[Command] = deque()
        self.parameters: dict[str, str] = {}
        self.transaction = b"I"
        self.pid = 0
        self.key = b""
        self.started = False
        self.failure: Report | None = None
        self.needs_password = self.used_password = False
        # Whether rows before an error are results, which they are where rows are read one by one.
        self.keeps_rows = False
        self.on_notice: Callable[[Report], None] | None = None
        self._buffer = bytearray()
        self._awaited = 0
        self._fields: tuple[Field, ...] | None = None
        self._rows: list[bytes] = []
        self._parameter_oids: tuple[int, ...] = ()
        self._user = ""
        self._password: str | None = None
        self._scram: ScramClient | None = None
        self._aborted = False
        self._handlers: dict[int, Callable[[bytes], None]] = {
            ord("R"): self._on_authentication,
            ord("K"): self._on_key,
            ord("S"): self._on_parameter,
            ord("Z"): self._on_ready,
            ord("E"): self._on_error,
            ord("N"): self._on_notice_message,
            ord("A"): self._on_notification,
            ord("T"): self._on_fields,
            ord("t"): self._on_parameter_types,
            ord("n"): self._on_no_data,
            ord("1"): self._on_parsed,
            ord("2"): _ignore,
            ord("3"): self._on_closed,
            ord("C"): self._on_complete,
            ord("I"): self._on_empty,
            ord("s"): self._on_suspended,
            ord("G"): lambda body: self._on_copy(Status.COPY_IN, body),
            ord("H"): lambda body: self._on_copy(Status.COPY_OUT, body),
            ord("W"): lambda body: self._on_copy(Status.COPY_BOTH, body),
            ord("d"): self.copied.append,
            ord("c"): _ignore,
            ord("v"): _ignore,
        }

    # What the driver sends

    def start(self, parameters: Mapping[str, str], password: str | None) -> None:
        """Begin with `user`, `database` and settings; the password is sent only when asked for."""
        self._user = parameters.get("user", "")
        self._password = password
        self.outgoing += messages.build_startup(parameters)

    def query(self, sql: bytes) -> None:
        """Send a simple query, answered by a result for each statement and READY."""
        self.pending.append(Command.SIMPLE)
        self.outgoing += messages.build_query(sql)

    def parse(self, name: bytes, sql: bytes, oids: Sequence[int] = ()) -> None:
        """Send the preparation of a statement, answered by PREPARED."""
        self.pending.append(Command.PARSE)
        self.outgoing += messages.build_parse(name, sql, oids)

    def describe(self, kind: bytes, name: bytes) -> None:
        """Ask for the columns of a portal or statement (b"P", b"S"), answered by DESCRIBED."""
        self.pending.append(Command.DESCRIBE)
        self.outgoing += messages.build_describe(kind, name)

    def bind(
        self,
        portal: bytes,
        statement: bytes,
        parameters: Sequence[messages.Parameter],
        formats: Sequence[int] = (),
        result_formats: Sequence[int] = (),
    ) -> None:
        """Bind values; only an error answers this by itself."""
        self.outgoing += messages.build_bind(portal, statement, parameters, formats, result_formats)

    def execute(self, portal: bytes = b"", limit: int = 0, *, describe: bool = True) -> None:
        """Run a bound portal, answered by one result; `describe` gives it its columns."""
        self.pending.append(Command.EXECUTE)
        if describe:
            self.outgoing += messages.build_describe(b"P", portal)
        self.outgoing += messages.build_execute(portal, limit)

    def close(self, kind: bytes, name: bytes) -> None:
        """Close a portal or statement (b"P", b"S"), answered by CLOSED."""
        self.pending.append(Command.CLOSE)
        self.outgoing += messages.build_close(kind, name)

    def sync(self) -> None:
        """End a pipeline's implicit transaction, answered by READY."""
        self.pending.append(Command.SYNC)
        self.outgoing += messages.SYNC

    # What the server sends

    def feed(self, data: bytes) -> None:
        """Take bytes of the server; raises ProtocolError when they make no sense."""
        data = self._join(data)
        position, size = 0, len(data)
        while size - position >= 5:
            kind, length = _HEADER(data, position)
            end = position + 1 + length
            if end > size:
                self._awaited = end - position
                break
            body = data[position + 5 : end]
            position = end
            if kind == 68:  # DataRow, by far the most frequent
                self._rows.append(body)
                continue
            handler = self._handlers.get(kind)
            if handler is None:
                raise ProtocolError(f"unexpected message of kind {chr(kind)!r} from the server")
            handler(body)
        self._buffer += data[position:]

    def _join(self, data: bytes) -> bytes:
        """Return what is to be read, nothing while a message that has begun is not whole."""
        buffer = self._buffer
        if not buffer:
            return bytes(data)
        buffer += data
        if len(buffer) < self._awaited:
            return b""
        joined = bytes(buffer)
        buffer.clear()
        self._awaited = 0
        return joined

    def _on_authentication(self, body: bytes) -> None:
        method = int.from_bytes(body[:4], "big")
        if method == 0:
            return
        if method == 11 and self._scram is not None:
            final = self._scram.build_final(body[4:])
            self.outgoing += messages.build_sasl_response(final)
        elif method == 12 and self._scram is not None:
            self._scram.check_final(body[4:])
        elif method in {3, 5, 10}:
            self._send_password(method, body[4:])
        else:
            raise ProtocolError(f"authentication method {method} not supported")

    def _send_password(self, method: int, body: bytes) -> None:
        self.needs_password = True
        if not self._password:
            raise MissingPasswordError("fe_sendauth: no password supplied")
        self.used_password = True
        if method == 3:
            self.outgoing += messages.build_password(self._password.encode())
        elif method == 5:
            secret = hash_md5(self._user, self._password, body[:4])
            self.outgoing += messages.build_password(secret)
        elif MECHANISM.encode() not in body.split(b"\0"):
            raise ProtocolError("none of the server's SASL authentication mechanisms are supported")
        else:
            self._scram = ScramClient(self._password)
            first = self._scram.build_first()
            self.outgoing += messages.build_sasl_initial(MECHANISM.encode(), first)

    def _on_key(self, body: bytes) -> None:
        self.pid, self.key = int.from_bytes(body[:4], "big"), body[4:]

    def _on_parameter(self, body: bytes) -> None:
        name, value = body.split(b"\0")[:2]
        self.parameters[name.decode()] = value.decode()

    def _on_notice_message(self, body: bytes) -> None:
        if self.on_notice is not None:
            self.on_notice(read_report(body))

    def _on_notification(self, body: bytes) -> None:
        channel, payload = body[4:].split(b"\0")[:2]
        pid = int.from_bytes(body[:4], "big")
        self.notifications.append(Notification(pid, channel, payload))

    def _on_ready(self, body: bytes) -> None:
        self.transaction = body[:1]
        self._scram = self._password = None
        if not self.started:
            self.started = True
            return
        self._skip_aborted()
        if self.pending:
            self.pending.popleft()
        self._aborted = False
        self._fields = None
        self.results.append(Result(Status.READY, Command.SYNC))

    def _on_error(self, body: bytes) -> None:
        report = read_report(body)
        if not self.started:
            self.failure = report
            return
        if self.keeps_rows and self.has_rows():
            rows, self._rows = self._rows, []
            self._add(Status.SUSPENDED, None, fields=self._fields, rows=rows)
        self._rows, self._fields = [], None
        command = self.pending[0] if self.pending else None
        if command not in {None, Command.SIMPLE, Command.SYNC}:
            self.pending.popleft()
        if report.get("V", report.get("S")) in {b"FATAL", b"PANIC"}:
            self.failure = report
        self._add(Status.ERROR, command, report=report)
        if command not in {None, Command.SIMPLE}:
            self._aborted = True
            self.skip_aborted()

    def skip_aborted(self) -> None:
        """Answer what the server skips after an error, up to the next sync, by ABORTED."""
        if self._aborted:
            self._skip_aborted()

    def _skip_aborted(self) -> None:
        while self.pending and self.pending[0] not in {Command.SIMPLE, Command.SYNC}:
            self.results.append(Result(Status.ABORTED, self.pending.popleft()))

    def _on_fields(self, body: bytes) -> None:
        self._fields = read_fields(body)
        self._described()

    def _on_no_data(self, _body: bytes) -> None:
        self._fields = None
        self._described()

    def _described(self) -> None:
        if self.pending and self.pending[0] is Command.DESCRIBE:
            self.pending.popleft()
            oids, self._parameter_oids = self._parameter_oids, ()
            fields, self._fields = self._fields, None
            self._add(Status.DESCRIBED, Command.DESCRIBE, fields=fields, parameter_oids=oids)

    def _on_parameter_types(self, body: bytes) -> None:
        count = int.from_bytes(body[:2], "big")
        self._parameter_oids = struct.unpack_from(f"!{count}I", body, 2)

    def _on_parsed(self, _body: bytes) -> None:
        if self.pending and self.pending[0] is Command.PARSE:
            self._add(Status.PREPARED, self.pending.popleft())

    def _on_closed(self, _body: bytes) -> None:
        if self.pending and self.pending[0] is Command.CLOSE:
            self._add(Status.CLOSED, self.pending.popleft())

    def _on_complete(self, body: bytes) -> None:
        fields, self._fields = self._fields, None
        status = Status.DONE if fields is None else Status.ROWS
        self._finish(status, fields, body[:-1])

    def _on_empty(self, _body: bytes) -> None:
        self._finish(Status.EMPTY, None, b"")

    def _on_suspended(self, _body: bytes) -> None:
        fields, self._fields = self._fields, None
        self._finish(Status.SUSPENDED, fields, b"")

    def _finish(self, status: Status, fields: tuple[Field, ...] | None, tag: bytes) -> None:
        rows, self._rows = self._rows, []
        command = self.pending[0] if self.pending else None
        if command is Command.EXECUTE:
            self.pending.popleft()
        self.results.append(Result(status, command, fields, rows, tag))

    def has_rows(self) -> bool:
        """Return whether rows of an unfinished result have come."""
        return bool(self._rows) and self._fields is not None

    def take_rows(self, size: int) -> Result | None:
        """Return up to `size` rows of an unfinished result, None when none have come."""
        if not self.has_rows():
            return None
        rows, self._rows = self._rows[:size], self._rows[size:]
        command = self.pending[0] if self.pending else None
        return Result(Status.ROWS, command, self._fields, rows)

    def _on_copy(self, status: Status, body: bytes) -> None:
        count = int.from_bytes(body[1:3], "big")
        formats = struct.unpack_from(f"!{count}h", body, 3)
        command = self.pending[0] if self.pending else None
        self._add(status, command, copy_formats=formats, copy_binary=body[0] == 1)

    def _add(self, status: Status, command: Command | None, **parts: object) -> None:
        self.results.append(Result(status, command, **parts))  # type: ignore[arg-type]


def _ignore(_body: bytes) -> None:
    """Take a message that needs no answer."""


def read_report(body: bytes) -> Report:
    """Return the fields of an error or a notice."""
    return {part[:1].decode("latin-1"): part[1:] for part in body.split(b"\0") if part}


def read_fields(body: bytes) -> tuple[Field, ...]:
    """Return the columns of a RowDescription."""
    fields = []
    position = 2
    for _ in range(int.from_bytes(body[:2], "big")):
        end = body.index(b"\0", position)
        table, column, oid, size, modifier, format = _FIELD.unpack_from(body, end + 1)
        fields.append(Field(body[position:end], table, column, oid, size, modifier, format))
        position = end + 1 + _FIELD.size
    return tuple(fields)


__all__ = ["MissingPasswordError", "ProtocolError", "ScramError", "Session"]
