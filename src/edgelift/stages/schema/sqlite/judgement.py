"""Judge a SQLite file that `[schema]` changes: its schema rewritten, its rows tried, all accounted.

A file that moves as it is keeps its shorter way (`judge_database`). Here every value that gets
another form goes through its conversion once, into nothing: what no form can carry is known before
the first byte moves.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgelift.model.catalogue import Catalogue, Table
from edgelift.model.move_plan import MovePlan, hash_shape
from edgelift.model.mover_settings import SchemaSection
from edgelift.rows.wires import ROW_LIMIT
from edgelift.sources.origin_database import SnapshotReader, TableFacts, open_origin
from edgelift.sources.sqlite import SqliteSource
from edgelift.sources.sqlite_catalogue import NOT_OURS, quote_identifier, read_catalogue
from edgelift.sources.sqlite_errors import origin_errors
from edgelift.sources.sqlite_origin import to_url
from edgelift.sources.sqlite_origin.catalogue import SCHEMA, to_origin_schema
from edgelift.stages.schema.data_rules import judge_rows, judge_size
from edgelift.stages.schema.issues import ERROR, Issue
from edgelift.stages.schema.load_check import Engine, build_probes, run_load_check
from edgelift.stages.schema.mapping import Judged, build_mapping, build_schema, lift_catalogue
from edgelift.stages.schema.rules import judge_catalogue
from edgelift.stages.schema.server.convert import plan_ways
from edgelift.stages.schema.server.judgement import ServerJudgement
from edgelift.stages.schema.sqlite.edits import edit_statements
from edgelift.stages.schema.sqlite.moves import (
    build_moves,
    build_views,
    list_finishing,
    plan_rows,
)
from edgelift.stages.schema.sqlite.names import decide_names
from edgelift.stages.schema.sqlite.outcome import Entry, account, find_unaccounted, judge_lost
from edgelift.stages.schema.sqlite.rewriting import (
    USED,
    Rewriting,
    build_catalogue,
    find_forms,
    leave_out,
    rename,
)
from edgelift.stages.schema.sqlite.scratch import Scratch
from edgelift.stages.schema.sqlite.trial import FORM, try_forms, try_unique
from edgelift.stages.schema.sqlite.uses import (
    judge_keys,
    judge_uses,
    judge_views,
    judge_virtual,
    judge_ways,
)
from edgelift.stages.schema.sqlite.words import restore_views

Progress = Callable[[str, int, int], None]
_INVALID = "SCHEMA-TEXT-INVALID"
_SIZES = frozenset({"SCHEMA-DATABASE-SIZE", "SCHEMA-DATABASE-SIZE-FREE"})


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked of a database: its `name`, its own `settings`, and the rules `accepted`."""

    name: str
    settings: SchemaSection
    accepted: frozenset[str]
    progress: Progress = lambda _what, _done, _total: None


def judge_rewritten(
    order: Order, snapshot: Path, violations: tuple[str, ...], engine: Engine
) -> ServerJudgement:
    """Judge one snapshot under its settings; `engine` is D1's SQLite.

    Raises OriginError when the snapshot cannot be read, UsageError for settings that fit nothing.
    """
    with origin_errors(snapshot), SqliteSource(snapshot).open() as db:
        rewriting = plan_rewriting(db, snapshot, order.settings)
        entries = db.execute(
            f"SELECT type, name, tbl_name FROM sqlite_schema WHERE {NOT_OURS}"
        ).fetchall()
        issues = list(_judge_rows(db, rewriting, violations))
        issues += _judge_objects(db, rewriting)
    made = _rewrite(rewriting)
    issues += rewriting.issues
    issues += [i for i in judge_catalogue(made) if not _is_told(i, rewriting)]
    issues += judge_lost(rewriting, made)
    with open_origin(to_url(snapshot)) as adapter, contextlib.closing(
        adapter.open_snapshot()
    ) as reader:  # fmt: skip
        issues += try_forms(reader, rewriting, order.progress)
        issues += try_unique(reader, rewriting)
        facts = _read_facts(reader, rewriting, order.progress)
    issues += judge_size(sum(found.total_bytes for found in facts.values()))
    return _settle(order, Found(rewriting, made, facts, entries), issues, engine)


@dataclass(frozen=True)
class Found:
    """What was found of a database: its schema here and there, facts, all entries of the origin."""

    rewriting: Rewriting
    made: Catalogue
    facts: dict[str, TableFacts]
    entries: list[Entry]


def plan_rewriting(db: sqlite3.Connection, snapshot: Path, settings: SchemaSection) -> Rewriting:
    """Return the ways of all columns and the origin's schema, ready to be changed."""
    catalogue = read_catalogue(db)
    origin = to_origin_schema(catalogue)
    names = decide_names(origin, catalogue, settings)
    with open_origin(to_url(snapshot)) as adapter:
        ways = plan_ways(origin, adapter, settings, names)
    return Rewriting(catalogue, origin, ways, Scratch(catalogue), find_forms(catalogue, ways))


def _rewrite(rewriting: Rewriting) -> Catalogue:
    rewriting.issues += judge_ways(rewriting)
    rewriting.issues += judge_uses(rewriting)
    rewriting.issues += judge_virtual(rewriting)
    rewriting.issues += judge_keys(rewriting)
    leave_out(rewriting)
    before = set(rewriting.scratch.lost)
    rename(rewriting)
    if set(rewriting.scratch.lost) != before:
        rewriting.issues += restore_views(rewriting)
    made = build_catalogue(rewriting, edit_statements(rewriting))
    rewriting.issues += judge_views(rewriting, made)
    return made


def _is_told(issue: Issue, rewriting: Rewriting) -> bool:
    """Return whether an issue only says again what the overrides were told to break."""
    told = {(i.rule, i.kind, i.name) for i in rewriting.issues}
    if issue.rule == "SCHEMA-FK-TARGET":
        return (issue.rule, issue.kind, issue.name) in told
    return issue.kind == "virtual table" and (USED, issue.kind, issue.name) in told


def _judge_rows(
    db: sqlite3.Connection, rewriting: Rewriting, violations: tuple[str, ...]
) -> Iterator[Issue]:
    """Yield what the rows that move break, under the target's names."""
    left = tuple(_cut_table(rewriting, table) for table in rewriting.catalogue.tables)
    cut = msgspec.structs.replace(
        rewriting.catalogue, tables=tuple(table for table in left if table is not None)
    )
    told = tuple(line for line in violations if not _is_of_gone(rewriting, line))
    for issue in judge_rows(db, cut, told):
        if issue.rule in _SIZES:  # of the whole file, of which only a part moves
            continue
        if issue.rule == _INVALID:
            yield from _judge_invalid(rewriting, issue)
            continue
        column = rewriting.name_column(issue.name, issue.column) if issue.column else ""
        yield Issue(
            issue.rule, issue.level, issue.kind, rewriting.name(issue.name), issue.message,
            issue.tip, column, issue.refuses,
        )  # fmt: skip


def _is_of_gone(rewriting: Rewriting, violation: str) -> bool:
    """Return whether quick_check speaks of a table or column that stays behind."""
    places = [(table, "") for _, table in rewriting.ways.names.excluded_tables]
    places += [(table, column) for _, table, column in rewriting.ways.names.excluded_columns]
    return any(
        violation.endswith(f" in {table}.{column}")
        if column
        else violation.endswith(f" in {table}") or f" in {table}." in violation
        for table, column in places
    )


def _judge_invalid(rewriting: Rewriting, issue: Issue) -> Iterator[Issue]:
    """Yield texts that are not UTF-8: the wire of a rewritten table carries them as bytes alone."""
    form = rewriting.forms.get((issue.name, issue.column))
    if form is None or form.op != "blob":
        yield Issue(
            _INVALID, ERROR, issue.kind, rewriting.name(issue.name),
            f"{issue.message.partition(';')[0]}; a table that is rewritten carries none",
            "move the bytes: [[schema.cast]] as = 'blob', or leave the column out; no acceptance "
            "moves it", column=rewriting.name_column(issue.name, issue.column),
        )  # fmt: skip


def _judge_objects(db: sqlite3.Connection, rewriting: Rewriting) -> Iterator[Issue]:
    """Yield columns to offload whose values no file would tell apart, or that are too large."""
    for (_, table), objects in rewriting.ways.objects.items():
        for found in objects:
            name = quote_identifier(found.origin)
            texts, blobs, most = db.execute(
                f"SELECT total(typeof({name}) = 'text'), total(typeof({name}) = 'blob'), "
                f"coalesce(max(length(CAST({name} AS BLOB))), 0) "
                f"FROM main.{quote_identifier(table)}"
            ).fetchone()
            why = ""
            if texts and blobs:
                why = (
                    f"holds {int(texts)} texts and {int(blobs)} blobs, of which files tell nothing"
                )
            elif most > ROW_LIMIT:
                why = f"holds a value of {most} bytes; {ROW_LIMIT} are what one row may bring"
            if why:
                yield Issue(
                    FORM, ERROR, "table", rewriting.name(table), f"column {found.column} {why}",
                    "leave the column out under [schema] exclude, or mend it at the origin",
                    column=found.column,
                )  # fmt: skip


def _cut_table(rewriting: Rewriting, table: Table) -> Table | None:
    """Return a table with the columns whose values move as they are, or in a form as large."""
    if rewriting.is_gone(table.name):
        return None
    spec = rewriting.ways.specs[SCHEMA, table.name]
    objects = {found.origin for found in rewriting.ways.objects.get((SCHEMA, table.name), ())}
    moved = {found.origin for found in spec.fields if found.op != "refused"} - objects
    keys = tuple(
        key for key in table.foreign_keys
        if not any(rewriting.is_gone(t.name) and t.name.lower() == key.target_table.lower()
                   for t in rewriting.catalogue.tables)
    )  # fmt: skip
    columns = tuple(column for column in table.columns if column.name in moved)
    return msgspec.structs.replace(table, columns=columns, foreign_keys=keys)


def _read_facts(
    reader: SnapshotReader, rewriting: Rewriting, progress: Progress
) -> dict[str, TableFacts]:
    facts = {}
    listed = [t for t in rewriting.catalogue.tables if not rewriting.is_gone(t.name)]
    for done, table in enumerate(listed):
        progress("tables looked through", done, len(listed))
        spec = plan_rows(rewriting, table).spec
        if table.columns and spec.fields:
            facts[table.name] = reader.read_facts(spec)
    return facts


def _settle(order: Order, found: Found, issues: list[Issue], engine: Engine) -> ServerJudgement:
    rewriting, made = found.rewriting, found.made
    judged = Judged(order.name, made, tuple(issues), order.accepted)
    schema = build_schema(build_mapping(judged), made)
    probes = build_probes(schema, made)
    issues += run_load_check(probes, engine)
    judged = Judged(order.name, made, tuple(issues), order.accepted)
    mapping = build_mapping(judged)
    schema = build_schema(mapping, made)
    mapping = account(mapping, rewriting, issues, order.accepted)
    kept = {statement.name for statement in (*schema.tables, *schema.after)}
    return ServerJudgement(
        mapping=mapping,
        schema=schema,
        catalogue=lift_catalogue(made, schema),
        issues=tuple(_sort(issues)),
        plan=MovePlan(
            database=order.name,
            product="SQLite",
            dialect="sqlite",
            shape=hash_shape(rewriting.origin),
            tables=build_moves(rewriting, kept, found.facts),
            views=build_views(rewriting, kept),
            finishing=list_finishing(made, kept),
        ),
        objects=len(found.entries),
        lost=tuple(find_unaccounted(found.entries, mapping, rewriting.catalogue)),
        statements=len(probes),
    )


def _sort(issues: Iterable[Issue]) -> list[Issue]:
    """Return issues once each, in their order."""
    return list(dict.fromkeys(issues))
