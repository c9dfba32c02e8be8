"""The connection of psycopg2: transactions, settings, notices, and the talk with the server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self

from edgelift.worker.postgres import conninfo, transport
from edgelift.worker.postgres.encodings import normalize_encoding
from edgelift.worker.postgres.transport import ConnectError

from . import _errors as errors
from ._casting import Type, string_types
from ._errors import (
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from ._objects import ConnectionInfo, Xid
from ._settings import Settings
from ._talking import Steps

_READY, _BEGIN, _PREPARED = 1, 2, 5


class connection(Settings):
    """A connection; the server's side lives in `_transport.session`."""

    __module__ = "psycopg2.extensions"

    # What a connection has whose constructor did not end.
    closed = 0
    _options: dict[str, str] = {}  # noqa: RUF012 - never changed, only replaced
    _transport: Any = None
    _xid: Xid | None = None
    _prepared = False
    _entered = False
    _last_error = ""

    Warning = errors.Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = errors.InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = errors.NotSupportedError

    def __init__(self, dsn: str, async_: int = 0, **named: Any) -> None:
        options = read_options(dsn)
        self._prepare(dsn, options)
        self.async_ = int(bool(async_ or named.get("async")))
        self.closed = 2
        try:
            self._attach(transport.open_transport(options))
        except (ConnectError, conninfo.ConninfoError) as error:
            raise OperationalError(str(error)) from None
        if self.async_:
            self._autocommit = True
            self._steps = self._set_up()
        else:
            self._drive(self._set_up())

    def _prepare(self, dsn: str, options: dict[str, str]) -> None:
        """Set what a connection has before it is connected."""
        self._options = options
        self._given = conninfo.parse_conninfo(dsn)
        self.dsn = _hide_password(dsn)
        self.closed = 0
        self.cursor_factory: Any = None
        self.notices: Any = []
        self.notifies: Any = []
        self.async_ = 0
        self.string_types: dict[int, Type] = {}
        self._autocommit = False
        self._level: int | None = None
        self._readonly: bool | None = None
        self._deferrable: bool | None = None
        self._xid: Xid | None = None
        self._prepared = False
        self._mark = 0
        self._last_error = ""
        self._lock = threading.RLock()
        self._codec = "utf-8"
        self.encoding = "UTF8"
        self._transport: Any = None
        self._copy: Any = None

    def _attach(self, opened: Any) -> None:
        """Take an open transport."""
        self._transport = opened
        self.closed = 0
        opened.session.on_notice = self._take_notice
        self._read_encoding()

    def _set_up(self) -> Steps:
        """Make the server write dates as they are read here."""
        if not self._session.parameters.get("DateStyle", "ISO").startswith("ISO"):
            yield from self._command("SET DATESTYLE TO 'ISO'")

    @property
    def _standard_strings(self) -> bool:
        return self._session.parameters.get("standard_conforming_strings", "on") == "on"

    def _own_types(self) -> dict[int, Type]:
        return self.string_types

    def _find_type(self, oid: int) -> Type | None:
        return self.string_types.get(oid) or string_types.get(oid)

    def _check_open(self) -> None:
        if self.closed:
            raise InterfaceError("connection already closed")

    # Transactions

    def _begin(self) -> Steps:
        """Open a transaction unless one is open or the connection commits by itself."""
        if (
            (self._autocommit and not self._entered)
            or self._session.transaction != b"I"
            or self._xid is not None
        ):
            return
        yield from self._command(self._begin_statement())

    def _end(self, word: str) -> Steps:
        self._mark += 1
        if self._session.transaction != b"I":
            yield from self._command(word)

    def commit(self) -> None:
        """Commit the transaction."""
        self._check_open()
        self._refuse_async("commit")
        self._refuse_in_tpc("commit")
        self._drive(self._end("COMMIT"))

    def rollback(self) -> None:
        """Roll the transaction back."""
        self._check_open()
        self._refuse_async("rollback")
        self._refuse_in_tpc("rollback")
        self._drive(self._end("ROLLBACK"))

    def _refuse_in_tpc(self, name: str) -> None:
        if self._xid is not None:
            raise ProgrammingError(f"{name} cannot be used during a two-phase transaction")

    def _refuse_prepared(self, name: str) -> None:
        if self._prepared:
            raise ProgrammingError(f"{name} cannot be used with a prepared two-phase transaction")

    def reset(self) -> None:
        """Return to the settings of a new connection, rolling back."""
        self._check_open()
        self._refuse_async("reset")
        self._xid, self._prepared = None, False
        self._drive(self._reset())
        self._autocommit = False
        self._level = self._readonly = self._deferrable = None

    def _reset(self) -> Steps:
        yield from self._end("ROLLBACK")
        yield from self._command("RESET ALL")
        yield from self._command("SET SESSION AUTHORIZATION DEFAULT")

    # Information

    @property
    def info(self) -> ConnectionInfo:
        """What libpq would tell about this connection."""
        return ConnectionInfo(self)

    @property
    def status(self) -> int:
        """One of extensions.STATUS_*."""
        if self._transport is None:
            return 0
        if self._prepared:
            return _PREPARED
        in_transaction = self._session.transaction != b"I" and (
            self._entered or not self._autocommit
        )
        return _BEGIN if in_transaction or self._xid is not None else _READY

    @property
    def binary_types(self) -> dict[int, Type]:
        """The typecasters for binary values, which there are none of."""
        return {}

    @property
    def server_version(self) -> int:
        """The server's version as an integer: 150003."""
        return read_server_version(self._session.parameters.get("server_version", "0"))

    @property
    def protocol_version(self) -> int:
        """The version of the wire protocol."""
        return 3

    def get_transaction_status(self) -> int:
        """Return one of extensions.TRANSACTION_STATUS_*."""
        if self.closed or self._transport is None:
            return 4
        if self._session.pending:
            return 1
        return {b"I": 0, b"T": 2, b"E": 3}[self._session.transaction]

    def get_backend_pid(self) -> int:
        """Return the process id of the server's side."""
        self._check_open()
        return self._session.pid

    def get_parameter_status(self, parameter: str) -> str | None:
        """Return a setting the server reports, None for others."""
        self._check_open()
        return self._session.parameters.get(parameter)

    def get_dsn_parameters(self) -> dict[str, str]:
        """Return the connection's parameters, without its password."""
        self._check_open()
        hidden = {"password", "passfile"}
        return {key: value for key, value in self._options.items() if key not in hidden}

    def set_client_encoding(self, encoding: str) -> None:
        """Make the server speak another encoding."""
        self._check_open()
        self._refuse_async("set_client_encoding")
        self._refuse_in_tpc("set_client_encoding")
        name = normalize_encoding(encoding)
        if name == self.encoding:
            return
        self._drive(self._change_encoding(name))

    def _change_encoding(self, name: str) -> Steps:
        yield from self._end("ROLLBACK")
        yield from self._command(f"SET client_encoding TO '{name}'")

    def fileno(self) -> int:
        """Return the file descriptor of the socket."""
        self._check_open()
        return int(self._transport.socket.fileno())

    def cancel(self) -> None:
        """Ask the server to cancel what this connection runs."""
        self._check_open()
        self._refuse_prepared("cancel")
        session = self._session
        try:
            transport.send_cancel(self._options, self._transport.address, session.pid, session.key)
        except ConnectError as error:
            raise OperationalError(str(error)) from None

    def lobject(self, *arguments: Any, **named: Any) -> Any:
        """Open or make a large object."""
        from ._lobject import lobject

        factory: Callable[..., Any] = named.pop("lobject_factory", None) or lobject
        return factory(self, *arguments, **named)

    def cursor(
        self,
        name: Any = None,
        cursor_factory: Any = None,
        withhold: Any = False,
        scrollable: Any = None,
    ) -> Any:
        """Return a new cursor; one with a name lives on the server."""
        from ._cursor import cursor

        self._check_open()
        if name is not None:
            self._refuse_async("named cursors")
        factory = cursor_factory or self.cursor_factory or cursor
        made = factory(self, name)
        if not isinstance(made, cursor):
            raise TypeError("cursor factory must be subclass of psycopg2.extensions.cursor")
        if withhold:
            made.withhold = True
        if scrollable is not None:
            made.scrollable = scrollable
        return made

    def close(self) -> None:
        """Close the connection; what was not committed is rolled back by the server."""
        if self.closed == 0 and self._transport is not None:
            self._transport.close()
        self.closed = 1

    def __enter__(self) -> Self:
        self._check_open()
        if self._entered:
            raise ProgrammingError("the connection cannot be re-entered recursively")
        self._entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        self._entered = False
        if kind is None:
            self.commit()
        else:
            self.rollback()
        return False

    def __repr__(self) -> str:
        where = f"{id(self):#x}"
        return f"<connection object at {where}; dsn: '{self.dsn}', closed: {self.closed}>"

    def __del__(self) -> None:
        if getattr(self, "closed", 1) == 0 and getattr(self, "_transport", None) is not None:
            self.closed = 1
            self._transport.close()


def read_options(dsn: str) -> dict[str, str]:
    """Return the complete options of a connection string; raises ProgrammingError."""
    try:
        return conninfo.complete_conninfo(conninfo.parse_conninfo(dsn))
    except conninfo.ConninfoError as error:
        raise ProgrammingError(f"invalid dsn: {error}\n") from None


def read_server_version(text: str) -> int:
    """Return "15.3 (Debian)" as 150003."""
    parts = [
        int("".join(c for c in part if c.isdigit()) or 0)
        for part in text.split(maxsplit=1)[0].split(".")
    ]
    parts += [0] * (3 - len(parts))
    if parts[0] >= 10:
        return parts[0] * 10000 + parts[1]
    return parts[0] * 10000 + parts[1] * 100 + parts[2]


def _hide_password(dsn: str) -> str:
    options = conninfo.parse_conninfo(dsn)
    if "password" not in options:
        return dsn
    from .extensions import make_dsn

    ordered = {name: options[name] for name in conninfo.KEYWORDS if name in options}
    return str(make_dsn(**{**ordered, "password": "xxx"}))
