"""json and jsonb for psycopg2: the Json wrapper, and the typecasters that parse their text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ._adapting import ISQLQuote, QuotedString
from ._casting import new_array_type, new_type, register_type
from ._errors import ProgrammingError
from ._scope import find_scope

JSON_OID, JSONARRAY_OID = 114, 199
JSONB_OID, JSONBARRAY_OID = 3802, 3807


class Json:
    """A value that is written as its JSON text; `dumps` may be overridden or given."""

    def __init__(self, adapted: Any, dumps: Callable[[Any], str] | None = None) -> None:
        self.adapted = adapted
        self._conn: Any = None
        self._dumps = dumps or json.dumps

    def __conform__(self, proto: Any) -> Any:
        return self if proto is ISQLQuote else None

    def dumps(self, obj: Any) -> str:
        """Return a value as JSON text."""
        return self._dumps(obj)

    def prepare(self, conn: Any) -> None:
        """Take the connection the text is quoted for."""
        self._conn = conn

    def getquoted(self) -> bytes:
        """Return the SQL literal."""
        quoted = QuotedString(self.dumps(self.adapted))
        if self._conn is not None:
            quoted.prepare(self._conn)
        else:
            quoted.encoding = "utf-8"
        return quoted.getquoted()

    def __str__(self) -> str:
        return self.getquoted().decode()


def register_json(
    conn_or_curs: Any = None,
    globally: bool = False,
    loads: Callable[[str], Any] | None = None,
    oid: int | None = None,
    array_oid: int | None = None,
    name: str = "json",
) -> tuple[Any, Any]:
    """Make and register the typecasters of a JSON type; its OIDs are looked up unless given."""
    if oid is None:
        oid, array_oid = _get_json_oids(conn_or_curs, name)
    made, array = _make_casters(oid, array_oid, loads, name.upper())
    scope = None if globally else conn_or_curs
    register_type(made, scope)
    if array is not None:
        register_type(array, scope)
    return made, array


def register_default_json(
    conn_or_curs: Any = None, globally: bool = False, loads: Callable[[str], Any] | None = None
) -> tuple[Any, Any]:
    """Register the typecasters of json."""
    return register_json(conn_or_curs, globally, loads, JSON_OID, JSONARRAY_OID)


def register_default_jsonb(
    conn_or_curs: Any = None, globally: bool = False, loads: Callable[[str], Any] | None = None
) -> tuple[Any, Any]:
    """Register the typecasters of jsonb."""
    return register_json(conn_or_curs, globally, loads, JSONB_OID, JSONBARRAY_OID, "jsonb")


def _make_casters(
    oid: int, array_oid: int | None, loads: Callable[[str], Any] | None, name: str
) -> tuple[Any, Any]:
    read = loads or json.loads

    def cast(value: Any, _cursor: Any) -> Any:
        return None if value is None else read(value)

    made = new_type((oid,), name, cast)
    array = None if array_oid is None else new_array_type((array_oid,), f"{name}ARRAY", made)
    return made, array


def _get_json_oids(conn_or_curs: Any, name: str = "json") -> tuple[int, int]:
    scope = find_scope(conn_or_curs)
    rows = scope.query("SELECT t.oid, typarray FROM pg_type t WHERE t.typname = %s", (name,))
    if not rows:
        raise ProgrammingError(f"{name} data type not found")
    return int(rows[0][0]), int(rows[0][1])
