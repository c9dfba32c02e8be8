"""What the servers' own drivers say a value is, in the form that the target should hold it in.

Nothing here knows edgelift's code: types are asked from the servers' catalogues, values printed by
the servers or decoded by the drivers, forms written down once more.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import psycopg
import pymysql
from psycopg.types import TypeInfo
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.hstore import register_hstore
from psycopg.types.string import TextLoader

Maker = tuple[str, str, str]  # a column's name, type, cast
Rows = list[tuple[Any, ...]]
Found = dict[tuple[str, str], tuple[list[str], Rows]]
Casts = Mapping[tuple[str, str], str]  # (table, column) -> form
_NUMBERS = frozenset({"numeric", "decimal", "money", "float", "double", "float4", "float8"})
_INTEGERS = frozenset({"int2", "int4", "int8", "oid", "xid", "cid", "year", "tinyint", "smallint",
                       "mediumint", "int", "bigint"})  # fmt: skip
_MOMENTS = frozenset({"timestamp", "timestamptz", "datetime", "time", "timetz", "date"})


def pad(text: str) -> str:
    """Return a time with six digits of its second and minutes in its zone."""
    found = re.fullmatch(r"(.*?\d\d:\d\d:\d\d)(\.\d+)?([+-]\d\d(?::\d\d)*)?( BC)?", text)
    if found is None:
        return text
    head, fraction, zone, era = found.groups(default="")
    zone = f"{zone}:00" if re.fullmatch(r"[+-]\d\d", zone) else zone
    return f"{head}{fraction or '.':0<7}{zone}{era}"


def to_expected(kind: str, cast: str, text: str | None) -> Any:
    """Return a value of the origin, given as its server prints it, as the target should have it."""
    if text is None:
        return None
    if kind in _MOMENTS:
        shown = pad(re.sub(r"\+00(?= BC|$)", "", text) if kind == "timestamptz" else text)
        odd = is_odd_moment(kind, shown)
        return None if odd and cast == "null" else shown
    if kind in _NUMBERS:
        return to_number(kind, cast, re.sub(r"[$,]", "", text))
    if kind in _INTEGERS and cast != "text":
        return int(text)
    return int(text in {"t", "true"}) if kind == "bool" else text


def to_number(kind: str, cast: str, text: str) -> Any:
    """Return a decimal or a float as its column should hold it."""
    exact = kind in {"numeric", "decimal", "money"}
    if cast == "text":
        return text
    if text == "NaN" or (exact and "Infinity" in text):
        return None
    return Decimal(text) if exact else float(text)


def is_odd_moment(kind: str, shown: str) -> bool:
    """Return whether a moment is one that no column of dates holds here."""
    if kind in {"time", "timetz"}:
        return not "00:00:00" <= shown[:8] <= "23:59:59"
    try:
        dt.date.fromisoformat(shown[:10])
    except ValueError:
        return True
    return "BC" in shown or shown[10:11] not in {"", " "}


def is_same(expected: Any, found: Any) -> bool:
    """Compare by value and kind; decimals by all their digits."""
    if isinstance(expected, Decimal):
        return isinstance(found, int | float) and Decimal(repr(found)) == expected
    if isinstance(expected, list | dict):
        return json.loads(found) == expected
    if isinstance(expected, float):
        return isinstance(found, int | float) and float(found) == expected
    return type(expected) is type(found) and expected == found


# --- PostgreSQL
_TABLES = """
SELECT n.nspname, c.relname, array_agg(ARRAY[a.attname,
    CASE b.typtype WHEN 'e' THEN 'text' WHEN 'c' THEN 'composite' ELSE
    CASE WHEN b.typname !~ 'vector$' AND b.typcategory = 'A' AND b.typelem <> 0 THEN 'array' ELSE b.typname END END]::text[] ORDER BY a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
CROSS JOIN LATERAL (WITH RECURSIVE d AS (SELECT t.* FROM pg_type t WHERE t.oid = a.atttypid
    UNION ALL SELECT t.* FROM pg_type t JOIN d ON t.oid = d.typbasetype)
    SELECT * FROM d WHERE typtype <> 'd') b
WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND c.relispopulated
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
GROUP BY n.nspname, c.relname
"""
_SESSION = "SET timezone = 'UTC'; SET intervalstyle = 'iso_8601'; SET datestyle = 'ISO'"
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - intervals have no zone
# What a printed value does not show: the driver's own objects are taken instead.
_NATIVE: dict[str, Callable[[Any], Any]] = {
    "bytea": bytes,
    "interval": lambda v: f"{EPOCH + dt.timedelta(seconds=1) * float(v):%Y-%m-%d %H:%M:%S.%f}",
    "hstore": dict,
    "oidvector": lambda v: v.split(),
    "int2vector": lambda v: [int(word) for word in v.split()],
}
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)\+00")


def to_json(value: Any) -> Any:
    """Return a driver's object as JSON has it."""
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if hasattr(value, "_asdict"):
        return {name.replace("_", " "): to_json(v) for name, v in value._asdict().items()}
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return _STAMP.sub(r"\1T\2+00:00", value) if isinstance(value, str) else value


_NATIVE |= {"array": to_json, "composite": to_json}


def read_postgres(url: str, casts: Casts) -> Found:
    """Return columns and expected rows of every table by (schema, table)."""
    found = {}
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(_SESSION)
        for name in ("date", "timestamptz"):  # psycopg has no infinite ones
            db.adapters.register_loader(name, TextLoader)
        for name in ("mood", "address", "hstore"):
            _register(db, name)
        for schema, table, columns in db.execute(_TABLES).fetchall():
            makers = [(name, kind, casts.get((table, name), "")) for name, kind in columns]
            place = ".".join(map(quote, (schema, table)))
            rows = db.execute(f"SELECT {', '.join(map(_read, makers))} FROM ONLY {place}")
            if not rows.rowcount:  # partitioned: its rows lie elsewhere
                rows = db.execute(f"SELECT {', '.join(map(_read, makers))} FROM {place}")
            values = [tuple(map(_to_value, makers, row)) for row in rows.fetchall()]
            found[schema, table] = ([name for name, _ in columns], values)
    return found


def _register(db: psycopg.Connection[Any], name: str) -> None:
    if name == "address":
        info = CompositeInfo.fetch(db, name)
        if info is not None:
            register_composite(info, db)
        return
    found = TypeInfo.fetch(db, name)
    if found is not None and name == "hstore":
        register_hstore(found, db)
    elif found is not None:
        found.register(db)


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _read(maker: Maker) -> str:
    name, kind, cast = maker
    own = quote(name)
    if kind in _NATIVE and not cast:
        return f"extract(epoch FROM {own})" if kind == "interval" else own
    return f"CASE WHEN {own} IS NOT NULL THEN format('%s', {own}) END"  # as the server prints it


def _to_value(maker: Maker, value: Any) -> Any:
    _, kind, cast = maker
    if kind in _NATIVE and not cast:
        return None if value is None else _NATIVE[kind](value)
    return to_expected(kind, cast, value)


# --- MariaDB
_SHAPES = frozenset({"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring",
                     "multipolygon", "geometrycollection"})  # fmt: skip
_BLOBS = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
_COLUMNS = """
SELECT c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, c.COLUMN_TYPE FROM information_schema.COLUMNS c
JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME)
WHERE c.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION
"""


def read_mariadb(port: int, database: str, casts: Casts) -> Found:
    """Return columns and expected rows of every table by ("", table)."""
    tables: dict[str, list[Maker]] = {}
    found: Found = {}
    with (
        pymysql.connect(
            host="127.0.0.1", port=port, user="root", database=database, charset="utf8mb4",
            init_command="SET time_zone = '+00:00', sql_mode = ''", conv={}, autocommit=None,
        ) as db,
        db.cursor() as cursor,
    ):  # fmt: skip
        cursor.execute(_COLUMNS)
        for table, name, kind, written in cursor.fetchall():
            own = "fraction" if kind == "float" and "(" not in written else kind
            tables.setdefault(table, []).append((name, own, casts.get((table, name), "")))
        for table, makers in tables.items():
            cursor.execute(f"SELECT {', '.join(map(_read_mariadb, makers))} FROM {tick(table)}")
            rows = [tuple(map(_to_value_mariadb, makers, row)) for row in cursor.fetchall()]
            found["", table] = ([name for name, _, _ in makers], rows)
    return found


def tick(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _read_mariadb(maker: Maker) -> str:
    name, kind, cast = maker
    own = tick(name)
    if kind in _SHAPES:
        return {"": f"ST_AsWKB({own})", "text": f"ST_AsText({own})"}.get(
            cast, f"CAST({own} AS BINARY)"
        )
    return f"CAST({own} AS DOUBLE)" if kind == "fraction" else own


def _to_value_mariadb(maker: Maker, value: Any) -> Any:
    _, kind, cast = maker
    if value is None:
        return None
    if kind in _BLOBS or (kind in _SHAPES and cast != "text"):
        return value
    if kind == "bit":
        number = int.from_bytes(value, "big")
        return f"{number:0{8 * len(value)}b}" if cast == "text" else number
    return _to_text_mariadb(kind, cast, value.decode() if isinstance(value, bytes) else str(value))


def _to_text_mariadb(kind: str, cast: str, text: str) -> Any:
    if kind == "fraction":
        return float(text)
    if kind in {"datetime", "timestamp"} and cast == "text" and is_odd_moment(kind, text):
        return text  # what is no day keeps its letters
    if kind == "bigint" and cast == "null":
        return int(text) if int(text) < 2**63 else None
    return to_expected(kind, cast, text)
