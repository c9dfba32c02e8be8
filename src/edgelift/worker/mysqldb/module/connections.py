"""The connection: PyMySQL's with mysqlclient's parameters, names and small differences."""

from __future__ import annotations

import re
from typing import Any

import pymysql.connections
from MySQLdb import _exceptions as errors
from MySQLdb import _mysql, cursors
from pymysql.constants import CLIENT

# In the order of _mysql.c's positional parameters.
_POSITIONAL = ("host", "user", "password", "database", "port", "unix_socket", "conv")
_RENAMED = {"db": "database", "passwd": "password"}
# What libmysqlclient does and has no counterpart here: compression, named pipes, encodings of logs.
_WITHOUT_EFFECT = ("compress", "named_pipe", "auth_plugin", "server_public_key_path")
_SSL_OPTIONS = {"ca": "ssl_ca", "cert": "ssl_cert", "key": "ssl_key"}
_VERIFIED = {"VERIFY_CA", "VERIFY_IDENTITY"}


_Base: Any = pymysql.connections.Connection


def translate(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return mysqlclient's parameters as PyMySQL takes them; translated ones stay as they are."""
    given = {**dict(zip(_POSITIONAL, args, strict=False)), **kwargs}
    found = {_RENAMED.get(name, name): value for name, value in given.items()}
    for name in _WITHOUT_EFFECT:
        found.pop(name, None)
    if "conv" in found:
        found["conv"] = _plain_converters(found["conv"])
    if found.pop("multi_statements", True):
        found["client_flag"] = found.get("client_flag", 0) | CLIENT.MULTI_STATEMENTS
    _translate_tls(found)
    if "port" in found:
        found["port"] = int(found["port"] or 0)
    return {name: value for name, value in found.items() if value is not None}


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
        self.messages: list[Any] = []
        super().__init__(**wanted)

    @property
    def converter(self) -> dict[Any, Any]:
        """The conversions in use, of both directions."""
        return {**self.encoders, **self.decoders}

    @property
    def warning_count(self) -> int:
        """How many warnings the last statement left."""
        return int(getattr(self._result, "warning_count", 0) or 0)

    def literal(self, o: Any) -> bytes:
        """Return a value as a literal."""
        text = self.escape(o, self.encoders)
        return text.encode(self.encoding, "surrogateescape")

    def string_literal(self, obj: object) -> bytes:
        """Return a value's text as a quoted literal."""
        return _mysql.string_literal(obj)

    def escape_string(self, s: str | bytes) -> bytes:
        """Return text with special characters escaped, without quotes."""
        text = s.decode(self.encoding) if isinstance(s, bytes) else s
        return self._escape_string(text).encode(self.encoding, "surrogateescape")

    def store_result(self) -> Any:
        """Return the rows of the last query(), None when it gave none."""
        result = self._result
        return _mysql.Result(result) if result is not None and result.description else None

    use_result = store_result

    def info(self) -> str | None:
        """Return what the server said of the last statement, None for nothing."""
        message = getattr(self._result, "message", None)
        text = message.decode(self.encoding) if isinstance(message, bytes) else message
        return text or None

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
