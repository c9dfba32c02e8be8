"""The connection: PyMySQL's with mysqlclient's parameters, names and small differences."""

from __future__ import annotations

import re
from typing import Any

import pymysql.connections
from MySQLdb import _exceptions as errors
from MySQLdb import _mysql, cursors
from MySQLdb.converters import PLAIN, conversions
from pymysql.charset import charset_by_name
from pymysql.constants import CLIENT, CR

# In the order of _mysql.c's positional parameters.
_POSITIONAL = ("host", "user", "password", "database", "port", "unix_socket", "conv")
_RENAMED = {"db": "database", "passwd": "password"}
# What libmysqlclient does and has no counterpart here: compression, named pipes, encodings of logs.
_WITHOUT_EFFECT = ("compress", "named_pipe", "auth_plugin", "server_public_key_path")
_SSL_OPTIONS = {"ca": "ssl_ca", "cert": "ssl_cert", "key": "ssl_key"}
_VERIFIED = {"VERIFY_CA", "VERIFY_IDENTITY"}
_NO_CHARSET = 2019  # CR_CANT_READ_CHARSET, which PyMySQL does not list


_Base: Any = pymysql.connections.Connection


def translate(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return mysqlclient's parameters as PyMySQL takes them; translated ones stay as they are."""
    given = {**dict(zip(_POSITIONAL, args, strict=False)), **kwargs}
    found = {_RENAMED.get(name, name): value for name, value in given.items()}
    for name in _WITHOUT_EFFECT:
        found.pop(name, None)
    found["conv"] = {**PLAIN, **_plain_converters(found.get("conv", conversions))}
    if found.pop("multi_statements", True):
        found["client_flag"] = found.get("client_flag", 0) | CLIENT.MULTI_STATEMENTS
    _translate_tls(found)
    if "port" in found:
        found["port"] = int(found["port"] or 0)
    return {n: value for n, value in found.items() if value is not None or n == "autocommit"}


def check_charset(name: str) -> None:
    """Raise OperationalError for a character set that the client does not know."""
    if charset_by_name(name) is None:
        raise errors.OperationalError(
            _NO_CHARSET, f"Can't initialize character set {name} (path: compiled_in)"
        )


def _plain_converters(conv: Any) -> dict[Any, Any]:
    """Return converters without mysqlclient's lists of (flag, function): the last one counts."""
    return {
        key: value[-1][1] if isinstance(value, list | tuple) and value else value
        for key, value in conv.items()
    }


def _translate_tls(found: dict[str, Any]) -> None:
    mode = str(found.pop("ssl_mode", "") or "").upper()
    options = found.pop("ssl", None)
    if isinstance(options, dict):
        found.update({_SSL_OPTIONS[n]: v for n, v in options.items() if n in _SSL_OPTIONS})
        options = {} if not any(name in options for name in _SSL_OPTIONS) else None
    if options is not None and mode != "DISABLED":
        found["ssl"] = options
    if mode == "DISABLED":
        found["ssl_disabled"] = True
    elif mode in _VERIFIED:
        found["ssl_verify_cert"] = True
        found["ssl_verify_identity"] = mode == "VERIFY_IDENTITY"


def _to_text(literal: Any, encoding: str) -> str:
    return literal.decode(encoding) if isinstance(literal, bytes) else str(literal)


class Connection(_Base):  # type: ignore[misc]
    """A connection to a MySQL or MariaDB server."""

    default_cursor = cursors.Cursor
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        wanted = translate(args, kwargs)
        wanted.setdefault("cursorclass", self.default_cursor)
        if "charset" in wanted:
            check_charset(wanted["charset"])
        self.messages: list[Any] = []
        self._last_id = 0
        self._binary_prefix = wanted["binary_prefix"] = bool(wanted.get("binary_prefix"))
        super().__init__(**wanted)

    @property
    def converter(self) -> dict[Any, Any]:
        """The conversions in use, of both directions."""
        return {**self.encoders, **self.decoders}

    @property
    def open(self) -> int:
        """1 while the connection stands, then 0."""
        return int(self._sock is not None)

    def warning_count(self) -> int:
        """Return how many warnings the last statement left."""
        return int(getattr(self._result, "warning_count", 0) or 0)

    def literal(self, o: Any) -> bytes:
        """Return a value as a literal; the items of a tuple or list in parentheses."""
        if isinstance(o, str):
            return self.string_literal(o)
        if isinstance(o, bytes | bytearray):
            prefix = b"_binary" if self._binary_prefix else b""
            return prefix + self.string_literal(o)
        if isinstance(o, tuple | list):
            return b"(" + b",".join(map(self.literal, o)) + b")"
        literal = self.escape(o, self.encoders)
        return literal if isinstance(literal, bytes) else str(literal).encode(self.encoding)

    def escape(self, obj: Any, mapping: Any = None) -> Any:
        """Return a value as a literal by the conversions given; as text for PyMySQL's own use."""
        if mapping is None:
            if isinstance(obj, bytes | bytearray):
                return super().escape(obj)
            mapping = {**conversions, **self.encoders}
            return _to_text(self.escape(obj, mapping), self.encoding)
        encoder = mapping.get(type(obj))
        return self.string_literal(obj) if encoder is None else encoder(obj, mapping)

    def string_literal(self, obj: object) -> bytes:
        """Return a value's text as a quoted literal; bytes as they are."""
        return b"'" + self.escape_string(obj if isinstance(obj, str | bytes) else str(obj)) + b"'"

    def escape_string(self, s: str | bytes) -> bytes:
        """Return text with special characters escaped, without quotes."""
        content = s if isinstance(s, bytes) else s.encode(self.encoding)
        # Only ASCII characters are escaped, so bytes can pass as Latin-1.
        return self._escape_string(content.decode("latin-1")).encode("latin-1")

    def insert_id(self) -> int:
        """Return the number that the last statement without rows gave a new row, 0 for none."""
        return self._last_id

    def query(self, query: Any, unbuffered: bool = False) -> None:
        """Send a statement; its result is what store_result() returns."""
        super().query(query, unbuffered)

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        try:
            count = super()._read_query_result(unbuffered)
        except ValueError:  # a value that cannot be decoded: the rows behind it are still to come
            while not self._read_packet().is_eof_packet():
                pass
            raise
        if self._result.insert_id is not None:
            self._last_id = int(self._result.insert_id)
        return count

    def _read_ok_packet(self) -> Any:
        answer = super()._read_ok_packet()
        self._last_id = int(answer.insert_id or 0)
        return answer

    def error(self) -> str:
        """Return the text of the last error: none, for errors are raised."""
        return ""

    def errno(self) -> int:
        """Return the number of the last error: none, for errors are raised."""
        return 0

    def get_host_info(self) -> str:
        """Return where the server is and how it is reached."""
        return "Localhost via UNIX socket" if self.unix_socket else f"{self.host} via TCP/IP"

    def set_character_set(self, charset: str, collation: str | None = None) -> None:
        """Speak another character set; raises OperationalError for one that is unknown."""
        check_charset(charset)
        super().set_character_set(charset, collation)

    def close(self) -> None:
        """End the connection; raises OperationalError when it was ended before."""
        self._check_open()
        super().close()

    def ping(self, reconnect: bool = False) -> None:
        """Ask the server for a sign of life; `reconnect` connects anew when it gives none."""
        if not reconnect:
            self._check_open()
        super().ping(reconnect)

    def _check_open(self) -> None:
        if self._sock is None:
            raise errors.OperationalError(CR.CR_SERVER_GONE_ERROR, "")

    def _execute_command(self, command: int, sql: Any) -> None:
        self._check_open()
        super()._execute_command(command, sql)

    def store_result(self) -> Any:
        """Return the rows of the last query(), None when it gave none."""
        result = self._result
        return _mysql.Result(result) if result is not None and result.description else None

    use_result = store_result

    def info(self) -> str | None:
        """Return what the server said of the last statement, None for nothing."""
        message = getattr(self._result, "message", None)
        if not isinstance(message, bytes):
            return message or None
        if message[:1] == bytes([len(message) - 1 & 0xFF]):
            message = message[1:]  # its length, which PyMySQL leaves in
        return message.decode(self.encoding) or None

    def stat(self) -> str:
        """Return the server's line of statistics."""
        with self.cursor(cursors.Cursor) as cursor:
            cursor.execute("SHOW STATUS LIKE 'Uptime'")
            return f"Uptime: {cursor.fetchone()[1]}"

    def field_count(self) -> int:
        """Return how many columns the last statement gave."""
        return len(getattr(self._result, "description", None) or ())

    def sqlstate(self) -> str:
        """Return the SQLSTATE of the last statement that went well."""
        return "00000"

    def get_proto_info(self) -> int:
        """Return the version of the wire protocol."""
        return int(self.protocol_version)

    def next_result(self, unbuffered: bool = False) -> int:
        """Go to the next result of a statement with several; 0 when there is one, else -1."""
        if not (self._result and self._result.has_next):
            return -1
        super().next_result(unbuffered)
        return 0

    def discard_result(self) -> None:
        """Forget what is left of the last statement's results."""
        while self.next_result() == 0:
            continue

    def change_user(self, user: str, password: str, database: str | None = None) -> None:
        """Become another user, by connecting anew."""
        self.user, self.password = user.encode(), password.encode()
        self.db: Any = database.encode() if database else self.db
        self._force_close()
        self.connect()

    def get_server_version(self) -> tuple[int, ...]:
        """Return the server's version as numbers."""
        return tuple(int(part) for part in re.findall(r"\d+", self.get_server_info())[:3])
