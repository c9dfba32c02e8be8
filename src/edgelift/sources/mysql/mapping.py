"""Choose how each MySQL column travels: what is selected, which op, what the target declares.

The policy is the same for all origins; `[[schema.cast]]` overrides it per column or type. Values
come as the text protocol prints them, in UTF-8 and in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from edgelift.model.origin_schema import OriginColumn, OriginTable, OriginType
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.rows.ops import MYSQL, write_argument
from edgelift.sources.column_way import Way
from edgelift.sources.mysql.connection import ServerVersion, quote_name
from edgelift.sources.mysql.types import SPATIAL
from edgelift.sources.origin_database import Cast, Choices

NO_CAST = "SCHEMA-CAST"  # the rule of a cast that its column's type does not have

INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
BLOBS = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
FLOATS = frozenset({"float", "double"})
# MySQL stores SRID and WKB; the longitude comes first in both, whatever the SRID says.
_SPATIAL_LOSS = "{} becomes WKB{}; SQLite has no spatial functions"
_BIG = 2**63


def map_table(table: OriginTable, choices: Choices, version: ServerVersion) -> RowSpec:
    """Return the way of every column that moves; never raises."""
    return RowSpec(
        schema=table.schema,
        table=table.name,
        target=choices.name_table(table),
        wire=MYSQL,
        fields=tuple(
            _to_field(table, column, choices, version)
            for column in table.columns
            if choices.keeps(table, column.name)
        ),
        key=tuple(map(quote_name, find_key(table))),
    )


def find_key(table: OriginTable) -> tuple[str, ...]:
    """Return the columns that name each row: the primary key, or unique ones without NULLs."""
    if table.primary_key:
        return table.primary_key
    for key in table.keys:
        found = [table.read_column(name) for name in key.columns]
        if all(column is not None and column.not_null for column in found):
            return key.columns
    return ()


def _to_field(
    table: OriginTable, column: OriginColumn, choices: Choices, version: ServerVersion
) -> FieldSpec:
    way = choose_way(column.type, choices, version)
    cast = choices.find_cast(table, column.name, column.type.name)
    if cast is not None:
        way = apply_cast(column.type, way, cast, version)
    name = choices.name_column(table, column.name)
    return way.to_field(column, name, way.expression.replace("{}", quote_name(column.name)))


def choose_way(kind: OriginType, choices: Choices, version: ServerVersion) -> Way:
    """Return the way a type travels by the policy."""
    name = kind.name
    if name in INTEGERS:
        # TINYINT(1) is what BOOLEAN is spelled as; it may still hold other numbers.
        boolean = name == "tinyint" and kind.arguments[:1] == (1,) and not kind.unsigned
        return Way("int", target="BOOLEAN" if boolean else "INTEGER")
    if name in TEXTS:
        return Way("text", target=_declare_text(kind))
    if name in FLOATS:
        return Way("float", target="REAL", expression=_widen(kind, version))
    if name in SPATIAL:
        return _as_wkb(kind)
    return _choose_moment(kind, choices) or _choose_other(kind, choices)


def _declare_text(kind: OriginType) -> str:
    if kind.arguments and kind.name in {"char", "varchar"}:
        return f"{kind.name.upper()}({kind.arguments[0]})"
    return "TEXT"


def _widen(kind: OriginType, version: ServerVersion) -> str:
    """Return what prints all digits of a FLOAT, where the server prints six.

    FLOAT(M,D) and DOUBLE(M,D) are the D decimals that every client reads.
    """
    if kind.name == "double" or kind.arguments:
        return "{}"
    # Both are exact and keep the sign of zero; MySQL has no CAST AS DOUBLE before 8.0.17.
    cast = version.has(mariadb=(10, 0), mysql=(8, 0, 17))
    return "CAST({} AS DOUBLE)" if cast else "({} * 1E0)"


def _as_wkb(kind: OriginType) -> Way:
    srid = kind.arguments[0] if kind.arguments else 0
    note = f" without its SRID {srid}" if srid else ""
    return Way(
        "wkb",
        write_argument(srid=srid),
        "BLOB",
        loss=_SPATIAL_LOSS.format(kind.written, note),
        undo=f"ST_GeomFromWKB(value, {srid})",
    )


def _choose_moment(kind: OriginType, choices: Choices) -> Way | None:
    style = choices.timestamps
    text_style = style if style == "django" else "sqlalchemy"
    if kind.name == "date":
        return Way("date", target="DATE")
    if kind.name == "time":
        return Way("time", write_argument(style=text_style), "TIME")
    if kind.name not in {"timestamp", "datetime"}:
        return None
    utc = "its values are in UTC" if kind.name == "timestamp" else ""
    if style == text_style:
        return Way("timestamp", write_argument(style=style), kind.name.upper(), undo=utc)
    return _as_count(kind, style)


def _as_count(kind: OriginType, style: str) -> Way:
    """Return a moment as a count since 1970; the server knows how fine its fractions are."""
    digits = kind.arguments[0] if kind.arguments else 0
    kept = {"unix": 0, "unix_ms": 3}.get(style, 6)
    floor = {"fraction": "floor"} if digits > kept else {}
    unit = {"unix": "s", "unix_ms": "ms"}.get(style, "us")
    lost = f"{kind.written} has {digits} digits of a second; {kept} of them are kept"
    zone = "" if kind.name == "timestamp" else ", as if it were in UTC"
    return Way(
        "timestamp",
        write_argument(style=style, **floor),
        "INTEGER",
        loss=lost if floor else "",
        undo="" if floor else f"{unit} since 1970{zone}",
    )


def _choose_other(kind: OriginType, choices: Choices) -> Way:
    width = kind.arguments[0] if kind.arguments else 1
    scale = ", ".join(map(str, kind.arguments))
    blob = Way("blob", target="BLOB")
    uuid_target = {"text": "CHAR(36)", "hex": "CHAR(32)", "blob": "BLOB"}[choices.uuid]
    ways: Mapping[str, Way] = {
        "decimal": Way("decimal_real15", target=f"NUMERIC({scale})" if scale else "NUMERIC"),
        "year": Way("int", target="INTEGER"),
        "bit": Way(
            "bit",
            write_argument(style="int", width=width),
            "BOOLEAN" if width == 1 else "INTEGER",
        ),
        "uuid": Way("uuid", write_argument(style=choices.uuid), uuid_target),
        "vector": replace(blob, loss=f"{kind.written} becomes bytes: floats of 4 bytes each"),
        **dict.fromkeys(BLOBS, blob),
    }
    # ENUM, SET, JSON, INET4, INET6 and what a plugin adds: the server prints it as text.
    return ways.get(kind.name, Way("text"))


def apply_cast(kind: OriginType, way: Way, cast: Cast, version: ServerVersion) -> Way:
    """Return the way that a cast asks for, or one with the op `refused`."""
    maker = _CASTS.get(cast.to)
    found = maker(kind, way, cast, version) if maker is not None else None
    if found is not None:
        return found
    return replace(
        way,
        op="refused",
        argument=NO_CAST,
        loss=f"{kind.written} cannot be cast to {cast.to}",
        undo="",
    )


Maker = Callable[[OriginType, Way, Cast, ServerVersion], Way | None]


def _to_text(kind: OriginType, way: Way, _cast: Cast, _version: ServerVersion) -> Way | None:
    name = kind.name
    style = "style=django" if "style=django" in way.argument else "style=sqlalchemy"
    width = kind.arguments[0] if kind.arguments else 1
    ways = {
        "date": Way("date", "zero=text outside=text"),
        "time": Way("time", f"{style} outside=text"),
        "datetime": Way("timestamp", f"{style} zero=text outside=text"),
        "timestamp": Way("timestamp", f"{style} zero=text outside=text", undo="in UTC"),
        "bit": Way("bit", write_argument(style="text", width=width)),
        "uuid": Way("uuid", "style=text", "CHAR(36)"),
        "decimal": Way("decimal_text"),
        "year": Way("int_text"),
        **dict.fromkeys(INTEGERS, Way("int_text")),
        **dict.fromkeys(FLOATS, Way("text", expression=way.expression)),
        **dict.fromkeys(SPATIAL, Way("text", expression="ST_AsText({})", undo=way.undo)),
        # Bytes that are no UTF-8 are refused when they are read.
        **dict.fromkeys(BLOBS, Way("text")),
    }
    return ways.get(name, Way("text"))


def _to_integer(kind: OriginType, way: Way, cast: Cast, version: ServerVersion) -> Way | None:
    if kind.name in INTEGERS | {"year"}:
        return replace(way, target="INTEGER")
    if kind.name == "bit":
        return replace(way, target="INTEGER")
    if kind.name == "time":
        return Way("interval", "style=micros", "INTEGER", undo="microseconds")
    if kind.name == "decimal":
        return Way("decimal_scaled", "scale=0", "INTEGER")
    if kind.name in TEXTS:
        return Way("int", target="INTEGER")
    return _to_unix(kind, way, cast, version)


def _to_real(kind: OriginType, way: Way, _cast: Cast, _version: ServerVersion) -> Way | None:
    if kind.name in FLOATS:
        return way
    if kind.name == "decimal":
        return Way("float", target="REAL", loss="digits beyond the 16th are rounded")
    return Way("float", target="REAL") if kind.name in INTEGERS else None


def _to_numeric(kind: OriginType, _way: Way, _cast: Cast, _version: ServerVersion) -> Way | None:
    if kind.name in FLOATS:
        lost = "digits beyond the six that MySQL prints are dropped" if kind.name == "float" else ""
        return Way("decimal_real15", target="NUMERIC", loss=lost)
    fits = kind.name in INTEGERS | TEXTS | {"decimal"}
    return Way("decimal_real15", target="NUMERIC") if fits else None


def _to_scaled(kind: OriginType, _way: Way, cast: Cast, _version: ServerVersion) -> Way | None:
    if kind.name not in INTEGERS | TEXTS | {"decimal"}:
        return None
    argument = write_argument(scale=cast.scale)
    return Way("decimal_scaled", argument, "INTEGER", undo=f"value / 1e{cast.scale}")


def _to_blob(kind: OriginType, way: Way, _cast: Cast, _version: ServerVersion) -> Way | None:
    if kind.name in BLOBS:
        return way
    if kind.name in SPATIAL:
        return Way("blob", target="BLOB", loss=f"{kind.written} becomes its SRID and WKB")
    if kind.name == "uuid":
        return Way("uuid", "style=blob", "BLOB")
    if kind.name not in TEXTS | {"json"}:
        return None
    # Without the cast the server would turn them into UTF-8.
    bare = f"the bytes are {kind.charset}" if kind.charset else ""
    return Way("blob", target="BLOB", expression="CAST({} AS BINARY)", undo=bare)


def _to_hex(kind: OriginType, _way: Way, _cast: Cast, _version: ServerVersion) -> Way | None:
    if kind.name == "uuid":
        return Way("uuid", "style=hex", "CHAR(32)")
    fits = kind.name in BLOBS | SPATIAL
    return Way("text", expression="LOWER(HEX({}))", undo="UNHEX(value)") if fits else None


def _to_json(kind: OriginType, _way: Way, _cast: Cast, _version: ServerVersion) -> Way | None:
    if kind.name == "set":
        quoted = r"""REPLACE(REPLACE({}, '\\', '\\\\'), '"', '\\"')"""
        inside = f"""REPLACE({quoted}, ',', '","')"""
        return Way("text", expression=f"""IF({{}} = '', '[]', CONCAT('["', {inside}, '"]'))""")
    if kind.name in SPATIAL:
        return Way("text", expression="ST_AsGeoJSON({})", loss="digits may be rounded")
    return Way("text") if kind.name in TEXTS | {"json"} else None


def _to_null(kind: OriginType, way: Way, _cast: Cast, _version: ServerVersion) -> Way | None:
    """Return a way on which what SQLite cannot hold becomes NULL."""
    argument = {"date": "zero=null outside=null", "time": "outside=null"}.get(kind.name, "")
    if kind.name in {"datetime", "timestamp"}:
        argument = "zero=null outside=null"
    if argument:
        joined = f"{way.argument} {argument}".strip()
        lost = "values without a counterpart become NULL"
        return replace(way, argument=joined, may_be_null=True, loss=lost)
    if kind.name == "bigint" and kind.unsigned:
        return Way(
            "int",
            target="INTEGER",
            expression=f"IF({{}} < {_BIG}, {{}}, NULL)",
            loss="numbers from 2^63 on become NULL",
            may_be_null=True,
        )
    return None


def _to_unix(kind: OriginType, _way: Way, cast: Cast, _version: ServerVersion) -> Way | None:
    style = "unix_ms" if cast.to == "unix_ms" else "unix"
    if kind.name == "date":
        return Way("date", write_argument(style=style), "INTEGER", undo="midnight in UTC")
    return _as_count(kind, style) if kind.name in {"datetime", "timestamp"} else None


_CASTS: Mapping[str, Maker] = {
    "text": _to_text,
    "integer": _to_integer,
    "real": _to_real,
    "numeric": _to_numeric,
    "scaled": _to_scaled,
    "blob": _to_blob,
    "hex": _to_hex,
    "json": _to_json,
    "null": _to_null,
    "unix": _to_unix,
    "unix_ms": _to_unix,
}
