"""Questions to the catalogue that leave a connection's transaction as it was."""

from __future__ import annotations

import re
from typing import Any

_QUALIFIED = re.compile(r'(?:("(?:[^"]|"")+"|[^".]+)\.)?("(?:[^"]|"")+"|[^".]+)')


def split_name(name: str) -> tuple[str, str]:
    """Return the schema, "" for none, and the name of a type; either may be quoted."""
    match = _QUALIFIED.fullmatch(name)
    if match is None:
        schema, _, plain = name.rpartition(".")
        return schema, plain
    return _unquote(match[1] or ""), _unquote(match[2])


def _unquote(text: str) -> str:
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


class Scope:
    """A connection, or a cursor's, on which types are looked up."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def query(self, sql: str, arguments: Any = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query; a transaction it had to open is rolled back."""
        from ._cursor import cursor

        connection = self.connection
        was_idle = connection._session.transaction == b"I"
        with cursor(connection) as run:
            run.execute(sql, arguments)
            rows = run.fetchall()
        if was_idle and not connection.autocommit:
            connection.rollback()
        return rows


def find_scope(conn_or_curs: Any) -> Scope:
    """Return the scope of a connection or cursor; raises TypeError for other objects."""
    connection = getattr(conn_or_curs, "connection", conn_or_curs)
    if not hasattr(connection, "_session"):
        raise TypeError("argument must be a connection or a cursor")
    return Scope(connection)
