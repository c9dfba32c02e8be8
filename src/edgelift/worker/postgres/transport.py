"""Moves a session's bytes over a socket, blocking; opens connections with TLS as libpq does."""

from __future__ import annotations

import contextlib
import importlib
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any

from edgelift.worker.postgres import messages
from edgelift.worker.postgres.conninfo import (
    Address,
    list_addresses,
    read_password,
    startup_parameters,
)
from edgelift.worker.postgres.report import format_report
from edgelift.worker.postgres.session import ProtocolError, ScramError, Session

_PART = 65536
MOVED = ".moved.edgelift"  # what hosts end in that stand for databases in this process
TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class ConnectError(Exception):
    """No server could be reached, or it refused; `report` is what a refusing server said."""

    report: dict[str, bytes] | None = None
    needs_password = used_password = False
    retry_other_mode = False


class ConnectionLostError(Exception):
    """The connection ended while an answer was awaited."""


CLOSED_TEXT = (
    "server closed the connection unexpectedly\n"
    "\tThis probably means the server terminated abnormally\n"
    "\tbefore or while processing the request.\n"
)
TLS_CLOSED_TEXT = "SSL connection has been closed unexpectedly\n"


class SocketTransport:
    """A connected socket and the session that speaks over it."""

    def __init__(self, sock: socket.socket, address: Address) -> None:
        self.socket = sock
        self.address = address
        self.tls = False
        self.session = Session()

    def flush(self) -> None:
        """Send what the session has to say; raises ConnectionLostError."""
        outgoing = self.session.outgoing
        if outgoing:
            data = bytes(outgoing)
            outgoing.clear()
            try:
                self.socket.sendall(data)
            except TimeoutError:
                raise
            except OSError as error:
                self._read_last_words()
                raise ConnectionLostError(CLOSED_TEXT) from error

    def _read_last_words(self) -> None:
        """Take what the server said before it closed; the session then knows why."""
        with contextlib.suppress(OSError, ProtocolError):
            while data := self.socket.recv(_PART):
                self.session.feed(data)

    def receive(self) -> None:
        """Wait for bytes and give them to the session; raises ConnectionLostError at the end."""
        try:
            data = self.socket.recv(_PART)
        except TimeoutError:
            raise
        except OSError as error:
            raise ConnectionLostError(self._closed_text()) from error
        if not data:
            raise ConnectionLostError(self._closed_text())
        self.session.feed(data)

    def _closed_text(self) -> str:
        return TLS_CLOSED_TEXT if self.tls else CLOSED_TEXT

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Encrypt the connection."""
        self.socket = context.wrap_socket(self.socket, server_hostname=host or None)
        self.tls = True

    def close(self, *, politely: bool = True) -> None:
        """Close the connection, after a word of farewell to the server."""
        if politely:
            with contextlib.suppress(OSError):
                self.socket.sendall(messages.TERMINATE)
        with contextlib.suppress(OSError):
            self.socket.close()


def build_context(options: Mapping[str, str]) -> ssl.SSLContext:
    """Return the TLS settings of connection options; raises ConnectError for unreadable files."""
    mode = options.get("sslmode", "prefer")
    root = options.get("sslrootcert")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == "verify-full"
    verifies = mode.startswith("verify") or bool(root)
    context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
    try:
        if root and root != "system":
            context.load_verify_locations(root)
        elif verifies:
            context.load_default_certs()
        if options.get("sslcert"):
            context.load_cert_chain(
                options["sslcert"], options.get("sslkey"), options.get("sslpassword")
            )
    except (OSError, ssl.SSLError) as error:
        raise ConnectError(f"could not read the certificates: {error}\n") from error
    return context


def open_transport(
    options: Mapping[str, str], dial: Callable[[Address, float | None], Any] | None = None
) -> SocketTransport:
    """Connect and log in to the first server that takes us; raises ConnectError.

    `options` are complete; `dial` opens a socket, for tests and other kinds of sockets.
    """
    texts = []
    last = ConnectError("")
    for address in list_addresses(options):
        try:
            return _open_one(options, address, dial or dial_socket)
        except ConnectError as error:
            last = error
            texts.append(str(error))
            if error.report is not None and error.report.get("C", b"")[:2] == b"28":
                break
    last.args = ("".join(texts),)
    raise last


def _open_one(
    options: Mapping[str, str], address: Address, dial: Callable[[Address, float | None], Any]
) -> SocketTransport:
    mode = options.get("sslmode", "prefer")
    if mode not in TLS_MODES:
        raise ConnectError(f'invalid sslmode value: "{mode}"\n')
    try:
        return _try(options, address, dial, tls=mode not in {"disable", "allow"})
    except ConnectError as error:
        if error.report is None or mode not in {"allow", "prefer"}:
            raise
        if address.is_socket or not error.retry_other_mode:
            raise
        return _try(options, address, dial, tls=mode == "allow")


def dial_socket(address: Address, timeout_s: float | None) -> socket.socket:
    """Open a socket to a server, or what stands for one to a moved database."""
    if address.host.endswith(MOVED):
        found: socket.socket = importlib.import_module("edgelift.worker.moved.servers").dial(
            address.host
        )
        return found
    if address.is_socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout_s)
        sock.connect(f"{address.host}/.s.PGSQL.{address.port}")
        return sock
    sock = socket.create_connection((address.address or address.host, address.port), timeout_s)
    with contextlib.suppress(OSError, AttributeError):  # the Worker's sockets have no options
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def describe_address(address: Address) -> str:
    """Return how libpq names a server in its messages."""
    if address.is_socket:
        path = f"{address.host}/.s.PGSQL.{address.port}"
        return f'connection to server on socket "{path}" failed: '
    shown = f'"{address.host}"'
    with contextlib.suppress(OSError):
        number = address.address or socket.gethostbyname(address.host)
        if number != address.host:
            shown += f" ({number})"
    return f"connection to server at {shown}, port {address.port} failed: "


def read_timeout(options: Mapping[str, str]) -> float | None:
    """Return `connect_timeout` in seconds, None for none (libpq: at least 2)."""
    text = options.get("connect_timeout", "")
    try:
        seconds = int(text or 0)
    except ValueError as error:
        raise ConnectError(
            f'invalid integer value "{text}" for connection option "connect_timeout"\n'
        ) from error
    return float(max(seconds, 2)) if seconds > 0 else None


def _try(
    options: Mapping[str, str],
    address: Address,
    dial: Callable[[Address, float | None], Any],
    *,
    tls: bool,
) -> SocketTransport:
    timeout_s = read_timeout(options)
    deadline = time.monotonic() + timeout_s if timeout_s else None
    sock = None
    try:
        sock = dial(address, timeout_s)
        transport = SocketTransport(sock, address)
        if tls and not address.is_socket:
            _request_tls(transport, options)
        transport.session.start(startup_parameters(options), read_password(options, address))
        _log_in(transport, deadline)
        transport.socket.settimeout(None)
    except (OSError, ProtocolError, ScramError, ConnectionLostError, ConnectError) as error:
        if sock is not None:
            sock.close()
        raise explain(error, address) from error
    return transport


def _request_tls(transport: SocketTransport, options: Mapping[str, str]) -> None:
    if options.get("sslnegotiation") != "direct":
        transport.socket.sendall(messages.SSL_REQUEST)
        answer = transport.socket.recv(1)
        if answer == b"":
            raise ConnectionLostError(CLOSED_TEXT)
        if answer != b"S":
            if options.get("sslmode") in {"prefer", "allow"}:
                return
            raise ProtocolError("server does not support SSL, but SSL was required")
    transport.start_tls(build_context(options), transport.address.host)


def _log_in(transport: SocketTransport, deadline: float | None) -> None:
    session = transport.session
    while not session.started:
        transport.flush()
        if deadline is not None:
            transport.socket.settimeout(max(deadline - time.monotonic(), 0.001))
        transport.receive()
        if session.failure is not None:
            raise refusal(session)


def refusal(session: Session) -> ConnectError:
    """Return the error for what a server said instead of letting us in."""
    report = session.failure or {}
    error = ConnectError(format_report(report))
    error.report = report
    error.needs_password = session.needs_password
    error.used_password = session.used_password
    # pg_hba.conf may want the other mode: libpq tries it for this class of errors.
    error.retry_other_mode = report.get("C", b"")[:2] == b"28" and not session.used_password
    return error


def explain(error: Exception, address: Address) -> ConnectError:
    """Return a failed attempt's error in libpq's words."""
    prefix = describe_address(address)
    if isinstance(error, ConnectError):
        error.args = (prefix + str(error),)
        return error
    if isinstance(error, TimeoutError):
        return ConnectError(f"{prefix}timeout expired\n")
    if isinstance(error, socket.gaierror):
        return ConnectError(
            f'could not translate host name "{address.host}" to address: {error.strerror}\n'
        )
    if isinstance(error, ssl.SSLError):
        return ConnectError(f"{prefix}SSL error: {error.reason or error}\n")
    if isinstance(error, OSError):
        hint = "\tIs the server running on that host and accepting TCP/IP connections?\n"
        if address.is_socket:
            hint = "\tIs the server running locally and accepting connections on that socket?\n"
        return ConnectError(f"{prefix}{error.strerror or error}\n{hint}")
    made = ConnectError(f"{prefix}{str(error).rstrip()}\n")
    made.needs_password = "no password supplied" in str(error)
    return made


def send_cancel(options: Mapping[str, str], address: Address, pid: int, key: bytes) -> None:
    """Ask a server to cancel what a backend runs; raises ConnectError when it cannot be reached."""
    try:
        with dial_socket(address, read_timeout(options) or 10.0) as sock:
            sock.sendall(messages.build_cancel(pid, key))
            sock.recv(1)  # the server closes when it has understood
    except OSError as error:
        raise explain(error, address) from error
