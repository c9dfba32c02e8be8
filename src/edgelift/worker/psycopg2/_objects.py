"""Small objects of psycopg2: columns, notifications, transaction ids, connection information."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from typing import Any

from edgelift.worker.postgres.results import Field

from ._errors import InterfaceError

_NUMERIC = 1700
_COLUMN = (
    "name", "type_code", "display_size", "internal_size", "precision", "scale", "null_ok",
)  # fmt: skip


class Column(Sequence[Any]):
    """A column of `cursor.description`: a sequence of the DB-API's seven values."""

    __module__ = "psycopg2.extensions"
    __slots__ = ("_values", "table_column", "table_oid")

    def __init__(self, *values: Any, **named: Any) -> None:
        filled = [*values, *(None,) * (7 - len(values))][:7]
        for name, value in named.items():
            filled[_COLUMN.index(name)] = value
        self._values = tuple(filled)
        self.table_oid: int | None = None
        self.table_column: int | None = None

    @property
    def name(self) -> Any:
        """The column's name."""
        return self._values[0]

    @property
    def type_code(self) -> Any:
        """The OID of its type."""
        return self._values[1]

    @property
    def display_size(self) -> Any:
        """Nothing: psycopg2 stopped to compute it."""
        return self._values[2]

    @property
    def internal_size(self) -> Any:
        """The size of the type, negative for those of variable size."""
        return self._values[3]

    @property
    def precision(self) -> Any:
        """The total number of digits of a numeric."""
        return self._values[4]

    @property
    def scale(self) -> Any:
        """The digits after the point of a numeric."""
        return self._values[5]

    @property
    def null_ok(self) -> Any:
        """Nothing: the protocol does not tell."""
        return self._values[6]

    def __getitem__(self, index: Any) -> Any:
        return self._values[index]

    def __len__(self) -> int:
        return 7

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Column | tuple):
            return self._values == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        return f"Column(name={self.name!r}, type_code={self.type_code!r})"

    def __getstate__(self) -> Any:
        return self._values, self.table_oid, self.table_column

    def __setstate__(self, state: Any) -> None:
        self._values, self.table_oid, self.table_column = state


def read_column(field: Field, codec: str) -> Column:
    """Return the description of a result's column."""
    modifier = field.modifier - 4 if field.modifier > 0 else field.modifier
    size = field.size
    if modifier > 0:
        size = modifier >> 16 if field.type_oid == _NUMERIC else modifier
    precision = scale = None
    if field.type_oid == _NUMERIC:
        precision, scale = (modifier >> 16) & 0xFFFF, modifier & 0xFFFF
    column = Column(
        field.name.decode(codec, "replace"), field.type_oid, None, size, precision, scale
    )
    column.table_oid = field.table_oid or None
    column.table_column = field.table_column or None
    return column


class Notify:
    """What NOTIFY sent; equal to the tuple of its pid and channel, too."""

    __module__ = "psycopg2.extensions"

    def __init__(self, pid: int, channel: str, payload: str = "") -> None:
        self.pid, self.channel, self.payload = pid, channel, payload

    def __getitem__(self, index: int) -> Any:
        return (self.pid, self.channel)[index]

    def __len__(self) -> int:
        return 2

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Notify):
            return vars(self) == vars(other)
        if isinstance(other, tuple):
            return (self.pid, self.channel) == other
        return NotImplemented

    def __hash__(self) -> int:
        if self.payload:
            return hash((self.pid, self.channel, self.payload))
        return hash((self.pid, self.channel))

    def __repr__(self) -> str:
        return f"Notify({self.pid!r}, {self.channel!r}, {self.payload!r})"


_XID = re.compile(r"(\d+)_([^_]*)_([^_]*)")


class Xid:
    """The id of a two-phase transaction."""

    __module__ = "psycopg2.extensions"

    def __init__(self, format_id: Any, gtrid: str, bqual: str | None) -> None:
        if format_id is not None:
            if not 0 <= format_id <= 0x7FFFFFFF:
                raise ValueError("format_id must be a non-negative 32-bit integer")
            for name, text in (("gtrid", gtrid), ("bqual", bqual or "")):
                if len(text) > 64:
                    raise ValueError(f"{name} must be a string no longer than 64 characters")
                if any(not 0x20 <= ord(c) < 0x7F for c in text):
                    raise ValueError(f"{name} must contain only printable characters.")
        self.format_id, self.gtrid, self.bqual = format_id, gtrid, bqual
        self.prepared: Any = None
        self.owner: str | None = None
        self.database: str | None = None

    @classmethod
    def from_string(cls, text: str) -> Xid:
        """Return the id that PREPARE TRANSACTION got, whoever made it."""
        match = _XID.fullmatch(text)
        if match:
            try:
                parts = [
                    base64.b64decode(part, validate=True).decode() for part in match.groups()[1:]
                ]
                return cls(int(match[1]), parts[0], parts[1])
            except ValueError:
                pass
        return cls(None, text, None)

    def as_tid(self) -> str:
        """Return the id as PREPARE TRANSACTION gets it."""
        if self.format_id is None:
            return self.gtrid
        parts = [base64.b64encode((p or "").encode()).decode() for p in (self.gtrid, self.bqual)]
        return f"{self.format_id}_{parts[0]}_{parts[1]}"

    def __getitem__(self, index: int) -> Any:
        return (self.format_id, self.gtrid, self.bqual)[index]

    def __len__(self) -> int:
        return 3

    def __str__(self) -> str:
        return self.as_tid()

    def __repr__(self) -> str:
        if self.format_id is None:
            return f"<Xid: {self.gtrid!r} (unparsed)>"
        return f"<Xid: ({self.format_id!r}, {self.gtrid!r}, {self.bqual!r})>"


class ConnectionInfo:
    """What libpq tells about a connection."""

    __module__ = "psycopg2.extensions"

    def __init__(self, connection: Any) -> None:
        if not hasattr(type(connection), "_options"):
            raise TypeError("argument 1 must be psycopg2.extensions.connection")
        self._connection = connection

    @property
    def _broken(self) -> bool:
        return self._connection._transport is None

    def _option(self, name: str) -> Any:
        return self._connection._options.get(name)

    @property
    def dbname(self) -> Any:
        """The database's name."""
        return self._option("dbname")

    @property
    def user(self) -> Any:
        """The user's name."""
        return self._option("user")

    @property
    def password(self) -> Any:
        """The password that was given."""
        return self._option("password") or (None if self._broken else "")

    @property
    def host(self) -> Any:
        """The server's host or socket folder."""
        return None if self._broken else self._connection._transport.address.host

    @property
    def port(self) -> int | None:
        """The server's port."""
        return None if self._broken else int(self._connection._transport.address.port)

    @property
    def options(self) -> Any:
        """The command-line options given to the server."""
        return self._option("options") or (None if self._broken else "")

    @property
    def dsn_parameters(self) -> dict[str, str]:
        """The connection's parameters, without its password."""
        return self._connection.get_dsn_parameters()

    @property
    def status(self) -> int:
        """0 for a good connection, 1 for a bad one."""
        return 1 if self._broken or self._connection.closed else 0

    @property
    def transaction_status(self) -> int:
        """One of extensions.TRANSACTION_STATUS_*."""
        return self._connection.get_transaction_status()

    @property
    def protocol_version(self) -> int:
        """The version of the wire protocol."""
        return 0 if self._broken else 3

    @property
    def server_version(self) -> int:
        """The server's version as an integer: 150003."""
        return 0 if self._broken else self._connection.server_version

    @property
    def error_message(self) -> str | None:
        """The last error's text."""
        if self._broken:
            return "connection pointer is NULL\n"
        return self._connection._last_error or None

    @property
    def socket(self) -> int:
        """The file descriptor of the connection's socket."""
        return -1 if self._broken else self._connection.fileno()

    @property
    def backend_pid(self) -> int:
        """The process id of the server's side."""
        return 0 if self._broken else self._connection.get_backend_pid()

    @property
    def needs_password(self) -> bool:
        """Whether the server asked for a password and got none."""
        if self._broken:
            return False
        session = self._connection._transport.session
        return bool(session.needs_password and not session.used_password)

    @property
    def used_password(self) -> bool:
        """Whether a password was used."""
        return not self._broken and bool(self._connection._transport.session.used_password)

    @property
    def ssl_in_use(self) -> bool:
        """Whether the connection is encrypted."""
        return not self._broken and bool(self._connection._transport.tls)

    @property
    def ssl_attribute_names(self) -> list[str]:
        """The names that `ssl_attribute` knows."""
        return ["library", "key_bits", "cipher", "compression", "protocol"]

    def parameter_status(self, name: str) -> str | None:
        """Return a setting the server reports, None for others."""
        return None if self._broken else self._connection.get_parameter_status(name)

    def ssl_attribute(self, name: str) -> str | None:
        """Return what is known of the encryption."""
        if self._broken:
            return None
        sock = self._connection._transport.socket
        cipher = sock.cipher() if self.ssl_in_use and hasattr(sock, "cipher") else None
        if cipher is None:
            return None
        known = {"cipher": cipher[0], "protocol": cipher[1], "key_bits": str(cipher[2])}
        return {**known, "library": "OpenSSL", "compression": "off"}.get(name)


def check_xid(value: Any) -> Xid:
    """Return the id of a two-phase transaction given as Xid, text or tuple."""
    if isinstance(value, Xid):
        return value
    if isinstance(value, str):
        return Xid.from_string(value)
    if isinstance(value, Sequence) and len(value) == 3:
        return Xid(*value)
    raise InterfaceError("not an Xid")
