"""hstore for psycopg2: dictionaries of text in and out."""

from __future__ import annotations

import re
from typing import Any

from ._adapting import ISQLQuote, adapt, register_adapter
from ._casting import new_array_type, new_type, register_type
from ._errors import InterfaceError, ProgrammingError
from ._scope import find_scope

_PAIR = re.compile(
    r'"((?:[^"\\]|\\.)*)"\s*=>\s*(?:NULL|"((?:[^"\\]|\\.)*)")(?:\s*,\s*|$)', re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class HstoreAdapter:
    """Writes a dict as hstore."""

    def __init__(self, wrapped: Any) -> None:
        self.wrapped = wrapped
        self.conn: Any = None

    def __conform__(self, proto: Any) -> Any:
        return self if proto is ISQLQuote else None

    def prepare(self, conn: Any) -> None:
        """Take the connection the texts are quoted for."""
        self.conn = conn

    def getquoted(self) -> bytes:
        """Return the SQL literal, which calls hstore with two arrays."""
        if not self.wrapped:
            return b"''::hstore"
        keys, values = adapt(list(self.wrapped.keys())), adapt(list(self.wrapped.values()))
        for part in (keys, values):
            part.prepare(self.conn)
        return b"hstore(" + keys.getquoted() + b", " + values.getquoted() + b")"

    @classmethod
    def parse(cls, s: str | None, cur: Any = None, _bsdec: Any = None) -> dict[str, Any] | None:
        """Return the dict of an hstore's text; raises InterfaceError for a malformed one."""
        if s is None:
            return None
        found: dict[str, Any] = {}
        position = 0
        for match in _PAIR.finditer(s):
            if match.start() != position:
                raise InterfaceError(f"error parsing hstore pair at char {position}")
            key = _ESCAPED.sub(r"\1", match[1])
            found[key] = None if match[2] is None else _ESCAPED.sub(r"\1", match[2])
            position = match.end()
        if position < len(s):
            raise InterfaceError(f"error parsing hstore: unparsed data after char {position}")
        return found

    @classmethod
    def get_oids(cls, conn_or_curs: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the OIDs of hstore and of its array, one for each schema that has it."""
        rows = find_scope(conn_or_curs).query(
            """SELECT t.oid, typarray FROM pg_type t JOIN pg_namespace ns ON typnamespace = ns.oid
            WHERE typname = 'hstore'"""
        )
        return tuple(row[0] for row in rows), tuple(row[1] for row in rows)


def register_hstore(
    conn_or_curs: Any,
    globally: bool = False,
    unicode: bool = False,
    oid: Any = None,
    array_oid: Any = None,
) -> None:
    """Read hstore as dict, and write dicts as hstore; raises ProgrammingError without it."""
    if oid is None:
        found, arrays = HstoreAdapter.get_oids(conn_or_curs)
        if not found:
            raise ProgrammingError(
                "hstore type not found in the database. "
                "please install it from your 'contrib/hstore.sql' file"
            )
        oid, array_oid = found, arrays
    if isinstance(oid, int):
        oid = (oid,)
    if isinstance(array_oid, int):
        array_oid = (array_oid,)
    scope = None if globally else conn_or_curs
    made = new_type(oid, "HSTORE", HstoreAdapter.parse)
    register_type(made, scope)
    register_adapter(dict, HstoreAdapter)
    arrays = tuple(a for a in array_oid or () if a)
    if arrays:
        register_type(new_array_type(arrays, "HSTOREARRAY", made), scope)
