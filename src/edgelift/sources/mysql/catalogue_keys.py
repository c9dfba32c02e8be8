"""Keys, foreign keys, checks and indexes of a MySQL or MariaDB database, by table."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from edgelift.model.origin_schema import (
    IndexPart,
    OriginCheck,
    OriginForeignKey,
    OriginIndex,
    OriginKey,
)
from edgelift.sources.mysql.connection import MySqlSession, ServerVersion, quote_text

_INDEX_LINE = re.compile(r"^\s*((?:UNIQUE |FULLTEXT |SPATIAL |PRIMARY )?KEY\b.*?),?$")
_INDEX_NAME = re.compile(r"KEY `((?:[^`]|``)+)`")
_JSON_CHECK = re.compile(r"json_valid\(`((?:[^`]|``)+)`\)$", re.IGNORECASE)

_STATISTICS = """
SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, COLLATION, SUB_PART, INDEX_TYPE,
  {expression} FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {schema}
ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX
"""
_FOREIGN_KEYS = """
SELECT u.TABLE_NAME, u.CONSTRAINT_NAME, u.COLUMN_NAME, u.REFERENCED_TABLE_SCHEMA,
  u.REFERENCED_TABLE_NAME, u.REFERENCED_COLUMN_NAME, r.UPDATE_RULE, r.DELETE_RULE
FROM information_schema.KEY_COLUMN_USAGE u
JOIN information_schema.REFERENTIAL_CONSTRAINTS r
  ON r.CONSTRAINT_SCHEMA = u.CONSTRAINT_SCHEMA AND r.TABLE_NAME = u.TABLE_NAME
  AND r.CONSTRAINT_NAME = u.CONSTRAINT_NAME
WHERE u.TABLE_SCHEMA = {schema} AND u.REFERENCED_TABLE_NAME IS NOT NULL
ORDER BY u.TABLE_NAME, u.CONSTRAINT_NAME, u.ORDINAL_POSITION
"""
_CHECKS = {
    "mariadb": "SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE, 'YES' "
    "FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = {schema}",
    "mysql": "SELECT t.TABLE_NAME, c.CONSTRAINT_NAME, c.CHECK_CLAUSE, t.ENFORCED "
    "FROM information_schema.CHECK_CONSTRAINTS c JOIN information_schema.TABLE_CONSTRAINTS t "
    "USING (CONSTRAINT_SCHEMA, CONSTRAINT_NAME) "
    "WHERE c.CONSTRAINT_SCHEMA = {schema} AND t.CONSTRAINT_TYPE = 'CHECK'",
}


@dataclass
class TableKeys:
    """What one table has beside its columns."""

    keys: list[OriginKey] = field(default_factory=list)
    indexes: list[OriginIndex] = field(default_factory=list)


def read_checks(session: MySqlSession, schema: str) -> dict[str, list[OriginCheck]]:
    """Return the checks by table; MySQL's that are not enforced are none."""
    version = session.version
    checks: dict[str, list[OriginCheck]] = defaultdict(list)
    if not version.has(mariadb=(10, 3, 10), mysql=(8, 0, 16)):
        return checks
    sql = _CHECKS[version.product].format(schema=quote_text(schema))
    for table, name, clause, enforced in session.read_texts(sql):
        if enforced == "YES":
            text = clause or ""
            expression = text if version.mariadb else text.replace("\\'", "'")
            checks[table or ""].append(OriginCheck(name=name or "", expression=expression))
    return checks


def find_json_columns(checks: dict[str, list[OriginCheck]]) -> frozenset[tuple[str, str]]:
    """Return (table, column) of the columns that MariaDB's JSON made a check for."""
    return frozenset(
        (table, found.group(1).replace("``", "`"))
        for table, of_table in checks.items()
        for check in of_table
        if (found := _JSON_CHECK.match(check.expression))
    )


def read_foreign_keys(session: MySqlSession, schema: str) -> dict[str, list[OriginForeignKey]]:
    """Return the foreign keys by table."""
    parts: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    for row in session.read_texts(_FOREIGN_KEYS.format(schema=quote_text(schema))):
        table, name, *rest = (value or "" for value in row)
        parts[table, name].append(rest)
    found: dict[str, list[OriginForeignKey]] = defaultdict(list)
    for (table, name), rows in parts.items():
        _, target_schema, target, _, on_update, on_delete = rows[0]
        found[table].append(
            OriginForeignKey(
                name=name,
                columns=tuple(row[0] for row in rows),
                target_schema=target_schema,
                target_table=target,
                target_columns=tuple(row[3] for row in rows),
                on_update=on_update,
                on_delete=on_delete,
            )
        )
    return found


def read_keys(session: MySqlSession, schema: str) -> dict[str, TableKeys]:
    """Return primary and unique keys and the other indexes by table.

    A unique index over prefixes or expressions stays an index, a primary key too: as a key of whole
    columns it would allow more.
    """
    version = session.version
    expression = "EXPRESSION" if version.has(mysql=(8, 0, 13)) else "NULL"
    sql = _STATISTICS.format(schema=quote_text(schema), expression=expression)
    groups: dict[tuple[str, str], list[list[str | None]]] = defaultdict(list)
    for row in session.read_texts(sql):
        groups[row[0] or "", row[1] or ""].append(row[2:])
    tables: dict[str, TableKeys] = defaultdict(TableKeys)
    for (table, name), rows in groups.items():
        _add_index(tables[table], name, rows, version)
    for of_table in tables.values():
        of_table.keys.sort(key=lambda key: not key.primary)
    return tables


def _add_index(
    into: TableKeys, name: str, rows: Sequence[Sequence[str | None]], version: ServerVersion
) -> None:
    unique, method = rows[0][0] == "0", (rows[0][4] or "BTREE").lower()
    parts = tuple(_build_part(row, method, version) for row in rows)
    whole = all(part.column and not part.length for part in parts)
    if unique and whole:
        columns = tuple(part.column for part in parts)
        into.keys.append(OriginKey(name=name, columns=columns, primary=name == "PRIMARY"))
    else:
        into.indexes.append(OriginIndex(name=name, parts=parts, unique=unique, method=method))


def _build_part(row: Sequence[str | None], method: str, version: ServerVersion) -> IndexPart:
    _, column, collation, length, _, expression = row
    prefix = int(length or 0) if method in {"btree", "hash", "rtree"} else 0
    text = expression or ""
    return IndexPart(
        column=column or "",
        expression=text if version.mariadb else text.replace("\\'", "'"),
        descending=collation == "D",
        nulls_first=collation == "D",
        length=prefix,
    )


def read_index_lines(written: str) -> dict[str, str]:
    """Return the lines of SHOW CREATE TABLE that define indexes, by index name."""
    lines = {}
    for line in written.split("\n"):
        found = _INDEX_LINE.match(line)
        if found:
            name = _INDEX_NAME.search(line)
            key = name.group(1).replace("``", "`") if name else "PRIMARY"
            lines[key] = found.group(1)
    return lines
