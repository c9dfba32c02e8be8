"""MySQL's types as the catalogue spells them, read into OriginType."""

from __future__ import annotations

import re

from edgelift.model.origin_schema import OriginType

# `append_unescaped` in the servers' sources writes members, defaults and comments this way.
_ESCAPES = {"0": "\0", "n": "\n", "r": "\r", "Z": "\x1a", "t": "\t", "b": "\b"}
_LITERAL = re.compile(r"'((?:[^'\\]|\\.|'')*)'", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)|''", re.DOTALL)
_NUMBERS = re.compile(r"^\w+\s*\((\d+)(?:\s*,\s*(\d+))?\)")
SPATIAL = frozenset(
    {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring"}
    | {"multipolygon", "geometrycollection", "geomcollection"}
)
# Types of the server that are no base types of SQL keep their bare name.
_SYNONYMS = {"integer": "int", "numeric": "decimal", "geomcollection": "geometrycollection"}


def read_type(
    name: str, written: str, *, charset: str = "", collation: str = "", srid: int = 0
) -> OriginType:
    """Return the type of a column from DATA_TYPE and COLUMN_TYPE.

    The one argument of a spatial type is its SRID.
    """
    bare = _SYNONYMS.get(name.lower(), name.lower())
    enumerated = bare in {"enum", "set"}
    return OriginType(
        name=bare,
        written=written,
        kind="enum" if bare == "enum" else "base",
        arguments=(srid,) if bare in SPATIAL else () if enumerated else _read_arguments(written),
        members=read_members(written) if enumerated else (),
        unsigned="unsigned" in written.lower().split() and not enumerated,
        charset=charset,
        collation=collation,
    )


def read_members(written: str) -> tuple[str, ...]:
    """Return the labels of `enum('a','b''c')` or `set(...)`."""
    return tuple(unquote(found.group()) for found in _LITERAL.finditer(written))


def unquote(literal: str) -> str:
    """Return the text of a quoted literal as the server prints it."""
    return _ESCAPED.sub(_unescape, literal[1:-1])


def quote(text: str) -> str:
    """Return a text as a literal in the dialect's default mode."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _unescape(found: re.Match[str]) -> str:
    escaped = found.group(1)
    return "'" if escaped is None else _ESCAPES.get(escaped, escaped)


def _read_arguments(written: str) -> tuple[int, ...]:
    found = _NUMBERS.match(written)
    return tuple(int(part) for part in found.groups() if part is not None) if found else ()
