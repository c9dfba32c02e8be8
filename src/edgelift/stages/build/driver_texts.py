"""Judges the app's SQL for a moved database with the tables that it names, before the build.

Plan has judged the words alone; the types of columns decide the rest (`balance || id`, an interval
on a date). What is refused here the Worker would refuse at run time.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgelift.journal import Journal
from edgelift.model.findings import Finding, Level
from edgelift.model.inventory import Inventory
from edgelift.project import Project
from edgelift.sources.recorded_sql import (
    BUILT,
    DOCUMENT,
    RAW,
    TEXT,
    RecordedStatement,
    select_own,
)
from edgelift.sources.server_sql import build_translations, find_problem
from edgelift.sources.source_code.own_orms import has_django
from edgelift.sources.source_code.server_texts import read_fragments, read_sent, read_texts
from edgelift.sources.source_code.view import CodeView, build_view
from edgelift.stages.build.parts import Database, Parts

RULE = "BUILD-DRIVER-SQL"
_TIP = 'write it in other words; or keep the database on its server: strategy = "hyperdrive"'


def check_driver_texts(project: Project, journal: Journal, parts: Parts) -> list[Finding]:
    """Return what the servers of moved databases could not run of the app's statements."""
    databases = [d for d in parts.databases if d.vocabulary is not None or d.problems]
    inventory = journal.read_document("inventory", Inventory)
    view = build_view(project, inventory=inventory) if databases else None
    found: list[Finding] = []
    for database in databases:
        seen = journal.read_document(DOCUMENT, list[RecordedStatement]) or []
        if view is not None and database.problems:
            found += _tell_django(database, view, seen)
        if database.vocabulary is None:
            continue
        texts = [(one.sql, one.path, one.line) for one in _select(seen, database)]
        if view is not None and not has_django(view):
            texts += [(text, site.path, site.line) for site, text in read_sent(view)]
        found += _judge(database, texts)
    return found


def _tell_django(
    database: Database, view: CodeView, seen: list[RecordedStatement]
) -> Iterator[Finding]:
    """Yield the app's own SQL in Django that has no translation, each place once."""
    kinds = {TEXT} if database.vocabulary is not None else {TEXT, RAW}  # or a driver's of its own
    places = {(one.sql, one.path, one.line) for one in select_own(seen) if one.kind in kinds}
    listed = (*read_texts(view), *read_fragments(view))
    places |= {(text, site.path, site.line) for site, text in listed}
    for text, path, line in sorted(places):
        if text in database.problems:
            yield _find(text, database.problems[text], path, line)


def _select(seen: list[RecordedStatement], database: Database) -> Iterator[RecordedStatement]:
    for one in select_own(seen):
        if one.kind in {RAW, BUILT} and one.engine == database.origin:
            yield one


def _judge(database: Database, texts: list[tuple[str, str, int]]) -> Iterator[Finding]:
    assert database.vocabulary is not None
    translations = build_translations(database.vocabulary, database.origin)
    told: set[tuple[str, int]] = set()
    for text, path, line in texts:
        problem = find_problem(text, translations)
        if problem and (text, line) not in told:
            told.add((text, line))
            yield _find(text, problem, path, line)


def _find(text: str, problem: str, path: str, line: int) -> Finding:
    return Finding(
        rule=RULE,
        level=Level.ERROR,
        message=f"{' '.join(text.split())[:70]} ({problem}): the Worker answers it with an error",
        path=path or None,
        line=line or None,
        tip=_TIP,
    )
