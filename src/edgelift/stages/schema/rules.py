"""The rules by which an object of the origin's schema is judged from its text and catalogue."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from edgelift.model.catalogue import Catalogue, Column, Index, SqlObject, Table
from edgelift.sources.sqlite_ddl import read_fts_content
from edgelift.sources.sqlite_tokens import Token, read_calls, tokenize
from edgelift.stages.schema.cascades import find_rounds, judge_round
from edgelift.stages.schema.issues import ERROR, NOTE, WARNING, Issue
from edgelift.targets import d1_dialect as d1


def judge_catalogue(catalogue: Catalogue) -> Iterator[Issue]:
    """Yield every issue that the catalogue alone shows, object by object."""
    yield from _judge_database(catalogue)
    yield from _judge_cascades(catalogue)
    for table in catalogue.tables:
        yield from _judge_virtual(table) if table.virtual else _judge_table(table, catalogue)
    for index in catalogue.indexes:
        if index.sql:
            yield from _judge_index(index)
    for kind, objects in (("view", catalogue.views), ("trigger", catalogue.triggers)):
        for found in objects:
            yield from _judge_object(kind, found)


def _judge_database(catalogue: Catalogue) -> Iterator[Issue]:
    if catalogue.encoding != "UTF-8":
        yield Issue(
            "SCHEMA-ENCODING", NOTE, "database", "",
            f"text is stored as {catalogue.encoding} and becomes UTF-8; half surrogate pairs "
            "cannot be kept",
        )  # fmt: skip
    if catalogue.user_version:
        yield Issue(
            "SCHEMA-USER-VERSION", WARNING, "database", "",
            f"PRAGMA user_version is {catalogue.user_version}; Cloudflare has no such pragma",
            "an app that reads it needs its own table for it",
        )  # fmt: skip
    if catalogue.application_id:
        yield Issue(
            "SCHEMA-APPLICATION-ID", NOTE, "database", "",
            f"PRAGMA application_id is {catalogue.application_id}; Cloudflare has no such pragma",
        )  # fmt: skip
    if any(table.foreign_keys for table in catalogue.tables):
        yield Issue(
            "SCHEMA-FK-ENFORCED", NOTE, "database", "",
            "Cloudflare enforces foreign keys always; SQLite does so only after PRAGMA "
            "foreign_keys=ON",
        )  # fmt: skip


def _judge_cascades(catalogue: Catalogue) -> Iterator[Issue]:
    keys = [
        (table, key)
        for table in catalogue.tables
        for key in table.foreign_keys
        if "CASCADE" in {key.on_delete.upper(), key.on_update.upper()}
    ]
    rounds = find_rounds((t.name.lower(), key.target_table.lower()) for t, key in keys)
    for table, key in keys:
        if (table.name.lower(), key.target_table.lower()) in rounds:
            yield judge_round("table", table.name, f"{', '.join(key.columns)} ")


def _judge_table(table: Table, catalogue: Catalogue) -> Iterator[Issue]:
    yield from _judge_name("table", table.name)
    yield from _judge_size("table", table.name, table.sql)
    if len(table.columns) > d1.MAX_COLUMNS:
        yield Issue(
            "SCHEMA-COLUMNS", ERROR, "table", table.name,
            f"has {len(table.columns)} columns, Cloudflare takes {d1.MAX_COLUMNS}",
            "split it into two tables that share the key", refuses=True,
        )  # fmt: skip
    for check in table.checks:
        yield from _judge_expression("table", table.name, "", check)
    for column in table.columns:
        yield from _judge_column(table, column)
    for key in table.foreign_keys:
        if not any(t.name.lower() == key.target_table.lower() for t in catalogue.tables):
            yield Issue(
                "SCHEMA-FK-TARGET", ERROR, "table", table.name,
                f"has a foreign key to {key.target_table}, which does not exist; Cloudflare then "
                "refuses every insert",
                "create that table at the origin or remove the foreign key",
                column=key.columns[0],
            )  # fmt: skip


def _judge_column(table: Table, column: Column) -> Iterator[Issue]:
    if column.collation not in d1.COLLATIONS:
        yield _collation("table", table.name, column.collation, column.name)
    for expression in (column.default, column.generated):
        if expression:
            yield from _judge_expression("table", table.name, column.name, expression)


def _judge_virtual(table: Table) -> Iterator[Issue]:
    yield from _judge_name("virtual table", table.name)
    if table.virtual not in d1.MODULES:
        yield Issue(
            "SCHEMA-VIRTUAL-TABLE", ERROR, "virtual table", table.name,
            f"uses the module {table.virtual}; Cloudflare has {', '.join(sorted(d1.MODULES))}",
            "for full text search, make it an fts5 table at the origin", refuses=True,
        )  # fmt: skip
    elif not table.columns:
        yield Issue(
            "SCHEMA-VIRTUAL-TABLE-UNREADABLE", ERROR, "virtual table", table.name,
            f"cannot be read: the SQLite of this Python lacks the module {table.virtual}, or the "
            "table is broken",
            "run edgelift with a Python whose SQLite has it", refuses=True,
        )  # fmt: skip
    elif table.virtual == "fts5" and read_fts_content(table.sql) == "":
        yield Issue(
            "SCHEMA-FTS-CONTENTLESS", ERROR, "virtual table", table.name,
            "keeps no content, so what it indexes cannot be read back",
            "rebuild it with content at the origin, or accept the rule and fill it in the Worker",
            refuses=True,
        )  # fmt: skip


def _judge_index(index: Index) -> Iterator[Issue]:
    yield from _judge_name("index", index.name)
    yield from _judge_size("index", index.name, index.sql)
    tokens = tokenize(index.sql)
    on = next((i for i, token in enumerate(tokens) if token.upper == "ON"), 0)
    yield from _judge_tokens("index", index.name, "", tokens[on + 2 :])


def _judge_object(kind: str, found: SqlObject) -> Iterator[Issue]:
    yield from _judge_name(kind, found.name)
    yield from _judge_size(kind, found.name, found.sql)
    yield from _judge_tokens(kind, found.name, "", tokenize(found.sql))


def _judge_name(kind: str, name: str) -> Iterator[Issue]:
    if name.lower().startswith(d1.RESERVED_PREFIX):
        yield Issue(
            "SCHEMA-NAME-RESERVED", ERROR, kind, name,
            f"names that begin with {d1.RESERVED_PREFIX} belong to Cloudflare itself",
            "rename it at the origin", refuses=True,
        )  # fmt: skip


def _judge_size(kind: str, name: str, sql: str) -> Iterator[Issue]:
    size = len(sql.encode("utf-8", "surrogateescape"))
    if size > d1.MAX_STATEMENT_BYTES:
        yield Issue(
            "SCHEMA-STATEMENT-SIZE", ERROR, kind, name,
            f"its statement has {size} bytes, Cloudflare takes {d1.MAX_STATEMENT_BYTES}",
            "shorten it at the origin", refuses=True,
        )  # fmt: skip


def _judge_expression(kind: str, name: str, column: str, expression: str) -> Iterator[Issue]:
    yield from _judge_tokens(kind, name, column, tokenize(expression))


def _judge_tokens(kind: str, name: str, column: str, tokens: list[Token]) -> Iterator[Issue]:
    where = f"column {column} " if column else ""
    for token, arguments in read_calls(tokens):
        function = token.name.lower()
        if function in d1.RENAMED_FUNCTIONS:
            yield Issue(
                "SCHEMA-FUNCTION-RENAMED", NOTE, kind, name,
                f"{where}calls {function}(), written {d1.RENAMED_FUNCTIONS[function]}() for D1",
                column=column,
            )  # fmt: skip
        elif function not in d1.FUNCTIONS and not function.startswith("pragma_"):
            yield Issue(
                "SCHEMA-FUNCTION", ERROR, kind, name,
                f"{where}calls {function}(), which Cloudflare does not have",
                "rewrite the expression at the origin with functions that Cloudflare has",
                column=column, refuses=True,
            )  # fmt: skip
        if arguments > d1.MAX_FUNCTION_ARGUMENTS:
            yield Issue(
                "SCHEMA-FUNCTION-ARGUMENTS", ERROR, kind, name,
                f"{where}calls {function}() with {arguments} arguments, Cloudflare documents "
                f"{d1.MAX_FUNCTION_ARGUMENTS}",
                "nest the call in two", column=column, refuses=True,
            )  # fmt: skip
    yield from _judge_pairs(kind, name, column, tokens)


def _judge_pairs(kind: str, name: str, column: str, tokens: list[Token]) -> Iterator[Issue]:
    for token, following in itertools.pairwise(tokens):
        if token.upper == "COLLATE" and following.name.upper() not in d1.COLLATIONS:
            yield _collation(kind, name, following.name, column)
        size = len(following.name.encode("utf-8", "surrogateescape"))
        if (
            token.upper in {"LIKE", "GLOB"}
            and following.kind == "string"
            and size > d1.MAX_PATTERN_BYTES
        ):
            yield Issue(
                "SCHEMA-PATTERN-SIZE", ERROR, kind, name,
                f"has a {token.upper} pattern of {size} bytes, Cloudflare takes "
                f"{d1.MAX_PATTERN_BYTES}",
                "use instr() or substr() instead", column=column, refuses=True,
            )  # fmt: skip


def _collation(kind: str, name: str, collation: str, column: str) -> Issue:
    where = f"column {column} " if column else ""
    return Issue(
        "SCHEMA-COLLATION", ERROR, kind, name,
        f"{where}sorts by the collation {collation}, which the app registers itself; Cloudflare "
        f"has {', '.join(sorted(d1.COLLATIONS))}",
        "use one of those at the origin", column=column, refuses=True,
    )  # fmt: skip
