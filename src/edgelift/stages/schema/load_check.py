"""Load the converted schema into D1's own engine and say which object it refuses, and why.

Beyond creating everything it compiles what creation alone does not: a SELECT on every view, and an
insert, update and delete on every table, which pull in the triggers and the foreign keys.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgelift.model.catalogue import Catalogue, Table
from edgelift.model.target_schema import Statement, TargetSchema
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.schema.issues import ERROR, NOTE, WARNING, Issue
from edgelift.targets.workerd.sql_check import StatementError

Engine = Callable[[Sequence[str]], list[StatementError]]


@dataclass(frozen=True)
class Probe:
    """A statement for the engine on behalf of an object; `creates` tells DDL from compilation."""

    kind: str
    name: str
    sql: str
    creates: bool = False


def build_probes(schema: TargetSchema, catalogue: Catalogue) -> list[Probe]:
    """Return all statements for the engine: creation first, then one that compiles each use."""
    created = [Probe(s.kind, s.name, s.sql, creates=True) for s in (*schema.tables, *schema.after)]
    kept = {probe.name for probe in created}
    probes = [
        Probe("view", view.name, f"SELECT * FROM main.{quote_identifier(view.name)} LIMIT 0")
        for view in catalogue.views
        if view.name in kept
    ]
    for table in catalogue.tables:
        if table.name in kept and not table.virtual:
            probes += [Probe("table", table.name, sql) for sql in _uses(table)]
    return created + probes


def _uses(table: Table) -> list[str]:
    name = f"main.{quote_identifier(table.name)}"
    columns = [quote_identifier(c.name) for c in table.columns if not c.generated_kind]
    same = ", ".join(f"{column} = {column}" for column in columns)
    return [
        f"EXPLAIN INSERT INTO {name} DEFAULT VALUES",
        f"EXPLAIN UPDATE {name} SET {same}",
        f"EXPLAIN DELETE FROM {name}",
    ]


def run_load_check(
    probes: Sequence[Probe], engine: Engine, *, same_engine: bool = True
) -> list[Issue]:
    """Return an issue for each object that the engine refuses.

    With `same_engine` (the origin is SQLite too) what it refuses as well (a view on a dropped
    table) is a warning: it is as broken after the lift as before.
    """
    issues: dict[tuple[str, str], Issue] = {}
    errors = engine([probe.sql for probe in probes])
    if not errors:
        return []
    broken = _find_broken(probes) if same_engine else set()
    for error in errors:
        probe = probes[error.index]
        message = re.sub(r"( at offset \d+)?: SQLITE_\w+.*$", "", error.message)
        old = error.index in broken and not probe.creates
        for kind, name in _find_culprits(probe, error.message, probes):
            issue = _make_issue(kind, name, message, is_old=old)
            issues.setdefault((kind, name), issue)
    return list(issues.values())


def _make_issue(kind: str, name: str, message: str, *, is_old: bool) -> Issue:
    if is_old:
        return Issue(
            "SCHEMA-BROKEN", WARNING, kind, name,
            f"does not work at the origin either: {message}", "drop it or mend it there",
        )  # fmt: skip
    return Issue(
        "SCHEMA-LOAD", ERROR, kind, name, f"Cloudflare's engine refuses it: {message}",
        "rewrite it at the origin with what Cloudflare has, or accept the rule: it then "
        "stays behind", refuses=True,
    )  # fmt: skip


def _find_culprits(probe: Probe, message: str, probes: Sequence[Probe]) -> list[tuple[str, str]]:
    """Return the triggers that mention what a use of a table failed at: its own, else any; or it.

    A table by itself was taken when it was created.
    """
    if probe.creates or probe.kind != "table":
        return [(probe.kind, probe.name)]
    subject = re.search(r"(?:function|table|column|view)s?: ?(?:main\.)?([\w.]+)", message)
    if not subject:
        return [(probe.kind, probe.name)]
    word = re.compile(rf"(?<!\w){re.escape(subject[1])}(?!\w)", re.IGNORECASE)
    found = [p for p in probes if p.kind == "trigger" and p.creates and word.search(p.sql)]
    on = re.compile(rf"\sON\s+[\"'`\[]?{re.escape(probe.name)}(?!\w)", re.IGNORECASE)
    named = [p for p in found if on.search(p.sql.partition("BEGIN")[0])] or found
    return [(p.kind, p.name) for p in named] or [(probe.kind, probe.name)]


def _find_broken(probes: Sequence[Probe]) -> set[int]:
    """Return the positions of probes that plain SQLite refuses too."""
    broken = set()
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        for index, probe in enumerate(probes):
            try:
                db.execute(probe.sql).fetchall()
            except (sqlite3.Error, sqlite3.Warning):
                broken.add(index)
    return broken


def find_newer(schema: TargetSchema, refused: Sequence[Issue]) -> list[Issue]:
    """Return a note for each object that Cloudflare takes and the SQLite of this Python does not.

    Such a SQLite then refuses the whole file, unless it is told to go on (sqlite_newer.py).
    """
    gone = {(issue.kind, issue.name) for issue in refused}
    notes = []
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        for statement in (*schema.tables, *schema.after):
            try:
                db.execute(statement.sql)
            except sqlite3.Error as error:
                if (statement.kind, statement.name) not in gone:
                    notes.append(_note_newer(statement, error))
    return notes


def _note_newer(statement: Statement, error: sqlite3.Error) -> Issue:
    return Issue(
        "SCHEMA-SQLITE-NEWER", NOTE, statement.kind, statement.name,
        f"needs a newer SQLite than the {sqlite3.sqlite_version} of this Python ({error}): such a "
        "one opens the file only after PRAGMA writable_schema=ON; D1 and SQL objects read it",
    )  # fmt: skip
