"""Composite types for psycopg2: rows of a type become named tuples."""

from __future__ import annotations

import re
from collections import namedtuple
from typing import Any

from ._casting import new_array_type, new_type, register_type
from ._errors import DataError, ProgrammingError
from ._scope import find_scope, split_name

_TOKEN = re.compile(r'[(,](?:"((?:[^"\\]|""|\\.)*)"|([^,)"]*))', re.DOTALL)
_DOUBLED = re.compile(r'(["\\])\1')


class CompositeCaster:
    """The typecaster of a composite type; override `make` for other objects."""

    def __init__(
        self,
        name: str,
        oid: int,
        attrs: list[tuple[str, int]],
        array_oid: int | None = None,
        schema: str | None = None,
    ) -> None:
        self.name, self.schema, self.oid, self.array_oid = name, schema or "", oid, array_oid
        self.attnames = [attribute[0] for attribute in attrs]
        self.atttypes = [attribute[1] for attribute in attrs]
        self.type: Any = None
        self._create_type(name, self.attnames)
        self.typecaster = new_type((oid,), name, self.parse)
        self.array_typecaster = (
            new_array_type((array_oid,), f"{name}ARRAY", self.typecaster) if array_oid else None
        )

    def _create_type(self, name: str, attnames: list[str]) -> None:
        names = [re.sub(r"[^A-Za-z0-9_]", "_", text) for text in (name, *attnames)]
        fields = [f"f{text}" if text[:1] == "_" or text[:1].isdigit() else text for text in names]
        self.type = namedtuple(fields[0], fields[1:])  # type: ignore[misc]  # noqa: PYI024

    def parse(self, s: str | None, curs: Any) -> Any:
        """Return the object of a row's text; raises DataError for another number of values."""
        if s is None:
            return None
        tokens = self.tokenize(s)
        if len(tokens) != len(self.atttypes):
            raise DataError(
                f"expecting {len(self.atttypes)} components for the type {self.name}, "
                f"{len(tokens)} found instead"
            )
        pairs = zip(self.atttypes, tokens, strict=True)
        return self.make([curs.cast(oid, token) for oid, token in pairs])

    def make(self, values: list[Any]) -> Any:
        """Return the object of a row's values."""
        return self.type._make(values)

    @classmethod
    def tokenize(cls, s: str) -> list[str | None]:
        """Return the texts of a row's values, None for NULL."""
        found: list[str | None] = []
        for match in _TOKEN.finditer(s):
            if match[1] is not None:
                found.append(_DOUBLED.sub(r"\1", match[1]))
            else:
                found.append(match[2] or None)
        return found

    @classmethod
    def _from_db(cls, name: str, conn_or_curs: Any) -> CompositeCaster:
        schema, plain = split_name(name)
        rows = find_scope(conn_or_curs).query(
            """SELECT t.oid, t.typarray, a.attname, a.atttypid, n.nspname
            FROM pg_type t JOIN pg_namespace n ON typnamespace = n.oid
            JOIN pg_attribute a ON attrelid = typrelid
            WHERE t.typname = %s AND a.attnum > 0 AND NOT a.attisdropped
              AND (n.nspname = %s OR (%s = '' AND (pg_type_is_visible(t.oid)
                   OR n.nspname = 'public')))
            ORDER BY pg_type_is_visible(t.oid) DESC, n.nspname, attnum""",
            (plain, schema, schema),
        )
        if not rows:
            raise ProgrammingError(f"PostgreSQL type '{name}' not found")
        first = rows[0]
        attributes = [(row[2], row[3]) for row in rows if row[0] == first[0]]
        return cls(plain, first[0], attributes, array_oid=first[1] or None, schema=first[4])


def register_composite(
    name: str, conn_or_curs: Any, globally: bool = False, factory: Any = None
) -> CompositeCaster:
    """Read a composite type as named tuples; returns its caster."""
    made: CompositeCaster = (factory or CompositeCaster)._from_db(name, conn_or_curs)
    scope = None if globally else conn_or_curs
    register_type(made.typecaster, scope)
    if made.array_typecaster is not None:
        register_type(made.array_typecaster, scope)
    return made
