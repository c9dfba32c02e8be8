"""One session on a MySQL or MariaDB server: safe settings, plain results, raw streams of rows."""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pymysql

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.rows.wires import Buffer, split_mysql
from edgelift.sources.mysql.errors import origin_errors, to_origin_error
from edgelift.sources.mysql.packets import RowPackets
from edgelift.sources.mysql.url import MySqlPlace

PAUSES_S = (0.3, 1.0, 3.0)  # between attempts to connect
MINIMUM = {"mariadb": (10, 3), "mysql": (5, 6)}  # checks and sequences; fractions of seconds
_RECEIVE_BYTES = 256 * 1024
_COM_QUERY = 0x03
_UNKNOWN_VARIABLE = 1193

# Of edgelift's own sessions only. Times are UTC; a reader that is slow, because the target is, must
# not be dropped; a metadata lock of the origin's own migration is not waited for long.
_SETTINGS = (
    "time_zone = '+00:00'",
    "sql_mode = ''",
    "sql_quote_show_create = 1, sql_select_limit = 18446744073709551615",
    "net_write_timeout = 86400, net_read_timeout = 86400, wait_timeout = 604800",
    "lock_wait_timeout = 60",
    "max_statement_time = 0",
    "max_execution_time = 0",
    "idle_transaction_timeout = 0",
    "idle_readonly_transaction_timeout = 0",
    "information_schema_stats_expiry = 0",
)


@dataclass(frozen=True)
class ServerVersion:
    """`product` is mariadb or mysql; `written` as the server prints it."""

    product: str
    numbers: tuple[int, ...]
    written: str

    @property
    def mariadb(self) -> bool:
        """Whether it is MariaDB."""
        return self.product == "mariadb"

    def has(self, *, mariadb: tuple[int, ...] = (), mysql: tuple[int, ...] = ()) -> bool:
        """Return whether the server is of at least that version; () for a product means never."""
        wanted = mariadb if self.mariadb else mysql
        return bool(wanted) and self.numbers >= wanted


def read_version(written: str) -> ServerVersion:
    """Return what a server's VERSION() says, like `10.11.19-MariaDB-log` or `8.0.36`."""
    found = re.match(r"(?:5\.5\.5-(?=\d))?(\d+)\.(\d+)(?:\.(\d+))?", written)
    numbers = tuple(int(part or 0) for part in found.groups()) if found else (0,)
    product = "mariadb" if "mariadb" in written.lower() else "mysql"
    return ServerVersion(product, numbers, written)


class MySqlSession:
    """A connection; every method raises OriginError, OriginUnavailable for what may pass."""

    def __init__(self, place: MySqlPlace) -> None:
        self.place = place
        self._connection = _connect(place)
        self._streaming = False
        try:
            self._prepare()
        except OriginError:
            self.close()
            raise

    @property
    def connection(self) -> Any:
        """PyMySQL's own connection, for protocols that it does not speak."""
        return self._connection

    @property
    def thread(self) -> int:
        """The server's number of this connection."""
        connection: Any = self._connection
        return int(connection.thread_id())

    def read_rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of a small result, as PyMySQL decodes them."""
        self._check_free()
        with origin_errors(self.place), self._connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall())

    def read_value(self, sql: str, *values: object) -> Any:
        """Return the first value of a result, None when there is no row."""
        rows = self.read_rows(sql, *values)
        return rows[0][0] if rows else None

    def read_texts(self, sql: str) -> list[list[str | None]]:
        """Return all rows of a result as text; bytes that are no UTF-8 keep as surrogates.

        The session's sql_mode and character set hold, but nothing is converted in Python.
        """
        packets = RowPackets(self._receive)
        stream = self._stream(sql, packets)
        first = next(stream, b"")
        if not packets.columns:
            return []
        rows = split_mysql(Buffer(itertools.chain([first], stream)), packets.columns)
        return [
            [v.decode(errors="surrogateescape") if isinstance(v, bytes) else None for v in row]
            for row in rows
        ]

    def run(self, *statements: str) -> None:
        """Run statements that return no rows."""
        self._check_free()
        with origin_errors(self.place), self._connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def stream_rows(self, sql: str, doing: str = "") -> Iterator[bytes]:
        """Yield a result's row packets undecoded, about 256 KiB at a time.

        A stream that is given up early is ended at the server, so that the session stays usable.
        One stream at a time.
        """
        return self._stream(sql, RowPackets(self._receive), doing)

    def _stream(self, sql: str, packets: RowPackets, doing: str = "") -> Iterator[bytes]:
        self._check_free()
        self._streaming = True
        try:
            with origin_errors(self.place, doing):
                self._send(sql)
                yield from packets
        except OriginError:
            if not packets.ended:
                self._drop()
            raise
        except GeneratorExit:
            self._give_up(packets)
            raise
        finally:
            self._streaming = False

    def close(self) -> None:
        """Close the connection; the server rolls back what was open."""
        with contextlib.suppress(pymysql.Error, OSError):
            self._connection.close()

    def _check_free(self) -> None:
        if self._streaming:
            raise OriginError(
                "Two results are read over one connection at once",
                why="a session of MySQL sends one result after the other",
                tip="read the first one to its end, or open another connection",
            )

    def _send(self, sql: str) -> None:
        connection: Any = self._connection
        connection._execute_command(_COM_QUERY, sql)  # noqa: SLF001 - rows are read raw
        connection._sock.settimeout(self.place.read_timeout_s)  # noqa: SLF001
        connection._current_timeout = None  # noqa: SLF001 - PyMySQL sets its own again

    def _receive(self) -> bytes:
        sock: socket.socket | None = self._connection._sock  # type: ignore[attr-defined]  # noqa: SLF001
        return sock.recv(_RECEIVE_BYTES) if sock else b""

    def _give_up(self, packets: RowPackets) -> None:
        """End a result that nobody wants; a connection that cannot be cleared is dropped."""
        if packets.ended:
            return
        try:
            killer = _connect(self.place)
            with killer, killer.cursor() as cursor:
                cursor.execute(f"KILL QUERY {self.thread}")
            packets.drain()
        except (OriginError, pymysql.Error, OSError):
            self._drop()

    def _drop(self) -> None:
        self._connection._force_close()  # type: ignore[attr-defined]  # noqa: SLF001

    def _prepare(self) -> None:
        self.version = read_version(str(self.read_value("SELECT VERSION()")))
        if self.version.numbers < MINIMUM[self.version.product]:
            least = ".".join(map(str, MINIMUM[self.version.product]))
            raise OriginError(
                f"The database server {self.place} is too old",
                why=f"it is {self.version.written}; edgelift reads {self.version.product} {least} "
                "and newer",
                tip="upgrade it, or restore a dump of it in a newer server and name that one",
            )
        for setting in _SETTINGS:
            self._set(setting)
        if self.version.mariadb:
            # MariaDB's cache of subqueries takes 'a ' for 'a', whatever the subquery compares.
            self._set("optimizer_switch = 'subquery_cache=off'")

    def _set(self, setting: str) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(f"SET SESSION {setting}")
        except pymysql.Error as error:
            if error.args[0] != _UNKNOWN_VARIABLE:  # products differ in their variables
                raise to_origin_error(self.place, error) from error


def quote_name(name: str) -> str:
    """Return a name quoted for MySQL."""
    return "`" + name.replace("`", "``") + "`"


def quote_text(text: str) -> str:
    """Return a text as a literal that no sql_mode reads differently."""
    return f"_utf8mb4 X'{text.encode().hex()}'" if text else "''"


def _connect(place: MySqlPlace) -> pymysql.Connection[Any]:
    for pause in (*PAUSES_S, None):
        try:
            with origin_errors(place):
                connection = pymysql.connect(**place.build_arguments())
        except OriginUnavailable:
            if pause is None:
                raise
            time.sleep(pause)
        else:
            _keep_alive(connection)
            return connection
    raise AssertionError("the last attempt returns or raises")


def _keep_alive(connection: pymysql.Connection[Any]) -> None:
    """Notice a dead network within about a minute, however long a statement may run."""
    sock: socket.socket = connection._sock  # type: ignore[attr-defined]  # noqa: SLF001
    if sock.family == socket.AF_UNIX:
        return
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
