"""Looks types up in the catalogue for asyncpg's codecs."""

from __future__ import annotations

import json
from collections.abc import Iterable

from .codecs import Description

_KINDS = {"b": "scalar", "c": "composite", "d": "domain", "e": "enum", "r": "range", "p": "scalar"}

_COLUMNS = """
SELECT t.oid::int8, t.typname, n.nspname, t.typtype::text, t.typelem::int8, t.typbasetype::int8,
  t.typinput = 'array_in'::regproc, coalesce(r.rngsubtype, 0)::int8,
  (SELECT json_agg(json_build_array(a.attname, a.atttypid::int8) ORDER BY a.attnum)
     FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)::text,
  coalesce(e.typname, ''), coalesce(e.typdelim, ',')::text, {multirange}
FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
  LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
"""
_MULTIRANGE = (
    "coalesce((SELECT m.rngtypid FROM pg_catalog.pg_range m WHERE m.rngmultitypid = t.oid), 0)"
)


def build_query(where: str, server_version: int) -> str:
    """Return the query for types that fulfil a condition."""
    multirange = _MULTIRANGE if server_version >= 14 else "0"
    return f"{_COLUMNS.format(multirange=f'{multirange}::int8')} WHERE {where}"


def build_oid_query(oids: Iterable[int], server_version: int) -> str:
    """Return the query for types of some OIDs."""
    listed = ", ".join(str(int(oid)) for oid in sorted(oids))
    return build_query(f"t.oid IN ({listed})", server_version)


def read_description(values: list[bytes | None]) -> Description:
    """Return the description of a type from a row of the query."""
    texts = [None if value is None else value.decode() for value in values]
    oid, name, schema, kind, element, base, is_array, subtype = (text or "" for text in texts[:8])
    attributes = [(n, int(o)) for n, o in json.loads(texts[8] or "[]")]
    of_range = int(texts[11] or 0)
    found = Description(int(oid), name, schema, _KINDS.get(kind, "scalar"), attributes=attributes)
    if is_array == "t" and element != "0":
        found.kind, found.element = "array", int(element)
        found.name, found.delimiter = f"{texts[9]}[]", texts[10] or ","
    elif of_range:
        found.kind, found.element = "multirange", of_range
    elif kind == "r":
        found.element = int(subtype)
    elif kind == "d":
        found.element = int(base)
    return found


def sort_descriptions(found: list[Description]) -> list[Description]:
    """Return descriptions with domains after what they are domains of."""
    by_oid = {description.oid: description for description in found}

    def depth(description: Description) -> int:
        levels = 0
        while description.kind == "domain" and description.element in by_oid:
            description = by_oid[description.element]
            levels += 1
        return levels

    return sorted(found, key=depth)


def list_parts(description: Description) -> list[int]:
    """Return the OIDs of the types that a type consists of."""
    parts = [oid for _, oid in description.attributes]
    return [*parts, description.element] if description.element else parts
