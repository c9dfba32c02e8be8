"""Account for every object of the origin's schema: converted, with a stated loss, or refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from edgelift.model.catalogue import Catalogue, Table
from edgelift.model.findings import Level
from edgelift.model.target_schema import Statement, TargetSchema
from edgelift.stages.schema.issues import Issue
from edgelift.stages.schema.statements import convert_statement

CONVERTED = "converted"
WITH_LOSS = "converted with stated loss"
REFUSED = "refused"
LEFT_OUT = "left out"
BY_ENGINE = "made by the engine"


class ColumnMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A column: declared type, outcome, and the rules it met.

    Of a server's column also `origin`, its name there, and `written`, its type; `read` and `op`,
    how its values travel; `loss` and `undo`, what that gives up and how to get it back; `comment`,
    the origin's own.
    """

    name: str
    declared: str
    outcome: str
    rules: tuple[str, ...] = ()
    origin: str = ""
    written: str = ""
    read: str = ""
    op: str = ""
    loss: str = ""
    undo: str = ""
    comment: str = ""


class ObjectMapping(msgspec.Struct, frozen=True, kw_only=True):
    """An object of the origin: outcome, the rules it met, and its statement for D1.

    Of a server's object also `origin`, its name there; `becomes`, what became of it where no
    statement of its own shows it; `comment`, the origin's own.
    """

    kind: str
    name: str
    outcome: str
    rules: tuple[str, ...] = ()
    statement: str = ""
    columns: tuple[ColumnMapping, ...] = ()
    origin: str = ""
    becomes: str = ""
    comment: str = ""


class DatabaseMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A whole database; `rules` are those of the database itself."""

    database: str
    objects: tuple[ObjectMapping, ...]
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    """A catalogue with its issues and the rules whose blockers the user has accepted."""

    database: str
    catalogue: Catalogue
    issues: tuple[Issue, ...]
    accepted: frozenset[str]

    def issues_of(self, kind: str, name: str) -> list[Issue]:
        """Return the issues of one object."""
        return [issue for issue in self.issues if (issue.kind, issue.name) == (kind, name)]

    def is_refused(self, kind: str, name: str) -> bool:
        """Return whether an object cannot exist in D1."""
        return any(issue.refuses for issue in self.issues_of(kind, name))


def table_kind(table: Table) -> str:
    """Return the kind under which issues name a table."""
    return "virtual table" if table.virtual else "table"


def build_mapping(judged: Judged) -> DatabaseMapping:
    """Return what becomes of every object of the origin's sqlite_schema."""
    catalogue = judged.catalogue
    gone = {t.name for t in catalogue.tables if judged.is_refused(table_kind(t), t.name)}
    objects = [_map_table(judged, table) for table in catalogue.tables]
    objects += [
        _map_object(judged, "index", index.name, index.sql, index.table in gone)
        for index in catalogue.indexes
    ]
    objects += [
        _map_object(judged, "view", view.name, view.sql, orphan=False) for view in catalogue.views
    ]
    objects += [
        _map_object(judged, "trigger", trigger.name, trigger.sql, trigger.table in gone)
        for trigger in catalogue.triggers
    ]
    made = [*catalogue.shadows, *catalogue.statistics]
    if any(table.autoincrement for table in catalogue.tables) or catalogue.sequences:
        made.append("sqlite_sequence")
    objects += [ObjectMapping(kind="table", name=name, outcome=BY_ENGINE) for name in made]
    return DatabaseMapping(
        database=judged.database,
        objects=tuple(objects),
        rules=_rules(issue for issue in judged.issues if issue.kind == "database"),
    )


def _map_table(judged: Judged, table: Table) -> ObjectMapping:
    kind = table_kind(table)
    mapped = _map_object(judged, kind, table.name, table.sql, orphan=False)
    issues = judged.issues_of(kind, table.name)
    columns = []
    for column in table.columns:
        own = [issue for issue in issues if issue.column == column.name]
        outcome = REFUSED if any(issue.refuses for issue in own) else _outcome_of(own)
        columns.append(
            ColumnMapping(
                name=column.name, declared=column.declared, outcome=outcome, rules=_rules(own)
            )
        )
    return msgspec.structs.replace(mapped, columns=tuple(columns))


def _map_object(judged: Judged, kind: str, name: str, sql: str, orphan: bool) -> ObjectMapping:  # noqa: FBT001 - private
    if not sql:
        return ObjectMapping(kind=kind, name=name, outcome=LEFT_OUT if orphan else BY_ENGINE)
    issues = judged.issues_of(kind, name)
    statement, _ = convert_statement(sql)
    outcome = _outcome_of(issues)
    if judged.is_refused(kind, name):
        refusing = {issue.rule for issue in issues if issue.refuses}
        outcome = LEFT_OUT if refusing <= judged.accepted else REFUSED
        statement = ""
    elif orphan:
        outcome, statement = LEFT_OUT, ""
    return ObjectMapping(
        kind=kind, name=name, outcome=outcome, rules=_rules(issues), statement=statement
    )


def _outcome_of(issues: Iterable[Issue]) -> str:
    return WITH_LOSS if any(issue.level is not Level.NOTE for issue in issues) else CONVERTED


def _rules(issues: Iterable[Issue]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(issue.rule for issue in issues))


def build_schema(mapping: DatabaseMapping, catalogue: Catalogue) -> TargetSchema:
    """Return the statements of everything that moves, tables first, all in the origin's order.

    An fts5vocab table stands on an fts5 table, and is made after it like an index.
    """
    virtual = {table.name: table.virtual for table in catalogue.tables}
    kept = [found for found in mapping.objects if found.statement]
    statements = [Statement(kind=o.kind, name=o.name, sql=o.statement) for o in kept]
    early = [
        s
        for s in statements
        if s.kind in {"table", "virtual table"} and virtual.get(s.name) != "fts5vocab"
    ]
    return TargetSchema(
        database=mapping.database,
        tables=tuple(early),
        after=tuple(s for s in statements if s not in early),
        left_out=tuple(
            o.name
            for o in mapping.objects
            if o.kind in {"table", "virtual table"} and o.outcome in {LEFT_OUT, REFUSED}
        ),
    )


def lift_catalogue(catalogue: Catalogue, schema: TargetSchema) -> Catalogue:
    """Return the catalogue of what moves: without everything that is left out."""
    kept = {s.name for s in (*schema.tables, *schema.after)}
    tables = tuple(table for table in catalogue.tables if table.name in kept)
    names = {table.name for table in tables}
    return msgspec.structs.replace(
        catalogue,
        tables=tables,
        indexes=tuple(
            i for i in catalogue.indexes if (i.name in kept if i.sql else i.table in names)
        ),
        views=tuple(view for view in catalogue.views if view.name in kept),
        triggers=tuple(trigger for trigger in catalogue.triggers if trigger.name in kept),
        sequences={name: n for name, n in catalogue.sequences.items() if name in names},
    )


def to_markdown(mappings: Iterable[DatabaseMapping]) -> str:
    """Return the mapping as a page for people."""
    return "".join(f"{line}\n" for mapping in mappings for line in _lines(mapping))


def _lines(mapping: DatabaseMapping) -> Iterator[str]:
    yield f"# Database {mapping.database}"
    yield ""
    if mapping.rules:
        yield f"Rules met by the database itself: {', '.join(mapping.rules)}."
        yield ""
    if any(found.origin for found in mapping.objects):
        yield from _lines_of_server(mapping)
        return
    yield "| object | declared | outcome | rules |"
    yield "|---|---|---|---|"
    for found in mapping.objects:
        yield _line(f"{found.kind} **{found.name}**", "", found.outcome, found.rules)
        for column in found.columns:
            yield _line(
                f"{found.name}.{column.name}", column.declared, column.outcome, column.rules
            )
    yield ""


def _lines_of_server(mapping: DatabaseMapping) -> Iterator[str]:
    yield "| origin | target | outcome | rules | remarks |"
    yield "|---|---|---|---|---|"
    for found in mapping.objects:
        shown = f"{found.kind} **{found.name}**"
        yield _line(found.origin, shown, found.outcome, found.rules, _remarks(found))
        for column in found.columns:
            remarks = "; ".join(filter(None, (column.loss, column.undo, column.comment)))
            target = f"{found.name}.{column.name} {column.declared} ({column.op})"
            yield _line(
                f"{column.origin} {column.written}", target, column.outcome, column.rules, remarks
            )
    yield ""


def _remarks(found: ObjectMapping) -> str:
    return "; ".join(part for part in (found.becomes, found.comment) if part)


def _line(*cells: str | tuple[str, ...]) -> str:
    texts = (", ".join(cell) if isinstance(cell, tuple) else cell for cell in cells)
    return "| " + " | ".join(text.replace("|", "\\|").replace("\n", " ") for text in texts) + " |"
