"""Choose how each PostgreSQL column travels: what is selected, which op, what the target declares.

The policy is the same for all origins; `[[schema.cast]]` overrides it per column or type. Values
are read in their binary form where an op knows it, else as the server's own text or JSON.
"""

from __future__ import annotations

from dataclasses import replace

from edgelift.model.origin_schema import OriginColumn, OriginTable, OriginType
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.rows.ops import PGCOPY, write_argument
from edgelift.sources.column_way import Way
from edgelift.sources.origin_database import Cast, Choices
from edgelift.sources.postgres.names import quote

NO_CAST = "SCHEMA-CAST"  # the rule of a cast that its column's type does not have
EXACT_DIGITS = 15  # every decimal of so many digits survives a double (IEEE 754, DBL_DIG)

_INTEGERS = frozenset({"int2", "int4", "int8"})
_TEXTS = frozenset({"text", "varchar", "bpchar", "name", "citext"})
_DAYS = frozenset({"date", "timestamp", "timestamptz"})
_JSON_KINDS = frozenset({"array", "composite"})
_IN_WORDS = {
    "xml": "SQLite has no XML functions",
    "tsvector": "SQLite's full text search (FTS5) keeps its own index and ranks differently",
    "tsquery": "SQLite's full text search (FTS5) has another query language",
    "jsonpath": "SQLite has no JSON path values",
    **dict.fromkeys(
        ("point", "line", "lseg", "box", "path", "polygon", "circle"),
        "SQLite has no geometric operators",
    ),
}


def map_table(table: OriginTable, choices: Choices, *, money_scale: int) -> RowSpec:
    """Return the way of every column that moves; never raises.

    `money_scale` is the number of decimal places of the server's lc_monetary.
    """
    return RowSpec(
        schema=table.schema,
        table=table.name,
        target=choices.name_table(table),
        wire=PGCOPY,
        fields=tuple(
            _to_field(table, column, choices, money_scale)
            for column in table.columns
            if choices.keeps(table, column.name)
        ),
        key=tuple(map(quote, find_key(table))),
    )


def find_key(table: OriginTable) -> tuple[str, ...]:
    """Return the columns that name each row: the primary key, or unique ones without NULLs."""
    if table.primary_key:
        return table.primary_key
    indexes = [
        tuple(part.column for part in index.parts)
        for index in table.indexes
        if index.unique and index.method == "btree" and not index.where
    ]
    for columns in [*(key.columns for key in table.keys if not key.deferrable), *indexes]:
        found = [table.read_column(name) for name in columns]
        if all(column is not None and column.not_null for column in found):
            return columns
    return ()


def _to_field(
    table: OriginTable, column: OriginColumn, choices: Choices, money_scale: int
) -> FieldSpec:
    cast = choices.find_cast(table, column.name, column.type.name)
    way = choose_way(column.type, choices, money_scale)
    if cast is not None:
        way = apply_cast(read_base(column.type), way, cast)
    name = choices.name_column(table, column.name)
    return way.to_field(column, name, way.expression.format(quote(column.name)))


def read_base(kind: OriginType) -> OriginType:
    """Return the type under all domains."""
    while kind.kind == "domain" and kind.element is not None:
        kind = kind.element
    return kind


def choose_way(kind: OriginType, choices: Choices, money_scale: int) -> Way:
    """Return the way a type travels by the policy."""
    base = read_base(kind)
    if base.kind in _JSON_KINDS or base.name == "hstore":
        return _as_json(base)
    if base.kind in {"range", "multirange"}:
        return Way(
            "text",
            expression="{}::text",
            loss=f"{base.written} becomes text like [1,5), without the operators of ranges",
            undo=f"value::{base.written}",
        )
    if base.kind == "enum":
        return Way("text")
    return _choose_moment(base, choices) or _choose_other(base, choices, money_scale)


def _declare_text(base: OriginType) -> str:
    if base.arguments and base.name in {"varchar", "bpchar"}:
        return f"{'VARCHAR' if base.name == 'varchar' else 'CHAR'}({base.arguments[0]})"
    return "TEXT"


def _as_json(base: OriginType) -> Way:
    return Way(
        "text",
        expression="to_json({})::text",
        loss=f"{base.written} becomes JSON text, without its operators",
        undo="json_each reads it in SQLite",
    )


def _as_decimal(base: OriginType) -> Way:
    precision = f"({', '.join(map(str, base.arguments))})" if base.arguments else ""
    return Way("decimal_real15", target=f"NUMERIC{precision}")


def _as_count(base: OriginType, style: str) -> Way:
    """Return a moment as a count since 1970, as fine as the style is."""
    digits = base.arguments[0] if base.arguments else 6
    kept = 3 if style == "unix_ms" else 0
    floor = {"fraction": "floor"} if digits > kept else {}
    lost = f"{base.written} has {digits} digits of a second; {kept} of them are kept"
    return Way(
        "timestamp",
        write_argument(style=style, **floor),
        "INTEGER",
        loss=lost if floor else "",
        undo="" if floor else "it counts from 1970 in UTC",
    )


def _choose_moment(base: OriginType, choices: Choices) -> Way | None:
    style, name = choices.timestamps, base.name
    text_style = style if style == "django" else "sqlalchemy"
    if name in {"timestamp", "timestamptz"}:
        if style != text_style:
            return _as_count(base, style)
        utc = "its values are in UTC" if name == "timestamptz" else ""
        return Way("timestamp", write_argument(style=style), "TIMESTAMP", undo=utc)
    as_moment = style == "sqlalchemy"
    ways = {
        "interval": Way("interval", write_argument(style="sqlalchemy"), "TIMESTAMP")
        if as_moment
        else Way("interval", write_argument(style="micros"), "INTEGER"),
        "date": Way("date", target="DATE"),
        "time": Way("time", write_argument(style=text_style), "TIME"),
        "timetz": Way("timetz", write_argument(style=text_style)),
    }
    return ways.get(name)


def _choose_other(base: OriginType, choices: Choices, money_scale: int) -> Way:
    uuid_target = {"text": "CHAR(36)", "hex": "CHAR(32)", "blob": "BLOB"}[choices.uuid]
    geometry = "the bytes are WKB with SRID; SQLite has no spatial functions"
    ways = {
        **dict.fromkeys(_INTEGERS, Way("int", target="INTEGER")),
        **dict.fromkeys(_TEXTS, Way("text", target=_declare_text(base))),
        "numeric": _as_decimal(base),
        "bool": Way("bool", target="BOOLEAN"),
        "oid": Way("oid", target="INTEGER"),
        "xid": Way("oid", target="INTEGER"),
        "cid": Way("oid", target="INTEGER"),
        # The digits that the server prints are what every client reads of a float4.
        "float4": Way("float", target="REAL", expression="{}::text::float8"),
        "float8": Way("float", target="REAL"),
        "money": Way(
            "money",
            write_argument(scale=money_scale),
            "NUMERIC",
            loss="the amount stays, the sign of the currency does not",
        ),
        "bytea": Way("blob", target="BLOB"),
        "uuid": Way("uuid", write_argument(style=choices.uuid), uuid_target),
        "json": Way("text"),
        "jsonb": Way("jsonb"),
        "xml": Way("text", loss=_IN_WORDS["xml"]),
        "char": Way("char"),
        "inet": Way("inet"),
        "cidr": Way("inet"),
        "macaddr": Way("macaddr"),
        "macaddr8": Way("macaddr"),
        "bit": Way("bit", write_argument(style="text")),
        "varbit": Way("bit", write_argument(style="text")),
        "geometry": Way("blob", target="BLOB", loss=geometry),
        "geography": Way("blob", target="BLOB", loss=geometry),
    }
    # Whatever else there is, every type has a text form that it can be read back from.
    as_text = Way("text", expression="{}::text", loss=_IN_WORDS.get(base.name, ""))
    return ways.get(base.name, as_text)


def apply_cast(base: OriginType, way: Way, cast: Cast) -> Way:
    """Return the way that a cast asks for, or one with the op `refused`."""
    maker = _CASTS.get(cast.to)
    found = maker(base, way, cast) if maker is not None else None
    if found is not None:
        return found
    return replace(
        way,
        op="refused",
        argument=NO_CAST,
        loss=f"{base.written} cannot be cast to {cast.to}",
        undo="",
    )


def _to_text(base: OriginType, way: Way, _cast: Cast) -> Way | None:
    style = next((part for part in way.argument.split() if part.startswith("style=")), "")
    if style not in {"style=django", "style=sqlalchemy"}:
        style = "style=sqlalchemy"
    moment = Way("timestamp", f"{style} infinity=text outside=text", undo=way.undo)
    decimal = Way("decimal_text", expression="{}" if base.name == "numeric" else "{}::numeric")
    ways = {
        **dict.fromkeys(_INTEGERS, Way("int_text")),
        **dict.fromkeys(("timestamp", "timestamptz"), moment),
        **dict.fromkeys(("numeric", "money"), decimal),
        **dict.fromkeys(
            ("inet", "cidr", "jsonb", "bit", "varbit", "char", "macaddr", "macaddr8"),
            replace(way, target="TEXT"),
        ),
        "date": Way("date", "infinity=text outside=text"),
        "time": Way("time", f"{style} outside=text"),
        "timetz": Way("timetz", f"{style} outside=text"),
        "uuid": Way("uuid", "style=text", "CHAR(36)"),
        "interval": Way("interval", "style=iso", undo="value::interval"),
    }
    if base.kind in _JSON_KINDS:
        return Way("text", expression="{}::text", loss=f"{base.written} becomes its printed text")
    plain = Way(
        "text", expression="{}" if way.op == "text" and way.expression == "{}" else "{}::text"
    )
    return ways.get(base.name, plain)


def _to_null(base: OriginType, way: Way, _cast: Cast) -> Way | None:
    words = {
        "float": "nan=null",
        "decimal_real15": "nan=null infinity=null",
        "date": "infinity=null outside=null",
        "timestamp": "infinity=null outside=null",
        "time": "outside=null",
        "timetz": "outside=null",
    }.get(way.op)
    if words is None:
        return None
    return replace(
        way,
        argument=f"{way.argument} {words}".strip(),
        loss=f"values of {base.written} that SQLite does not have become NULL",
        may_be_null=True,
    )


def _to_integer(base: OriginType, way: Way, _cast: Cast) -> Way | None:
    if base.name == "numeric":
        return Way("decimal_scaled", "scale=0", "INTEGER")
    if base.name == "interval":
        return Way("interval", "style=micros", "INTEGER")
    if base.name in {"bit", "varbit"}:
        return Way("bit", "style=int", "INTEGER", loss="leading zeros of the bits stay behind")
    if way.op in {"int", "oid", "bool"}:
        return replace(way, target="INTEGER")
    if base.name == "money":
        return Way("int", target="INTEGER", undo="it counts the currency's smallest unit")
    return Way("int", target="INTEGER", expression="{}::bigint") if base.name in _TEXTS else None


def _to_real(base: OriginType, way: Way, _cast: Cast) -> Way | None:
    if base.name in _INTEGERS | _TEXTS | {"numeric"}:
        loss = "" if base.name == "int2" else "digits beyond the 15th to 17th are rounded"
        return Way("float", target="REAL", expression="{}::float8", loss=loss)
    if base.name == "money":
        loss = "digits beyond the 15th to 17th are rounded"
        return Way("float", target="REAL", expression="{}::numeric::float8", loss=loss)
    return replace(way, target="REAL") if way.op == "float" else None


def _to_numeric(base: OriginType, way: Way, _cast: Cast) -> Way | None:
    if base.name in _INTEGERS | _TEXTS | {"float4", "float8", "money"}:
        return Way("decimal_real15", target="NUMERIC", expression="{}::numeric")
    return way if base.name == "numeric" else None


def _to_scaled(base: OriginType, _way: Way, cast: Cast) -> Way | None:
    if base.name not in _INTEGERS | _TEXTS | {"float4", "float8", "money", "numeric"}:
        return None
    return Way(
        "decimal_scaled",
        write_argument(scale=cast.scale),
        "INTEGER",
        expression="{}" if base.name == "numeric" else "{}::numeric",
        undo=f"divide by 10^{cast.scale}",
    )


def _to_blob(base: OriginType, way: Way, _cast: Cast) -> Way | None:
    if base.name == "uuid":
        return Way("uuid", "style=blob", "BLOB")
    if way.op == "blob":
        return way
    return Way("blob", target="BLOB", expression="convert_to({}::text, 'UTF8')")


def _to_hex(base: OriginType, _way: Way, _cast: Cast) -> Way | None:
    if base.name == "uuid":
        return Way("uuid", "style=hex", "CHAR(32)")
    return Way("text", expression="encode({}, 'hex')") if base.name == "bytea" else None


def _to_json(_base: OriginType, way: Way, _cast: Cast) -> Way | None:
    return way if way.op == "jsonb" else Way("text", expression="to_json({})::text")


def _to_unix(base: OriginType, _way: Way, cast: Cast) -> Way | None:
    if base.name not in _DAYS:
        return None
    if base.name != "date":
        return _as_count(base, cast.to)
    return Way("date", write_argument(style=cast.to), "INTEGER", undo="it counts from 1970 in UTC")


_CASTS = {
    "text": _to_text,
    "null": _to_null,
    "integer": _to_integer,
    "real": _to_real,
    "numeric": _to_numeric,
    "scaled": _to_scaled,
    "blob": _to_blob,
    "hex": _to_hex,
    "json": _to_json,
    "unix": _to_unix,
    "unix_ms": _to_unix,
}
