"""Writes edgelift.toml: what was found, with comments that say where and what was not taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import tomlkit
from tomlkit.items import Table

from edgelift.model.inventory import DatabaseUse, EnvVariable
from edgelift.model.server_url import find_engine
from edgelift.project import AppSection, JobSection, StaticSection, TestsSection
from edgelift.sources.probe import JobSeen

_HEAD = """\
What edgelift lifts and how; made by `edgelift init`, yours to change.
Every key is described in docs/reference/project-file.md. Secrets never stand here."""


@dataclass
class Detected:
    """All that init found, ready to be written; `notes` are comments on the app."""

    name: str
    app: AppSection
    reason: str
    notes: list[str] = field(default_factory=list)
    databases: Sequence[DatabaseUse] = ()
    static: Sequence[StaticSection] = ()
    jobs: Sequence[JobSection] = ()
    unscheduled: Sequence[JobSeen] = ()
    env: Sequence[EnvVariable] = ()
    required: frozenset[str] = frozenset()
    values: dict[str, str] = field(default_factory=dict)
    tests: TestsSection | None = None
    tests_place: str = ""


def to_toml(detected: Detected) -> str:
    """Return the text of edgelift.toml; the same findings give the same bytes."""
    document = tomlkit.document()
    for line in _HEAD.splitlines():
        document.add(tomlkit.comment(line))
    document.add("name", tomlkit.string(detected.name))
    document.add(tomlkit.nl())
    document.add("app", _app(detected))
    _add_databases(document, detected.databases)
    _add_static(document, detected.static)
    _add_jobs(document, detected)
    _add_env(document, detected)
    _add_tests(document, detected)
    return tomlkit.dumps(document).rstrip("\n") + "\n"


def _app(detected: Detected) -> Table:
    app = detected.app
    table = tomlkit.table()
    for note in [detected.reason, *detected.notes]:
        table.add(tomlkit.comment(note))
    table.add("framework", app.framework)
    table.add("entry", app.entry)
    table.add("root", app.root)
    if app.python:
        table.add("python", app.python)
    table.add("requirements", list(app.requirements))
    table.add(tomlkit.nl())
    return table


def _add_databases(document: tomlkit.TOMLDocument, databases: Sequence[DatabaseUse]) -> None:
    if not databases:
        return
    tables = tomlkit.aot()
    for number, use in enumerate(databases):
        table = tomlkit.table()
        if use.path:
            table.add(tomlkit.comment(f"{use.path}:{use.line}"))
        table.add("name", use.name)
        is_server = find_engine(use.url) is not None
        if is_server and not use.env and "${" not in use.url:
            table.add(tomlkit.comment("no variable sets it: put one for user and password here"))
        # A server's URL holds a password: it stays in the variable that the app reads it from.
        table.add("url", f"${{{use.env}}}" if is_server and use.env else _without_login(use.url))
        table.add("binding", "DB" if number == 0 else f"DB_{use.name.upper()}")
        table.add("strategy", "auto")
        if use.env:
            table.add("env", use.env)
        table.add(tomlkit.nl())
        tables.append(table)
    document.add("databases", tables)


def _without_login(url: str) -> str:
    """Return a URL without user and password, unless these are variables."""
    return url if "${" in url else re.sub(r"://[^/@\s]*@", "://", url)


def _add_static(document: tomlkit.TOMLDocument, sections: Sequence[StaticSection]) -> None:
    if not sections:
        return
    tables = tomlkit.aot()
    for section in sections:
        table = tomlkit.table()
        table.add("path", section.path)
        table.add("url", section.url)
        table.add(tomlkit.nl())
        tables.append(table)
    document.add("static", tables)


def _add_jobs(document: tomlkit.TOMLDocument, detected: Detected) -> None:
    for seen in detected.unscheduled:
        document.add(tomlkit.comment(f"job {seen.name!r} ({seen.trigger}): {seen.problem}"))
    if detected.unscheduled and not detected.jobs:
        document.add(tomlkit.nl())
    if not detected.jobs:
        return
    tables = tomlkit.aot()
    for job in detected.jobs:
        table = tomlkit.table()
        table.add("name", job.name)
        table.add("schedule", job.schedule)
        if job.call:
            table.add("call", job.call)
        table.add(tomlkit.nl())
        tables.append(table)
    document.add("jobs", tables)


def _add_env(document: tomlkit.TOMLDocument, detected: Detected) -> None:
    """Add secrets and needed variables as tables, all others as comments with their defaults."""
    written = tomlkit.table(is_super_table=True)
    optional = []
    for variable in detected.env:
        place = f"{variable.path}:{variable.line}" if variable.path else ""
        table = tomlkit.table()
        if place:
            table.add(tomlkit.comment(place))
        if variable.secret:
            table.add("secret", value=True)
        elif variable.name in detected.values:
            table.add("value", detected.values[variable.name])
        else:
            default = "none" if variable.default is None else repr(variable.default)
            optional.append(f"{variable.name}  default {default}  {place}")
            continue
        table.add(tomlkit.nl())
        written.add(variable.name, table)
    if optional:
        document.add(
            tomlkit.comment("Variables with defaults; to set one: [env.NAME] and value = ...")
        )
        for line in optional:
            document.add(tomlkit.comment(f"  {' '.join(line.split())}"))
        document.add(tomlkit.nl())
    if written:
        document.add("env", written)


def _add_tests(document: tomlkit.TOMLDocument, detected: Detected) -> None:
    if detected.tests is None:
        return
    table = tomlkit.table()
    table.add(tomlkit.comment(f"HTTP tests of the app itself: {detected.tests_place}"))
    table.add("command", list(detected.tests.command))
    table.add("base_url_env", detected.tests.base_url_env)
    document.add("tests", table)
