"""Which objects name what `[schema]` changes, beyond what SQLite rewrites by itself."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from edgelift.model.catalogue import Catalogue
from edgelift.sources.sqlite_ddl import parse_create_table
from edgelift.sources.sqlite_origin.catalogue import SCHEMA
from edgelift.sources.sqlite_tokens import tokenize
from edgelift.stages.schema.issues import ERROR, NOTE, WARNING, Issue
from edgelift.stages.schema.sqlite.rewriting import USED, Rewriting
from edgelift.stages.schema.sqlite.scratch import PROBE, Scratch

MEANS = "SCHEMA-REWRITE-USED"


def judge_uses(rewriting: Rewriting) -> Iterator[Issue]:
    """Yield what names a column whose values get another form, and moves as it is.

    The scratch schema must still be the origin's.
    """
    catalogue = rewriting.catalogue
    kinds = {view.name: "view" for view in catalogue.views}
    kinds |= {trigger.name: "trigger" for trigger in catalogue.triggers}
    indexes = {index.name: index for index in catalogue.indexes}
    owners = {trigger.name: trigger.table for trigger in catalogue.triggers}
    owners |= {name: index.table for name, index in indexes.items()}
    for (table, column), form in rewriting.forms.items():
        what = f"{table}.{column}, whose values become {form.op} {form.argument}".rstrip()
        for name, sql in rewriting.scratch.find_uses(table, column).items():
            if rewriting.is_gone(name) or rewriting.is_gone(owners.get(name, name)):
                continue
            if name in kinds:
                yield _tell(kinds[name], name, what)
            elif name in indexes:
                if _count_probes(sql) != indexes[name].columns.count(column):
                    yield _tell("index", name, f"in an expression {what}")
            else:
                yield from _judge_table(rewriting.name(name), sql, what)


def _tell(kind: str, name: str, what: str) -> Issue:
    if kind == "view":
        return Issue(
            MEANS, WARNING, kind, name,
            f"names {what}: it moves as it is, and data compares the rows that it shows",
            "look whether it only passes such values on or compares them with one another",
        )  # fmt: skip
    return Issue(
        MEANS, ERROR, kind, name, f"names {what}: it moves as it is",
        "accept the rule when it only compares such values with one another, or mend it at the "
        "origin",
    )  # fmt: skip


def _judge_table(target: str, sql: str, what: str) -> Iterator[Issue]:
    """Yield the checks and generated columns of a table that name the column."""
    parsed = parse_create_table(sql)
    for check in parsed.checks:
        if _count_probes(check):
            yield _tell("table", target, f"in a check {what}")
    for column in parsed.columns.values():
        if column.generated is not None and _count_probes(column.generated):
            yield _tell("table", target, f"in the generated column {column.name} {what}")


def _count_probes(sql: str) -> int:
    return sum(token.name == PROBE for token in tokenize(sql))


def judge_virtual(rewriting: Rewriting) -> Iterator[Issue]:
    """Yield virtual tables that stand on others by their names, which nothing rewrites."""
    names = rewriting.ways.names
    changed = {table for (_, table), target in names.tables.items() if table != target}
    changed |= {table for _, table, _ in (*names.columns, *names.excluded_columns)}
    changed |= {table for _, table in names.excluded_tables}
    changed |= {table for table, _ in rewriting.forms}
    for table in rewriting.catalogue.tables:
        if not table.virtual or rewriting.is_gone(table.name):
            continue
        behind = {token.name for token in tokenize(table.sql)} & (changed - {table.name})
        own = [column for _, name, column in names.columns if name == table.name]
        own += [column for name, column in rewriting.forms if name == table.name]
        if behind or own:
            why = f"names {', '.join(sorted(behind))} as the table behind it" if behind else (
                f"has the column {own[0]}, which SQLite cannot change"
            )  # fmt: skip
            yield Issue(
                USED, ERROR, "virtual table", rewriting.name(table.name), why,
                "leave it out under [schema] exclude and make it anew at the target, or accept "
                "the rule: it then stays behind", refuses=True,
            )  # fmt: skip


def judge_keys(rewriting: Rewriting) -> Iterator[Issue]:
    """Yield foreign keys whose two sides get different forms, so that they no longer meet."""
    for table in rewriting.origin.tables:
        if rewriting.is_gone(table.name):
            continue
        for key in table.foreign_keys:
            pairs = zip(key.columns, key.target_columns, strict=True)
            for column, target in () if rewriting.is_gone(key.target_table) else pairs:
                here = rewriting.forms.get((table.name, column))
                there = rewriting.forms.get((key.target_table, target))
                own = (here.op, here.argument) if here else ("keep", "")
                if own != ((there.op, there.argument) if there else ("keep", "")):
                    yield Issue(
                        USED, ERROR, "table", rewriting.name(table.name),
                        f"column {column} refers to {key.target_table}.{target}, and only one of "
                        "them gets another form",
                        "give both the same form, or accept the rule: the table then stays behind",
                        column=column, refuses=True,
                    )  # fmt: skip


def judge_views(rewriting: Rewriting, made: Catalogue) -> Iterator[Issue]:
    """Yield the views that show their columns under other names than at the origin."""
    origin = Scratch(rewriting.catalogue)
    known = {view.name for view in rewriting.catalogue.views} - set(origin.aside)
    for view in made.views:
        if view.name not in known:
            continue
        old = read_columns(origin.db, view.name)
        new = read_columns(rewriting.scratch.db, view.name)
        changed = [f"{was} as {now}" for was, now in zip(old, new, strict=False) if was != now]
        if changed:
            yield Issue(
                "SCHEMA-NAME-CHANGED", NOTE, "view", view.name,
                f"shows {', '.join(changed)}, as the columns behind it are called now",
            )  # fmt: skip


def read_columns(db: apsw.Connection, name: str) -> list[str]:
    """Return the names of the columns of a table or view."""
    query = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1"
    return [str(row[0]) for row in db.execute(query, (name,))]


def judge_ways(rewriting: Rewriting) -> Iterator[Issue]:
    """Yield what each chosen form means, and the forms that SQLite's columns do not have."""
    for (_, table), spec in rewriting.ways.specs.items():
        target = rewriting.name(table)
        for found in spec.fields:
            if found.op == "refused":
                yield Issue(
                    found.argument or "SCHEMA-CAST", ERROR, "table", target,
                    f"column {found.column} cannot travel: {found.loss}",
                    "choose another form with [[schema.cast]], or accept the rule: the column "
                    "then stays behind", column=found.column,
                )  # fmt: skip
            elif found.undo:
                lost = f"{found.loss}; " if found.loss else ""
                yield Issue(
                    "SCHEMA-TYPE-STATED", NOTE, "table", target,
                    f"column {found.column}: {lost}back: {found.undo}", column=found.column,
                )  # fmt: skip
            elif found.loss:
                yield Issue(
                    "SCHEMA-TYPE-LOSS", NOTE, "table", target,
                    f"column {found.column}: {found.loss}", column=found.column,
                )  # fmt: skip


__all__ = ["MEANS", "SCHEMA", "judge_keys", "judge_uses", "judge_views", "judge_virtual"]
