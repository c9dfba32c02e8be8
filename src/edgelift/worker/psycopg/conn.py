"""PGconn of psycopg.pq over the wire core: what libpq's connection does, call by call."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from psycopg import errors
from psycopg._encodings import pg2pyenc
from psycopg.pq._enums import ConnStatus, ExecStatus, PipelineStatus, PollingStatus
from psycopg.pq.misc import PGnotify, _clean_error_message, connection_summary

from edgelift.worker.postgres import messages
from edgelift.worker.postgres.conninfo import Address
from edgelift.worker.postgres.results import Command, Report, Result, Status
from edgelift.worker.postgres.scram import build_verifier, hash_md5_verifier
from edgelift.worker.postgres.session import Session
from edgelift.worker.psycopg.cancel import PGcancel, PGcancelConn
from edgelift.worker.psycopg.escaping import Escaping, list_options
from edgelift.worker.psycopg.link import Link
from edgelift.worker.psycopg.result import PGresult, make_empty
from edgelift.worker.psycopg.sending import Sending

LIBPQ_VERSION = 170000
_COPYING = {Status.COPY_IN, Status.COPY_OUT, Status.COPY_BOTH}
_TRANSACTION = {b"I": 0, b"T": 2, b"E": 3}
log = logging.getLogger("psycopg")


class PGconn(Sending):
    """A connection; results are those the session has read."""

    __module__ = "psycopg.pq.pq_ctypes"

    def __init__(self, link: Link) -> None:
        self._link: Link | None = link
        self.notice_handler: Callable[[Any], None] | None = None
        self.notify_handler: Callable[[Any], None] | None = None
        self.nonblocking = 0
        self._owner = os.getpid()
        self._reset_state()

    def _reset_state(self) -> None:
        self._pipeline: int = PipelineStatus.OFF
        self._texts: deque[bytes | None] = deque()
        self._separator = False
        self._chunk = 0
        self._copy: Result | None = None
        if self._link is not None and self._link.transport is not None:
            self._link.session.on_notice = self._take_notice
        self._polled = True

    def __del__(self) -> None:
        if getattr(self, "_owner", 0) == os.getpid():
            self.finish()

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.PGconn {connection_summary(self)} at {id(self):#x}>"

    # Connecting

    @classmethod
    def connect(cls, conninfo: bytes) -> Self:
        """Connect; a connection that failed has the status BAD."""
        if not isinstance(conninfo, bytes):
            raise TypeError(f"bytes expected, got {type(conninfo)} instead")
        return cls(Link(conninfo))

    @classmethod
    def connect_start(cls, conninfo: bytes) -> Self:
        """Connect, whole: the socket is the Worker's to wait for; `connect_poll` tells how."""
        made = cls.connect(conninfo)
        link = made._ensure_open()
        made._polled = link.status == ConnStatus.OK or not link.options
        return made

    def connect_poll(self) -> int:
        """Return whether the connection was made."""
        self._ensure_open()
        self._polled = True
        return PollingStatus.OK if self.status == ConnStatus.OK else PollingStatus.FAILED

    def finish(self) -> None:
        """Close the connection."""
        link, self._link = getattr(self, "_link", None), None
        if link is not None:
            link.close()

    def reset(self) -> None:
        """Connect again."""
        link = self._ensure_open()
        text = " ".join(f"{k}='{_quote(v)}'" for k, v in link.options.items())
        link.close()
        self._link = Link(text.encode("utf-8", "surrogateescape"))
        self._reset_state()

    def reset_start(self) -> None:
        """Connect again."""
        self.reset()

    def reset_poll(self) -> int:
        """Return whether the connection was made again."""
        return self.connect_poll()

    @classmethod
    def ping(cls, conninfo: bytes) -> int:
        """Return 0 when a server answers, 1 when it refuses, 2 when there is none."""
        if not isinstance(conninfo, bytes):
            raise TypeError(f"bytes expected, got {type(conninfo)} instead")
        link = Link(conninfo)
        answered = link.status == ConnStatus.OK or b"FATAL" in link.message
        starting = b"starting up" in link.message or b"shutting down" in link.message
        link.close()
        return 1 if starting else 0 if answered else 2

    def _ensure_open(self) -> Link:
        if self._link is None:
            raise errors.OperationalError("the connection is closed")
        return self._link

    @property
    def _session(self) -> Session:
        return self._ensure_open().session

    # What is known of the connection

    @property
    def pgconn_ptr(self) -> int | None:
        """Nothing useful: there is no libpq."""
        return None if self._link is None else id(self._link)

    @property
    def info(self) -> list[Any]:
        """Libpq's options with the values in use."""
        return list_options(self._ensure_open().options)

    def _option(self, name: str) -> bytes:
        return self._ensure_open().options.get(name, "").encode("utf-8", "surrogateescape")

    @property
    def db(self) -> bytes:
        """The database's name."""
        return self._option("dbname")

    @property
    def user(self) -> bytes:
        """The user's name."""
        return self._option("user")

    @property
    def password(self) -> bytes:
        """The password."""
        return self._option("password")

    def _address(self) -> Address | None:
        transport = self._ensure_open().transport
        return None if transport is None else transport.address

    @property
    def host(self) -> bytes:
        """The server's host or socket folder."""
        address = self._address()
        return address.host.encode() if address else self._option("host")

    @property
    def hostaddr(self) -> bytes:
        """The server's address."""
        address = self._address()
        return address.address.encode() if address else self._option("hostaddr")

    @property
    def port(self) -> bytes:
        """The server's port."""
        address = self._address()
        return str(address.port).encode() if address else self._option("port")

    @property
    def tty(self) -> bytes:
        """Nothing, as in libpq."""
        self._ensure_open()
        return b""

    @property
    def options(self) -> bytes:
        """The command-line options given to the server."""
        return self._option("options")

    @property
    def status(self) -> int:
        """One of ConnStatus."""
        if not self._polled:
            return int(ConnStatus.STARTED)
        return ConnStatus.BAD if self._link is None else int(self._link.status)

    @property
    def transaction_status(self) -> int:
        """One of TransactionStatus."""
        if self.status != ConnStatus.OK:
            return 4
        session = self._session
        if session.pending or session.results:
            return 1
        return _TRANSACTION[session.transaction]

    def parameter_status(self, name: bytes) -> bytes | None:
        """Return a setting the server reports, None for others."""
        value = self._session.parameters.get(name.decode())
        return None if value is None else value.encode()

    @property
    def error_message(self) -> bytes:
        """The last error's text."""
        return b"connection pointer is NULL\n" if self._link is None else self._link.message

    def get_error_message(self, encoding: str = "") -> str:
        """Return the last error's text without its severity."""
        return str(_clean_error_message(self.error_message, encoding or self._encoding))

    @property
    def _encoding(self) -> str:
        if self.status != ConnStatus.OK:
            return "utf-8"
        return str(pg2pyenc(self.parameter_status(b"client_encoding") or b"UTF8"))

    @property
    def protocol_version(self) -> int:
        """The version of the wire protocol."""
        self._ensure_open()
        return 3

    @property
    def full_protocol_version(self) -> int:
        """The version of the wire protocol with its minor part."""
        self._ensure_open()
        return 30000

    @property
    def server_version(self) -> int:
        """The server's version as an integer: 150003."""
        text = (self.parameter_status(b"server_version") or b"0").decode().split()[0]
        parts = [int("".join(filter(str.isdigit, part)) or 0) for part in text.split(".")]
        parts += [0, 0]
        if parts[0] >= 10:
            return parts[0] * 10000 + parts[1]
        return parts[0] * 10000 + parts[1] * 100 + parts[2]

    @property
    def socket(self) -> int:
        """The socket's descriptor."""
        link = self._ensure_open()
        if link.transport is None or link.descriptor < 0:
            raise errors.OperationalError("the connection is lost")
        return link.descriptor

    @property
    def backend_pid(self) -> int:
        """The process id of the server's side."""
        return self._session.pid

    @property
    def needs_password(self) -> bool:
        """Whether the server asked for a password and got none."""
        return self._link is not None and self._link.needs_password

    @property
    def used_password(self) -> bool:
        """Whether a password was used."""
        return self._link is not None and self._link.used_password

    @property
    def used_gssapi(self) -> bool:
        """Whether GSSAPI was used, which is never so."""
        return False

    @property
    def ssl_in_use(self) -> bool:
        """Whether the connection is encrypted."""
        transport = self._ensure_open().transport
        return transport is not None and transport.tls

    # Results

    def consume_input(self) -> None:
        """Take what the server has sent; raises OperationalError when it hung up."""
        link = self._ensure_open()
        if not link.read_available():
            raise errors.OperationalError(f"consuming input failed: {self.get_error_message()}")

    def is_busy(self) -> int:
        """Return whether get_result would have to wait."""
        session = self._session
        session.skip_aborted()
        if session.results or self._separator or (self._chunk and session.has_rows()):
            return 0
        return int(bool(session.pending) and self.status == ConnStatus.OK)

    def get_result(self) -> PGresult | None:
        """Return the next result, None at the end of a command's."""
        if self._separator:
            self._separator = False
            return None
        while True:
            session = self._session
            session.skip_aborted()
            if not session.results and self._chunk:
                part = session.take_rows(self._chunk)
                if part is not None:
                    single = self._chunk == 1
                    status = ExecStatus.SINGLE_TUPLE if single else ExecStatus.TUPLES_CHUNK
                    return PGresult(part, status=status)
            if session.results:
                if session.results[0].status is Status.SUSPENDED and not session.results[0].rows:
                    session.results.popleft()
                    continue
                return self._next_result(session)
            if self._copy is not None:
                return PGresult(self._copy)
            if self.status != ConnStatus.OK and session.pending:
                session.pending.clear()
                return make_empty(ExecStatus.FATAL_ERROR, self.error_message)
            if not session.pending:
                return None
            self._ensure_open().wait_readable()

    def _next_result(self, session: Session) -> PGresult | None:
        in_pipeline = self._pipeline != PipelineStatus.OFF
        if self._chunk and len(session.results[0].rows) > 0:
            return self._first_rows(session.results[0])
        result = session.results.popleft()
        if result.status is Status.READY:
            self._copy = None
            if not in_pipeline:
                self._texts.clear()
                self._chunk = 0
                session.keeps_rows = False
                return None
            self._pipeline = PipelineStatus.ON
            return PGresult(result)
        if result.status in _COPYING:
            self._copy = result
            return PGresult(result, self._texts[0] if self._texts else None)
        self._copy = None
        text = self._texts[0] if self._texts else None
        if in_pipeline:
            self._separator = True
            if self._texts:
                self._texts.popleft()
            if result.status in {Status.ERROR, Status.ABORTED}:
                self._pipeline = PipelineStatus.ABORTED
        made = PGresult(result, text)
        if result.status is Status.ERROR:
            self._ensure_open().message = made.error_message
        return made

    def _first_rows(self, result: Result) -> PGresult:
        rows, result.rows = result.rows[: self._chunk], result.rows[self._chunk :]
        part = Result(result.status, result.command, result.fields, rows)
        status = ExecStatus.SINGLE_TUPLE if self._chunk == 1 else ExecStatus.TUPLES_CHUNK
        return PGresult(part, status=status)

    def set_single_row_mode(self) -> None:
        """Give the rows of the running statement one by one."""
        self.set_chunked_rows_mode(1)

    def set_chunked_rows_mode(self, size: int) -> None:
        """Give the rows of the running statement some at a time."""
        if size < 1 or not self._session.pending:
            raise errors.OperationalError("setting chunked rows mode failed")
        self._chunk = size
        self._session.keeps_rows = True

    def flush(self) -> int:
        """Send what can be sent and return 1 while something is left."""
        link = self._ensure_open()
        if link.status != ConnStatus.OK:
            raise errors.OperationalError(f"flushing failed: {self.get_error_message()}")
        return link.flush()

    def notifies(self) -> Any:
        """Return the next notification, None when there is none."""
        queue = self._session.notifications
        if not queue:
            return None
        pid, channel, payload = queue.popleft()
        return PGnotify(channel, pid, payload)

    def _take_notice(self, report: Report) -> None:
        if self.notice_handler is None:
            return
        shown = {code: value for code, value in report.items() if code != "W"}
        made = PGresult(Result(Status.ERROR, report=report), status=ExecStatus.NONFATAL_ERROR)
        made._message = PGresult(Result(Status.ERROR, report=shown)).error_message
        try:
            self.notice_handler(made)
        except (ValueError, TypeError, LookupError, AttributeError, errors.Error):
            log.exception("error in notice receiver")

    # COPY

    def put_copy_data(self, buffer: Any) -> int:
        """Send a part of a COPY FROM STDIN."""
        session = self._check_copying("sending copy data failed")
        session.outgoing += messages.build_copy_data(bytes(buffer))
        return 1

    def put_copy_end(self, error: bytes | None = None) -> int:
        """End a COPY FROM STDIN, with an error when one is given."""
        session = self._check_copying("sending copy end failed")
        if error is None:
            session.outgoing += messages.COPY_DONE
        else:
            session.outgoing += messages.build_copy_fail(error)
        if self._copy is not None and self._copy.command is Command.EXECUTE:
            session.outgoing += messages.SYNC  # the server skipped the one before the data
        self._copy = None
        return 1

    def _check_copying(self, failure: str) -> Session:
        link = self._ensure_open()
        if self._copy is None or link.status != ConnStatus.OK:
            text = (
                self.get_error_message() if link.status != ConnStatus.OK else "no COPY in progress"
            )
            raise errors.OperationalError(f"{failure}: {text}")
        return link.session

    def get_copy_data(self, async_: int) -> tuple[int, memoryview]:
        """Return the next part of a COPY TO STDOUT: -1 at the end, 0 when it has not come."""
        while True:
            session = self._session
            if session.copied:
                part = session.copied.popleft()
                return len(part), memoryview(part)
            if session.results or not session.pending or self.status != ConnStatus.OK:
                self._copy = None
                return -1, memoryview(b"")
            if async_:
                return 0, memoryview(b"")
            self._ensure_open().wait_readable()

    # The rest

    def _cancel_target(self) -> Any:
        link = self._ensure_open()
        if link.transport is None:
            return None
        session = link.transport.session
        return link.options, link.transport.address, session.pid, session.key

    def cancel_conn(self) -> PGcancelConn:
        """Return a request to cancel what runs."""
        return PGcancelConn(self._cancel_target())

    def get_cancel(self) -> PGcancel:
        """Return a request to cancel what runs."""
        return PGcancel(self._cancel_target())

    def encrypt_password(self, passwd: bytes, user: bytes, algorithm: bytes | None = None) -> bytes:
        """Return a password in the form that ALTER ROLE takes."""
        self._ensure_open()
        name = algorithm
        if name is None:
            result = self.exec_(b"SHOW password_encryption")
            name = result.get_value(0, 0) or b"md5"
        if name in {b"md5", b"on", b"off"}:
            return hash_md5_verifier(user.decode(), passwd.decode())
        if name == b"scram-sha-256":
            return build_verifier(passwd.decode(), os.urandom(16)).encode()
        shown = name.decode()
        raise errors.OperationalError(
            f'password encryption failed: unrecognized password encryption algorithm "{shown}"'
        )

    def change_password(self, user: bytes, passwd: bytes) -> None:
        """Set a role's password."""
        escaping = Escaping(self)
        secret = escaping.escape_literal(self.encrypt_password(passwd, user))
        name = escaping.escape_identifier(user)
        result = self.exec_(b"ALTER USER " + name + b" PASSWORD " + secret)
        if result.status != ExecStatus.COMMAND_OK:
            raise errors.OperationalError(
                f"failed to change password change command: {self.get_error_message()}"
            )

    def make_empty_result(self, exec_status: int) -> PGresult:
        """Return a result without rows."""
        is_error = exec_status == ExecStatus.FATAL_ERROR
        return make_empty(exec_status, self.error_message if is_error else b"")

    def trace(self, fileno: int) -> None:
        """Refuse: the protocol is not traced."""
        raise errors.NotSupportedError("tracing is not supported")

    def set_trace_flags(self, flags: Any) -> None:
        """Refuse: the protocol is not traced."""
        raise errors.NotSupportedError("tracing is not supported")

    def untrace(self) -> None:
        """Do nothing: the protocol is not traced."""


def _quote(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
