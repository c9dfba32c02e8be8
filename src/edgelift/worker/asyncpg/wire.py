"""The bytes of an asyncpg connection: a session of the wire core over asyncio streams."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from edgelift.worker.postgres import messages
from edgelift.worker.postgres.conninfo import (
    Address,
    list_addresses,
    read_password,
    startup_parameters,
)
from edgelift.worker.postgres.results import Result, Status
from edgelift.worker.postgres.session import ProtocolError as SessionError
from edgelift.worker.postgres.session import ScramError, Session
from edgelift.worker.postgres.transport import MOVED

from .exceptions import (
    ConnectionDoesNotExistError,
    InterfaceError,
    InternalClientError,
    ProtocolError,
    make_error,
)

_PART = 65536
_COPY_LIMIT = 1 << 19
Sink = Callable[[bytes], Awaitable[Any]]


class Wire:
    """An open connection; one exchange at a time."""

    def __init__(self, reader: Any, writer: Any, address: Address) -> None:
        self.reader, self.writer, self.address = reader, writer, address
        self.session = Session()
        self.tls = False
        self.busy = False
        self.closed = False
        self._arrival: asyncio.Future[None] | None = None
        self._idle: asyncio.Task[None] | None = None
        self.on_arrival: Callable[[], None] = lambda: None

    # Bytes

    async def flush(self) -> None:
        """Send what the session has to say."""
        outgoing = self.session.outgoing
        if outgoing:
            data = bytes(outgoing)
            outgoing.clear()
            self.writer.write(data)
            await self.writer.drain()

    async def receive(self) -> None:
        """Wait for bytes; raises ConnectionDoesNotExistError when there will be none."""
        if self._idle is not None and not self._idle.done():
            # Someone reads already, for notifications.
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
            return
        await self._read()

    async def _read(self) -> None:
        try:
            data = await self.reader.read(_PART)
        except OSError:
            data = b""
        if not data:
            self.abort()
            failure = self.session.failure
            cause = None if failure is None else make_error(failure)
            raise ConnectionDoesNotExistError(
                "connection was closed in the middle of operation"
            ) from cause
        self.session.feed(data)
        self.on_arrival()

    def watch(self) -> None:
        """Read in the background too, so that notifications arrive by themselves."""
        if self._idle is None or self._idle.done():
            self._idle = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        error: BaseException | None = None
        while error is None and not self.closed:
            try:
                await self._read()
            except (ConnectionDoesNotExistError, InternalClientError, OSError) as failure:
                error = failure
            self._wake(error)

    def _wake(self, error: BaseException | None) -> None:
        waiting, self._arrival = self._arrival, None
        if waiting is not None and not waiting.done():
            if error is None:
                waiting.set_result(None)
            else:
                waiting.set_exception(error)

    # Exchanges

    async def exchange(
        self,
        fill: Callable[[Session], None],
        *,
        source: Any = None,
        sink: Sink | None = None,
    ) -> list[Result]:
        """Send commands and return their results; raises InterfaceError while another runs.

        `source` yields the data of a COPY FROM STDIN, `sink` takes that of a COPY TO STDOUT.
        """
        if self.closed:
            raise InterfaceError("connection is closed")
        if self.busy:
            raise InterfaceError("cannot perform operation: another operation is in progress")
        self.busy = True
        try:
            await self._drain()
            fill(self.session)
            return await self._collect(source, sink)
        finally:
            self.busy = False

    async def _drain(self) -> None:
        """Take the answers of an exchange that was given up."""
        session = self.session
        while session.pending:
            session.results.clear()
            await self.flush()
            if session.pending:
                await self.receive()
        session.results.clear()
        session.copied.clear()

    async def _collect(self, source: Any, sink: Sink | None) -> list[Result]:
        session = self.session
        found: list[Result] = []
        while True:
            if sink is not None:
                while session.copied:
                    await sink(session.copied.popleft())
            while session.results:
                result = session.results.popleft()
                if result.status is Status.READY:
                    if not session.pending:
                        return found
                elif result.status is Status.COPY_IN:
                    await self._send_copy(source)
                else:
                    found.append(result)
            await self.flush()
            if not session.results:
                await self.receive()

    async def _send_copy(self, source: Any) -> None:
        session = self.session
        if source is None:
            session.outgoing += messages.build_copy_fail(b"no data source")
            return
        try:
            async for part in source:
                session.outgoing += messages.build_copy_data(bytes(part))
                if len(session.outgoing) > _COPY_LIMIT:
                    await self.flush()
                if session.results:
                    return
        except BaseException as error:
            session.outgoing += messages.build_copy_fail(str(error).encode()[:200])
            await self.flush()
            raise
        session.outgoing += messages.COPY_DONE

    # End

    def abort(self) -> None:
        """Close at once."""
        if not self.closed:
            self.closed = True
            if self._idle is not None and self._idle is not asyncio.current_task():
                self._idle.cancel()
            with contextlib.suppress(OSError, RuntimeError):
                self.writer.close()

    async def close(self) -> None:
        """Say farewell and close."""
        if self.closed:
            return
        with contextlib.suppress(OSError):
            self.writer.write(messages.TERMINATE)
            await self.writer.drain()
        self.abort()
        with contextlib.suppress(OSError, ssl_module.SSLError):
            await self.writer.wait_closed()

    async def cancel_running(self) -> None:
        """Ask the server to cancel what runs."""
        with contextlib.suppress(OSError):
            reader, writer = await _dial(self.address)
            writer.write(messages.build_cancel(self.session.pid, self.session.key))
            await writer.drain()
            await reader.read(1)
            writer.close()
            await writer.wait_closed()


async def _dial(address: Address) -> tuple[Any, Any]:
    if address.host.endswith(MOVED):
        streams: tuple[Any, Any] = importlib.import_module(
            "edgelift.worker.moved.servers"
        ).dial_streams(address.host)
        return streams
    if address.is_socket:
        return await asyncio.open_unix_connection(f"{address.host}/.s.PGSQL.{address.port}")
    return await asyncio.open_connection(address.address or address.host, address.port)


async def open_wire(options: Mapping[str, str], settings: Mapping[str, str], context: Any) -> Wire:
    """Connect and log in to the first server that takes us; raises the last server's error.

    `context` are the TLS settings, None for no TLS.
    """
    last: BaseException = InterfaceError("could not determine the database hosts")
    for address in list_addresses(options):
        try:
            return await _open_one(options, settings, address, context)
        except OSError as error:
            last = error
    raise last


async def _open_one(
    options: Mapping[str, str], settings: Mapping[str, str], address: Address, context: Any
) -> Wire:
    wire = Wire(*await _dial(address), address)
    try:
        if context is not None and not address.is_socket:
            await _start_tls(wire, options, context)
        session = wire.session
        parameters = {"client_encoding": "utf-8", **startup_parameters(options), **settings}
        session.start(parameters, read_password(options, address))
        while not session.started:
            await wire.flush()
            await wire.receive()
            _check_failure(session)
    except (SessionError, ScramError) as error:
        wire.abort()
        raise ProtocolError(str(error)) from error
    except BaseException:
        wire.abort()
        raise
    return wire


def _check_failure(session: Session) -> None:
    if session.failure is not None:
        raise make_error(session.failure)


async def _start_tls(wire: Wire, options: Mapping[str, str], context: Any) -> None:
    wire.writer.write(messages.SSL_REQUEST)
    await wire.writer.drain()
    answer = await wire.reader.readexactly(1)
    if answer != b"S":
        if options.get("sslmode") in {"prefer", "allow"}:
            return
        text = (
            f'PostgreSQL server at "{wire.address.host}:{wire.address.port}" rejected SSL upgrade'
        )
        raise ConnectionError(text)
    await wire.writer.start_tls(context, server_hostname=wire.address.host)
    wire.tls = True
