"""How the columns of a SQLite table travel: as they are, unless `[schema]` gives them a form.

SQLite's columns hold values of any storage class, whatever they declare. So a form is an expression
that brings values of the classes it takes to the op's, and leaves all others as they are: those the
op refuses, and the schema stage names them before anything moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec

from edgelift.model.origin_schema import OriginColumn, OriginTable
from edgelift.model.row_spec import RowSpec
from edgelift.rows.ops import SQLITE, write_argument
from edgelift.sources.column_way import Way
from edgelift.sources.origin_database import Cast, Choices
from edgelift.sources.sqlite_catalogue import quote_identifier

NO_CAST = "SCHEMA-CAST"
KEEP = Way("keep", target="")  # without affinity, so that no table on the way changes a value
# A whole number in another class: its digits as text, or a REAL that an INTEGER says exactly.
_WHOLE = (
    "CASE WHEN typeof({}) = 'text' AND {} = CAST(CAST({} AS INTEGER) AS TEXT) COLLATE BINARY "
    "THEN CAST({} AS INTEGER) WHEN typeof({}) = 'real' AND abs({}) <= 9007199254740992 "
    "AND {} = CAST({} AS INTEGER) THEN CAST({} AS INTEGER) ELSE {} END"
)
_BYTES = "CASE typeof({}) WHEN 'text' THEN CAST({} AS BLOB) ELSE {} END"
_HEX = "CASE typeof({}) WHEN 'blob' THEN lower(hex({})) WHEN 'text' THEN x'' ELSE {} END"


def map_table(table: OriginTable, choices: Choices) -> RowSpec:
    """Return the way of every column, generated ones too; a cast that is none is refused."""
    fields = []
    for column in table.columns:
        if not choices.keeps(table, column.name):
            continue
        cast = choices.find_cast(table, column.name, column.type.name)
        way = KEEP if cast is None else apply_cast(column, cast)
        read = way.expression.replace("{}", quote_identifier(column.name))
        made = way.to_field(column, choices.name_column(table, column.name), read)
        fields.append(msgspec.structs.replace(made, not_null=False))
    return RowSpec(
        schema=table.schema,
        table=table.name,
        target=choices.name_table(table),
        wire=SQLITE,
        fields=tuple(fields),
    )


def apply_cast(column: OriginColumn, cast: Cast) -> Way:
    """Return the way that a cast asks for, or one with the op `refused`."""
    maker = _CASTS.get(cast.to)
    if maker is not None:
        return maker(column, cast)
    return Way(
        "refused", NO_CAST, loss=f"a column of SQLite ({column.type.written or 'no type'}) cannot "
        f"be cast to {cast.to}",
    )  # fmt: skip


def _to_unix(column: OriginColumn, cast: Cast) -> Way:
    style = write_argument(style=cast.to)
    if column.type.name == "date":
        undo = "date(value / 1000, 'unixepoch')" if cast.to == "unix_ms" else (
            "date(value, 'unixepoch')"
        )  # fmt: skip
        return Way("date", style, "INTEGER", undo=undo)
    undo = "strftime('%Y-%m-%d %H:%M:%f', value / 1000.0, 'unixepoch')"
    undo = undo if cast.to == "unix_ms" else "datetime(value, 'unixepoch')"
    return Way("timestamp", style, "INTEGER", undo=undo)


_TEXT = Way(
    "text", expression="edgelift_text({})", undo="a text of digits was a number, if all were"
)
_CASTS: Mapping[str, Callable[[OriginColumn, Cast], Way]] = {
    "text": lambda _column, _cast: _TEXT,
    "json": lambda _column, _cast: Way("text"),
    "integer": lambda _column, _cast: Way(
        "int", target="INTEGER", expression=_WHOLE, loss="digits in texts and whole REALs become "
        "INTEGER, as whole numbers already are",
    ),
    "real": lambda _column, _cast: Way(
        "float", target="REAL", loss="INTEGERs become REAL, as other numbers already are"
    ),
    "numeric": lambda _column, _cast: replace(
        _TEXT, op="decimal_real15", target="NUMERIC", undo="",
        loss="numbers in texts become numbers, as others already are",
    ),
    "scaled": lambda _column, cast: replace(
        _TEXT, op="decimal_scaled", argument=write_argument(scale=cast.scale), target="INTEGER",
        undo=f"value / 1e{cast.scale}",
    ),
    "blob": lambda _column, _cast: Way(
        "blob", target="BLOB", expression=_BYTES, undo="CAST(value AS TEXT), if all were texts"
    ),
    "hex": lambda _column, _cast: Way("text", expression=_HEX, undo="unhex(value)"),
    "unix": _to_unix,
    "unix_ms": _to_unix,
}  # fmt: skip
