"""uuid and inet for psycopg2, and the wait callback of its documentation."""

from __future__ import annotations

import select
import uuid
from typing import Any

from . import _casting as casting
from ._adapting import ISQLQuote, adapt, register_adapter
from ._asynchronous import POLL_OK, POLL_READ

_UUID, _UUID_ARRAY = 2950, 2951
_INET, _INET_ARRAY = 869, 1041


class UUID_adapter:
    """Writes a uuid.UUID."""

    def __init__(self, uuid: uuid.UUID) -> None:
        self._uuid = uuid

    def __conform__(self, proto: Any) -> Any:
        return self if proto is ISQLQuote else None

    def getquoted(self) -> bytes:
        """Return the SQL literal."""
        return f"'{self._uuid}'::uuid".encode()

    def __str__(self) -> str:
        return f"'{self._uuid}'::uuid"


def _pair(oids: Any, oid: int, array_oid: int) -> tuple[int, int]:
    if not oids:
        return oid, array_oid
    if isinstance(oids, list | tuple):
        return oids[0], oids[1]
    return oids, array_oid


def register_uuid(oids: Any = None, conn_or_curs: Any = None) -> Any:
    """Read uuid as uuid.UUID, and write those; returns the typecaster."""
    oid, array_oid = _pair(oids, _UUID, _UUID_ARRAY)
    made = casting.new_type((oid,), "UUID", lambda text, _cursor: text and uuid.UUID(text))
    casting.register_type(made, conn_or_curs)
    array = casting.new_array_type((array_oid,), "UUID[]", made)
    casting.register_type(array, conn_or_curs)
    register_adapter(uuid.UUID, UUID_adapter)
    return made


class Inet:
    """An address that is written as inet."""

    def __init__(self, addr: Any) -> None:
        self.addr = addr
        self._conn: Any = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.addr!r})"

    def prepare(self, conn: Any) -> None:
        """Take the connection the text is quoted for."""
        self._conn = conn

    def getquoted(self) -> bytes:
        """Return the SQL literal."""
        quoted = adapt(self.addr)
        if hasattr(quoted, "prepare"):
            quoted.prepare(self._conn)
        return bytes(quoted.getquoted()) + b"::inet"

    def __conform__(self, proto: Any) -> Any:
        return self if proto is ISQLQuote else None

    def __str__(self) -> str:
        return str(self.addr)


def register_inet(oid: Any = None, conn_or_curs: Any = None) -> Any:
    """Read inet as Inet; returns the typecaster."""
    oid, array_oid = _pair(oid, _INET, _INET_ARRAY)
    made = casting.new_type((oid,), "INET", lambda text, _cursor: Inet(text) if text else None)
    casting.register_type(made, conn_or_curs)
    array = casting.new_array_type((array_oid,), "INETARRAY", made)
    casting.register_type(array, conn_or_curs)
    return made


def wait_select(conn: Any) -> None:
    """Wait until an asynchronous connection's statement has ended."""
    while (state := conn.poll()) != POLL_OK:
        waiting = [conn.fileno()]
        select.select(*((waiting, [], []) if state == POLL_READ else ([], waiting, [])))
