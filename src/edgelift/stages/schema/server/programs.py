"""Views, triggers and routines: what sqlglot can say in SQLite is converted, the rest is refused.

A trigger is converted when its body is a list of plain statements, an IF around such a list,
errors of its own, or assignments to the new row (an UPDATE of that row afterwards).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from edgelift.model.origin_schema import OriginSchema, OriginTrigger, OriginView
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.schema.issues import ERROR, NOTE, WARNING, Issue
from edgelift.stages.schema.server.expressions import (
    convert_expression,
    convert_query,
    convert_statement_text,
)
from edgelift.stages.schema.server.folding import judge_folding
from edgelift.stages.schema.server.parts import Part, TableContext
from edgelift.stages.schema.server.scope import NOW, Scope, UnconvertibleError

_ASSIGN = re.compile(
    r"(?:SET\s+)?NEW\.(?P<column>[`\"]?[\w$]+[`\"]?)\s*:?=\s*(?P<value>.+)",
    re.IGNORECASE | re.DOTALL,
)
_IF = re.compile(
    r"IF\s+(?P<condition>.+?)\s+THEN\s+(?P<body>.+?)\s*;?\s*END\s+IF",
    re.IGNORECASE | re.DOTALL,
)
# What ends the statement with a text of its own; parameters and escapes are not followed.
_RAISE = re.compile(
    r"(?:SIGNAL\s+SQLSTATE\s+(?:VALUE\s+)?'45000'\s+SET\s+MESSAGE_TEXT\s*=|RAISE\s+EXCEPTION)\s*"
    r"(?P<text>'(?:[^']|'')*')",
    re.IGNORECASE,
)
_CHANGES = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE", "WITH"})
_RETURN = re.compile(r"RETURN\s+(NEW|OLD|NULL)", re.IGNORECASE)
_BLOCK = re.compile(r"\s*BEGIN\b(?P<body>.*)\bEND\s*;?\s*", re.IGNORECASE | re.DOTALL)
_DEFERRED = re.compile(r"CREATE CONSTRAINT TRIGGER\b[^;]*\bINITIALLY DEFERRED\b", re.IGNORECASE)
_DROPPED = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def convert_view(view: OriginView, name: str, scope: Scope) -> Part:
    """Return a view in SQLite's dialect, or refused with the reason."""
    kind, origin = "view", f"{view.schema}.{view.name}"
    try:
        query = convert_query(view.query.rstrip().removesuffix(";"), scope)
    except UnconvertibleError as error:
        issue = Issue(
            "SCHEMA-VIEW", ERROR, kind, name, f"cannot be kept: {error}",
            "rewrite it at the origin with what SQLite has, query its tables in the app, or accept "
            "the rule", refuses=True,
        )  # fmt: skip
        return Part(kind=kind, name=name, origin=origin, comment=view.comment, issues=(issue,))
    columns = f" ({', '.join(map(quote_identifier, view.columns))})" if view.columns else ""
    issues = [*judge_folding(kind, name, query, "it shows and finds other texts then")]
    if view.materialized:
        issues.append(
            Issue(
                "SCHEMA-VIEW-MATERIALIZED", WARNING, kind, name,
                "is materialized at the origin, not filled yet; here it is computed at each read",
            )
        )  # fmt: skip
    if view.check_option:
        issues.append(
            Issue(
                "SCHEMA-VIEW-READ-ONLY", WARNING, kind, name,
                "takes writes WITH CHECK OPTION at the origin; SQLite's views are read-only",
            )
        )  # fmt: skip
    return Part(
        kind=kind, name=name, origin=origin, comment=view.comment, issues=tuple(issues),
        sql=f"CREATE VIEW {quote_identifier(name)}{columns} AS {query}",
    )  # fmt: skip


@dataclass(frozen=True)
class _Body:
    """A trigger's body: a condition, statements of the origin, and assignments to the new row."""

    condition: str = ""
    statements: tuple[str, ...] = ()
    assigned: tuple[tuple[str, str], ...] = ()


def convert_trigger(
    trigger: OriginTrigger, schema: OriginSchema, contexts: Mapping[tuple[str, str], TableContext]
) -> Iterator[Part]:
    """Yield a trigger in SQLite's dialect, one for each event, or refused with the reason."""
    context = contexts.get((trigger.schema, trigger.table))
    name = f"{context.target if context else trigger.table}_{trigger.name}"
    parts = []
    for event in trigger.events:
        one = msgspec.structs.replace(trigger, events=(event,))
        suffix = f"_{event}" if len(trigger.events) > 1 else ""
        parts.append(_convert_event(one, f"{name}{suffix}", schema, context))
    refused = [part for part in parts if part.refused]
    yield from refused[:1] or parts


def _convert_event(
    trigger: OriginTrigger, name: str, schema: OriginSchema, context: TableContext | None
) -> Part:
    origin = f"{trigger.schema}.{trigger.table} {trigger.name}"
    target = context.target if context else trigger.table
    part = Part(kind="trigger", name=name, origin=origin, table=target)
    try:
        sql, assigns = _build_trigger(name, trigger, schema, context)
    except (UnconvertibleError, SqlglotError) as error:
        issue = Issue(
            "SCHEMA-TRIGGER", ERROR, "trigger", name,
            f"cannot be kept: {str(error).splitlines()[0]}",
            "do in the app what it does, or accept the rule", refuses=True,
        )  # fmt: skip
        return replace(part, issues=(issue,))
    folds = tuple(judge_folding("trigger", name, sql, "it decides and writes otherwise then"))
    if not assigns:
        return replace(part, sql=sql, issues=folds)
    issue = Issue(
        "SCHEMA-TRIGGER-AFTER", NOTE, "trigger", name,
        "changes the new row right after it is written, as SQLite cannot before: an insert must "
        "then satisfy NOT NULL and checks by itself",
    )  # fmt: skip
    return replace(part, sql=sql, issues=(issue, *folds))


def _build_trigger(
    name: str, trigger: OriginTrigger, schema: OriginSchema, context: TableContext | None
) -> tuple[str, bool]:
    """Return the statement, and whether it assigns to the new row."""
    if context is None:
        raise UnconvertibleError("its table or view stays behind")
    if not trigger.enabled:
        raise UnconvertibleError("it is disabled at the origin")
    if _DEFERRED.match(trigger.body):
        raise UnconvertibleError("it waits for the end of the transaction, SQLite's run at once")
    if trigger.level.lower() not in {"row", ""}:
        raise UnconvertibleError("it runs once per statement, SQLite's run once per row")
    event = trigger.events[0]
    if event not in {"insert", "update", "delete"}:
        raise UnconvertibleError(f"it runs at {event}, which SQLite does not notice")
    source = _find_source(trigger, schema)
    _check_return(trigger, source)
    body = _read_body(source)
    scope = _row_scope(context)
    conditions = [c for c in (trigger.when, body.condition) if c]
    when = " AND ".join(f"({_translate(c, scope)})" for c in conditions)
    steps = [_convert_step(statement, scope) for statement in body.statements]
    timing = trigger.timing.upper()
    if body.assigned:
        if timing != "BEFORE" or event == "delete":
            raise UnconvertibleError("it assigns to a row outside BEFORE INSERT or UPDATE")
        timing = "AFTER"
        steps.insert(0, _assign(body.assigned, context, scope))
    listens = trigger.columns and event == "update"
    of = f" OF {', '.join(context.name_of(c) for c in trigger.columns)}" if listens else ""
    statements = " ".join(f"{step};" for step in steps)
    sql = (
        f"CREATE TRIGGER {quote_identifier(name)} {timing} {event.upper()}{of} ON "
        f"{quote_identifier(context.target)} FOR EACH ROW"
        + (f" WHEN {when}" if when else "")
        + f" BEGIN {statements} END"
    )
    return sql, bool(body.assigned)


def _check_return(trigger: OriginTrigger, source: str) -> None:
    """Refuse a function whose RETURN lets the change not happen: NULL, or the row of before."""
    if not trigger.routine or trigger.timing.upper() != "BEFORE":
        return
    goes_on = "OLD" if trigger.events[0] == "delete" else "NEW"
    for found in _RETURN.finditer(_DROPPED.sub("", source)):
        if found[1].upper() != goes_on:
            raise UnconvertibleError(f"it returns {found[1].upper()}: the change is not made then")


def _row_scope(context: TableContext) -> Scope:
    return replace(context.scope, tables=context.tables, lasting=False)


def _translate(condition: str, scope: Scope) -> str:
    return convert_expression(condition, scope)


def _find_source(trigger: OriginTrigger, schema: OriginSchema) -> str:
    """Return the statements that a trigger runs: its own, or its function's."""
    if not trigger.routine:
        return trigger.body
    bare = trigger.routine.rpartition(".")[2]
    found = [
        r for r in schema.routines if r.name == bare or f"{r.schema}.{r.name}" == trigger.routine
    ]
    if not found or found[0].language.lower() != "plpgsql":
        language = found[0].language if found else "the server's own language"
        raise UnconvertibleError(f"it runs {trigger.routine} in {language}")
    parted = trigger.body.partition(f"language {found[0].language}\n")
    return parted[2] or found[0].body


def _read_body(source: str) -> _Body:
    text = _DROPPED.sub("", source).strip()
    if re.match(r"CREATE\b", text, re.IGNORECASE):
        text = re.sub(r"^.*?\bFOR\s+EACH\s+ROW\b", "", text, flags=re.IGNORECASE | re.DOTALL)
    block = _BLOCK.fullmatch(text)
    if block is None and re.search(r"\bDECLARE\b", text, re.IGNORECASE):
        raise UnconvertibleError("it declares variables")
    text = (block["body"] if block else text).strip().rstrip(";").strip()
    without_return = _RETURN.sub("", text).strip().rstrip(";").strip()
    condition = ""
    whole = _IF.fullmatch(without_return)
    if whole and not re.search(r"\b(ELSE|ELSIF|ELSEIF|IF)\b", whole["body"], re.IGNORECASE):
        condition, without_return = whole["condition"], whole["body"]
    statements, assigned = [], []
    for piece in _split(without_return):
        match = _ASSIGN.fullmatch(piece)
        if match:
            assigned.append((match["column"].strip('`"'), match["value"].strip()))
        else:
            statements.append(piece)
    if not statements and not assigned:
        raise UnconvertibleError("its body holds no statement")
    return _Body(condition, tuple(statements), tuple(assigned))


def _split(text: str) -> Iterator[str]:
    """Yield the statements between semicolons outside quotes."""
    for piece in re.findall(r"(?:'(?:[^']|'')*'|[^;'])+", text):
        if piece.strip():
            yield piece.strip()


def _convert_step(statement: str, scope: Scope) -> str:
    raised = _RAISE.fullmatch(statement)
    if raised and not re.search(r"[%\\\\]", raised["text"]):
        return f"SELECT RAISE(ABORT, {raised['text']})"
    word = statement.split(None, 1)[0].upper()
    tree = sqlglot.parse_one(statement, read=scope.dialect) if word in _CHANGES else None
    if not isinstance(tree, exp.Insert | exp.Update | exp.Delete):
        raise UnconvertibleError(f"its body does more than insert, update, delete: {word}")
    return convert_statement_text(tree, scope)


def _assign(assigned: Sequence[tuple[str, str]], context: TableContext, scope: Scope) -> str:
    rowid = _find_rowid(context)
    parts = []
    for column, value in assigned:
        found = next((c for c in context.fields if c.lower() == column.lower()), None)
        if found is None:
            raise UnconvertibleError(f"it assigns to {column}, which stays behind")
        parts.append(f"{context.name_of(found)} = {convert_expression(value, scope)}")
    table = quote_identifier(context.target)
    return f"UPDATE {table} SET {', '.join(parts)} WHERE {rowid} = NEW.{rowid}"


def _find_rowid(context: TableContext) -> str:
    taken = {field.column.lower() for field in context.fields.values()}
    found = next((name for name in ("rowid", "_rowid_", "oid") if name not in taken), None)
    if found is None:
        raise UnconvertibleError("its table hides SQLite's row number")
    return found


def build_update_stamps(context: TableContext) -> Iterator[Part]:
    """Yield a trigger for each column that the server stamps at an update (MySQL's ON UPDATE).

    As there, it fires when the row changes and the statement leaves the stamp alone.
    """
    for column in context.table.columns:
        if not column.on_update or column.name not in context.fields:
            continue
        stamp = context.name_of(column.name)
        name = f"{context.target}_{column.name}_on_update"
        table, rowid = quote_identifier(context.target), _find_rowid(context)
        others = [context.name_of(c) for c in context.fields if c != column.name]
        changed = " OR ".join(f"NEW.{c} IS NOT OLD.{c}" for c in others) or "0"
        now = NOW[context.scope.timestamps]
        yield Part(
            kind="trigger", name=name, table=context.target,
            origin=f"{context.origin}.{column.name} ON UPDATE",
            sql=f"CREATE TRIGGER {quote_identifier(name)} AFTER UPDATE ON {table} FOR EACH ROW "
            f"WHEN NEW.{stamp} IS OLD.{stamp} AND ({changed}) BEGIN UPDATE {table} SET {stamp} = "
            f"{now} WHERE {rowid} = NEW.{rowid}; END",
        )  # fmt: skip
