"""Read PostgreSQL's whole catalogue into the model: a fixed number of queries, joined here."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import sql

from edgelift.model.origin_schema import (
    OriginCheck,
    OriginColumn,
    OriginRoutine,
    OriginSchema,
    OriginSequence,
    OriginTable,
    OriginTrigger,
    OriginView,
)
from edgelift.sources.postgres import catalogue_sql
from edgelift.sources.postgres.connection import (
    CATALOGUE_TIMEOUT_S,
    Connection,
    begin_reading,
)
from edgelift.sources.postgres.constraints import Collation, Names, TableParts, read_parts
from edgelift.sources.postgres.types import TypeBook

Row = tuple[Any, ...]
Place = tuple[int, int]  # a table's oid and a column's number

_KINDS = {"r": "table", "p": "partitioned", "f": "foreign", "m": "materialized"}
_ROUTINE_KINDS = {"f": "function", "p": "procedure", "a": "aggregate", "w": "window function"}
# A sequence named by text is looked for at each insert (pg_dump of old versions writes so).
_LATE_NEXTVAL = re.compile(r"nextval\(\('(?P<name>.*)'::text\)::regclass\)", re.DOTALL)
_PLAIN_NEXTVAL = re.compile(rf"nextval\('.*'::regclass\)|{_LATE_NEXTVAL.pattern}", re.DOTALL)
_SEQUENCES_A_QUERY = 200
_BYTES_A_PAGE = 8192


class CatalogueReader:
    """Reads one database in one transaction; `version` is the server's as a number (150004)."""

    def __init__(self, connection: Connection, version: int) -> None:
        self._connection = connection
        self._version = version

    def read(self, version_text: str) -> OriginSchema:
        """Return the whole catalogue; psycopg's errors go through."""
        begin_reading(self._connection, CATALOGUE_TIMEOUT_S)
        try:
            return self._read(version_text)
        finally:
            if not self._connection.closed:
                self._connection.execute("ROLLBACK")

    def _query(self, text: str) -> list[Row]:
        at_least = self._version.__ge__
        for mark, value in (
            (
                "$MULTIRANGE",
                catalogue_sql.MULTIRANGE if at_least(140000) else catalogue_sql.NO_MULTIRANGE,
            ),
            ("$NULLS", "i.indnullsnotdistinct" if at_least(150000) else "false"),
            ("$CLONES", "AND g.tgparentid = 0" if at_least(130000) else ""),
        ):
            text = text.replace(mark, value)
        return self._connection.execute(text.encode(), prepare=False).fetchall()

    def _read(self, version_text: str) -> OriginSchema:
        database = self._query(catalogue_sql.DATABASE)[0]
        types = TypeBook(self._query(catalogue_sql.TYPES))
        relations = self._query(catalogue_sql.RELATIONS)
        column_rows = _group(self._query(catalogue_sql.COLUMNS))
        names = Names(
            {row[0]: (row[1], row[2]) for row in relations},
            {oid: {row[1]: row[2] for row in rows} for oid, rows in column_rows.items()},
            {oid: {row[1]: row[10] for row in rows} for oid, rows in column_rows.items()},
            self._read_collations(),
            dict(self._query(catalogue_sql.OPERATOR_CLASSES)),
        )
        partitions = frozenset(row[0] for row in relations if row[5])
        late = [
            (oid, row[1], found["name"])
            for oid, rows in column_rows.items()
            for row in rows
            if (found := _LATE_NEXTVAL.fullmatch(row[7] or ""))
        ]
        sequences, owners = self._read_sequences(names, partitions, late)
        columns = {
            oid: tuple(_to_column(row, types, names, owners) for row in rows)
            for oid, rows in column_rows.items()
        }
        parts = read_parts(
            self._query(catalogue_sql.CONSTRAINTS),
            self._query(catalogue_sql.INDEXES),
            names,
            partitions,
        )
        domain_checks: dict[int, list[OriginCheck]] = defaultdict(list)
        for oid, name, expression in self._query(catalogue_sql.DOMAIN_CHECKS):
            domain_checks[oid].append(OriginCheck(name=name, expression=expression))
        others = tuple((kind, name) for kind, name in self._query(catalogue_sql.OTHERS))
        return OriginSchema(
            dialect="postgres",
            version=version_text,
            database=database[0],
            tables=tuple(
                _to_table(row, columns.get(row[0], ()), parts[row[0]], names)
                for row in relations
                if row[3] in _KINDS and not _is_view(row)
            ),
            views=tuple(
                _to_view(row, columns.get(row[0], ())) for row in relations if _is_view(row)
            ),
            triggers=tuple(_to_trigger(row) for row in self._query(catalogue_sql.TRIGGERS)),
            routines=tuple(
                OriginRoutine(
                    schema=row[0],
                    name=row[1],
                    kind="trigger function" if row[5] else _ROUTINE_KINDS[row[2]],
                    language=row[3],
                    body=row[4],
                )
                for row in self._query(catalogue_sql.ROUTINES)
            ),
            sequences=sequences,
            types=types.define(domain_checks),
            others=others,
        )

    def _read_collations(self) -> dict[int, Collation]:
        """Return all collations; those that take different texts as equal are asked which."""
        rows = self._query(catalogue_sql.COLLATIONS)
        selects = [
            sql.SQL("SELECT {0}::oid, 'a' COLLATE {1} = 'A', 'a' COLLATE {1} = '\u00e1'").format(
                sql.Literal(oid), sql.Identifier(schema, name)
            )
            for oid, name, schema, folds in rows
            if folds
        ]
        asked = sql.SQL(" UNION ALL ").join(selects)
        found = self._connection.execute(asked).fetchall() if selects else []
        folding = {oid: (case, accents) for oid, case, accents in found}
        return {oid: Collation(name, *folding.get(oid, (False, False))) for oid, name, _, _ in rows}

    def _read_sequences(
        self, names: Names, partitions: frozenset[int], late: Sequence[tuple[int, int, str]]
    ) -> tuple[tuple[OriginSequence, ...], dict[Place, str]]:
        """Return all sequences, and the name of the one that belongs to a column.

        `late` are the columns (table, number) whose default names its sequence by text.
        """
        rows = self._query(catalogue_sql.SEQUENCES)
        unused = self._read_unused([row for row in rows if row[8] and row[12] is None])
        users: dict[int, list[Place]] = defaultdict(list)
        for sequence, table, column in self._query(catalogue_sql.SEQUENCE_USES):
            if table in names.columns and table not in partitions:
                users[sequence].append((table, column))
        for table, column, written in late:
            asked = [row[0] for row in rows if _is_named(row, written)]
            if len(asked) == 1 and table in names.columns and table not in partitions:
                users[asked[0]].append((table, column))
        sequences, owners = [], {}
        for row in rows:
            oid, schema, name, start, increment = row[:5]
            place = _find_owner(row, users[oid], names)
            if place is not None:
                owners[place] = f"{schema}.{name}"
            last = row[12]
            if last is None and unused.get(oid, start) != start:
                last = unused[oid] - increment  # setval(..., false): the value is still to come
            sequences.append(
                OriginSequence(
                    schema=schema,
                    name=name,
                    last=last,
                    start=start,
                    increment=increment,
                    owner=f"{names.relation(place[0])}.{names.columns[place[0]][place[1]]}"
                    if place
                    else "",
                )
            )
        return tuple(sequences), owners

    def _read_unused(self, rows: list[Row]) -> dict[int, int]:
        """Return last_value of sequences that gave nothing out since they were set."""
        found: dict[int, int] = {}
        for start in range(0, len(rows), _SEQUENCES_A_QUERY):
            selects = [
                sql.SQL("SELECT {}, last_value FROM {} WHERE NOT is_called").format(
                    sql.Literal(row[0]), sql.Identifier(row[1], row[2])
                )
                for row in rows[start : start + _SEQUENCES_A_QUERY]
            ]
            query = sql.SQL(" UNION ALL ").join(selects)
            found.update((int(o), int(v)) for o, v in self._connection.execute(query).fetchall())
        return found


def _is_named(row: Row, written: str) -> bool:
    """Return whether a text names a sequence, with its schema or without."""
    schema, name = row[1:3]
    plain = written.replace('"', "")
    return plain in {name, f"{schema}.{name}"}


def _find_owner(row: Row, users: list[Place], names: Names) -> Place | None:
    """Return the column that a sequence belongs to: by OWNED BY, or the only one that asks it."""
    if row[9] in names.columns and row[10]:
        return row[9], row[10]
    return users[0] if len(users) == 1 else None


def _group(rows: Iterable[Row]) -> dict[int, list[Row]]:
    grouped: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row[0]].append(row)
    return grouped


def _to_column(row: Row, types: TypeBook, names: Names, owners: dict[Place, str]) -> OriginColumn:
    table, number, name, type_oid, modifier, written, not_null, expression = row[:8]
    generated, identity, collation_oid, own_collation, comment = row[8:]
    collation, folds_case, folds_more = names.collations.get(collation_oid, Collation())
    sequence = owners.get((table, number), "")
    kind = {"a": "always", "d": "by default"}.get(identity, "")
    if not kind and sequence and _PLAIN_NEXTVAL.fullmatch(expression or ""):
        kind = "serial"
    domain_not_null, domain_default = types.read_domain(type_oid)
    return OriginColumn(
        name=name,
        type=types.build(
            type_oid,
            modifier,
            written=written,
            collation=collation if collation_oid != own_collation else "",
            folds_case=folds_case,
            folds_more=folds_more,
        ),
        not_null=not_null or domain_not_null,
        default=None if generated else expression or domain_default,
        generated=expression if generated else None,
        generated_kind={"s": "stored", "v": "virtual"}.get(generated, ""),
        identity=kind,
        sequence=sequence if kind else "",
        comment=comment or "",
    )


def _is_view(row: Row) -> bool:
    """Return whether a relation shows rows without holding them, as yet or ever."""
    return bool(row[3] == "v" or (row[3] == "m" and not row[16]))


def _to_table(
    row: Row, columns: tuple[OriginColumn, ...], parts: TableParts, names: Names
) -> OriginTable:
    kind = _KINDS[row[3]]
    parents = [names.relation(oid) for oid in row[14] or () if oid in names.relations]
    is_partition = row[5]
    if is_partition:
        kind = "partition"
    elif kind == "table" and row[4] == "u":
        kind = "unlogged"
    pages, rows = row[7], row[6]
    return OriginTable(
        schema=row[1],
        name=row[2],
        columns=columns,
        kind=kind,
        keys=tuple(parts.keys),
        foreign_keys=tuple(parts.foreign_keys),
        checks=tuple(parts.checks),
        indexes=tuple(parts.indexes),
        excludes=tuple(parts.excludes),
        parent=parents[0] if is_partition and parents else "",
        partition_bound=row[9] or row[12] or "",
        inherits=() if is_partition else tuple(parents),
        comment=row[8] or "",
        row_estimate=max(0, round(rows)),
        size_bytes=pages * _BYTES_A_PAGE,
        local=tuple(parts.local),
        rows=row[17] or "",
    )


def _to_view(row: Row, columns: tuple[OriginColumn, ...]) -> OriginView:
    return OriginView(
        schema=row[1],
        name=row[2],
        query=row[10],
        columns=tuple(column.name for column in columns),
        typed=columns,
        materialized=row[3] == "m",
        check_option=row[11] or "",
        comment=row[8] or "",
    )


def _to_trigger(row: Row) -> OriginTrigger:
    schema, table, name, bits, enabled, written, routine, language, source, columns = row
    events = ((4, "insert"), (8, "delete"), (16, "update"), (32, "truncate"))
    _, _, condition = written.partition(" WHEN (")
    return OriginTrigger(
        schema=schema,
        table=table,
        name=name,
        timing="instead of" if bits & 64 else "before" if bits & 2 else "after",
        events=tuple(event for bit, event in events if bits & bit),
        level="row" if bits & 1 else "statement",
        body=f"{written};\n-- {routine}, language {language}\n{source}",
        routine=routine,
        columns=tuple(columns or ()),
        when=condition.partition(") EXECUTE ")[0] if condition else "",
        enabled=enabled != "D",
    )
