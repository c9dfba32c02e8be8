"""The columns of a MySQL or MariaDB database: types, defaults, generated and automatic values."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from edgelift.model.origin_schema import OriginColumn, OriginType
from edgelift.sources.mysql.connection import MySqlSession, ServerVersion, quote_name, quote_text
from edgelift.sources.mysql.types import SPATIAL, quote, read_type

_NUMBERS = frozenset(
    {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "year"}
)
_BYTES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
_NOW = re.compile(r"(current_timestamp|now|localtime|localtimestamp)(\(\d*\))?$", re.IGNORECASE)
_HEX = re.compile(r"0x([0-9A-Fa-f]{2})+$")
_ON_UPDATE = re.compile(r"on update (\S+)", re.IGNORECASE)
PERIODS = ("ROW START", "ROW END")  # times of a row's version: values, for whoever reads them
# One column of SHOW CREATE TABLE whose default is printed as a string of raw bytes.
_BYTES_DEFAULT = re.compile(rb"^  `((?:[^`]|``)+)` .*? DEFAULT '((?:[^'\\]|\\.|'')*)'", re.DOTALL)
_BYTE_ESCAPE = re.compile(rb"\\(.)|''", re.DOTALL)
_BYTE_ESCAPES = {b"0": b"\0", b"n": b"\n", b"r": b"\r", b"Z": b"\x1a"}

_SQL = """
SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, COLUMN_DEFAULT, IS_NULLABLE, EXTRA,
  {generated}, CHARACTER_SET_NAME, COLLATION_NAME, COLUMN_COMMENT
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {schema}
ORDER BY TABLE_NAME, ORDINAL_POSITION
"""
# A column declared with an SRID says so here; the tables differ in name and shape.
_SRIDS = {
    "mariadb": "SELECT G_TABLE_NAME, G_GEOMETRY_COLUMN, SRID FROM information_schema."
    "GEOMETRY_COLUMNS WHERE G_TABLE_SCHEMA = {schema}",
    "mysql": "SELECT TABLE_NAME, COLUMN_NAME, SRS_ID FROM information_schema."
    "ST_GEOMETRY_COLUMNS WHERE TABLE_SCHEMA = {schema} AND SRS_ID IS NOT NULL",
}


@dataclass(frozen=True)
class _Row:
    """One row of information_schema.COLUMNS."""

    table: str
    name: str
    type: str
    written: str
    default: str | None
    nullable: str
    extra: str
    generated: str
    charset: str
    collation: str
    comment: str


def read_columns(
    session: MySqlSession, schema: str, json_checks: frozenset[tuple[str, str]]
) -> dict[str, list[OriginColumn]]:
    """Return the columns of every table and view; `json_checks` are (table, column) that hold JSON.

    MariaDB has no JSON type: it is LONGTEXT with a check.
    """
    srids = _read_srids(session, schema)
    columns: dict[str, list[OriginColumn]] = defaultdict(list)
    generates = session.version.has(mariadb=(10, 2), mysql=(5, 7))
    generated = "GENERATION_EXPRESSION" if generates else "''"
    sql = _SQL.format(schema=quote_text(schema), generated=generated)
    for values in session.read_texts(sql):
        row = _Row(*(v if i == 4 else v or "" for i, v in enumerate(values)))  # type: ignore[arg-type]
        key = (row.table, row.name)
        found = read_type(
            "json" if key in json_checks and row.type == "longtext" else row.type,
            row.written,
            charset=row.charset,
            collation=row.collation,
            srid=srids.get(key, 0),
        )
        columns[row.table].append(_build_column(row, found, session.version))
    return columns


def read_byte_defaults(written: bytes) -> dict[str, str]:
    """Return the defaults of binary columns as X'..' literals from SHOW CREATE TABLE's bytes.

    information_schema shows bytes that are no text as question marks.
    """
    defaults = {}
    for line in written.split(b"\n"):  # inside literals the server writes them as \\n
        found = _BYTES_DEFAULT.match(line)
        if found:
            name = found.group(1).replace(b"``", b"`").decode(errors="surrogateescape")
            raw = _BYTE_ESCAPE.sub(_unescape_byte, found.group(2))
            defaults[name] = f"X'{raw.hex()}'"
    return defaults


def holds_bytes(column: OriginColumn) -> bool:
    """Return whether a column's default is a string of bytes, which only SHOW CREATE prints."""
    default = column.default
    return column.type.name in _BYTES and default is not None and default.startswith("'")


def _unescape_byte(found: re.Match[bytes]) -> bytes:
    escaped: bytes | None = found.group(1)
    return b"'" if escaped is None else _BYTE_ESCAPES.get(escaped, escaped)


def _build_column(row: _Row, found: OriginType, version: ServerVersion) -> OriginColumn:
    extra = row.extra.lower()
    on_update = _ON_UPDATE.search(row.extra)
    generated = None
    if "generated" in extra.replace("default_generated", "") or row.generated:
        generated = row.generated if version.mariadb else _unescape(row.generated)
    if row.generated in PERIODS:
        generated = None
    return OriginColumn(
        name=row.name,
        type=found,
        not_null=row.nullable == "NO",
        default=None if generated else _read_default(row, found, version),
        generated=generated,
        generated_kind=_read_generated_kind(extra) if generated else "",
        identity="auto_increment" if "auto_increment" in extra else "",
        on_update=on_update.group(1) if on_update else "",
        comment=row.comment,
    )


def _read_generated_kind(extra: str) -> str:
    return "stored" if "stored" in extra or "persistent" in extra else "virtual"


def _read_default(row: _Row, found: OriginType, version: ServerVersion) -> str | None:
    """Return the default as an expression: MariaDB prints one, MySQL often a bare value."""
    default = row.default
    if default is None:
        return None
    if version.mariadb:
        return None if default.upper() == "NULL" else default
    if "DEFAULT_GENERATED" in row.extra.upper():
        return _unescape(default)
    return _quote_default(default, found.name)


def _quote_default(default: str, type_name: str) -> str:
    """Return a bare value as MySQL's information_schema shows it as a literal of its type."""
    if type_name in _BYTES and _HEX.match(default):
        return f"X'{default[2:]}'"
    is_now = type_name in {"timestamp", "datetime"} and _NOW.match(default)
    is_bit = type_name == "bit" and default.startswith("b'")
    return default if type_name in _NUMBERS or is_now or is_bit else quote(default)


def _unescape(expression: str) -> str:
    # MySQL's information_schema escapes the quotes of expressions once more.
    return expression.replace("\\'", "'")


def _read_srids(session: MySqlSession, schema: str) -> dict[tuple[str, str], int]:
    """Return the SRID of each spatial column: as declared, else that of its first value."""
    known = _read_declared_srids(session, schema)
    marks = ", ".join(quote(name) for name in sorted(SPATIAL))
    sql = (
        "SELECT c.TABLE_NAME, c.COLUMN_NAME FROM information_schema.COLUMNS c "
        "JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME) "
        f"WHERE c.TABLE_SCHEMA = {quote_text(schema)} AND c.DATA_TYPE IN ({marks}) "
        "AND t.TABLE_TYPE <> 'VIEW'"
    )
    for table, column in session.read_texts(sql):
        key = (table or "", column or "")
        if not known.get(key):
            place = f"{quote_name(schema)}.{quote_name(key[0])}"
            name = quote_name(key[1])
            value = session.read_value(
                f"SELECT ST_SRID({name}) FROM {place} WHERE {name} IS NOT NULL LIMIT 1"
            )
            known[key] = int(value or 0)
    return known


def _read_declared_srids(session: MySqlSession, schema: str) -> dict[tuple[str, str], int]:
    version = session.version
    if not version.has(mariadb=(10, 1), mysql=(8, 0)):
        return {}
    rows = session.read_texts(_SRIDS[version.product].format(schema=quote_text(schema)))
    return {(table or "", column or ""): int(srid or 0) for table, column, srid in rows}


def fix_byte_defaults(
    columns: list[OriginColumn], defaults: Mapping[str, str]
) -> list[OriginColumn]:
    """Return the columns with the defaults of binary ones put right."""
    return [
        msgspec.structs.replace(column, default=defaults[column.name])
        if holds_bytes(column) and column.name in defaults
        else column
        for column in columns
    ]
