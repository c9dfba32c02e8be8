"""Write the edgelift.toml of a project that is one database without an app, for `edgelift move`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote

import tomlkit

from edgelift.errors import UsageError
from edgelift.project import FILE_NAME, find_settings, parse_settings
from edgelift.sources.origin_database import is_server_url, mask_url
from edgelift.sources.sqlite_url import find_sqlite_file, is_sqlite_url

PASSWORD = "EDGELIFT_DATABASE_PASSWORD"  # noqa: S105 - the variable's name
_LOGIN = re.compile(r"(?P<head>[A-Za-z][A-Za-z0-9+.-]*://[^:@/]*):(?P<password>.*)@(?P<rest>.*)")
_HEAD = """\
The database that is moved and how; made by `edgelift move`, yours to change.
Every key is described in docs/reference/project-file.md. Secrets never stand here."""


def write_database_project(
    url: str, folder: Path, *, accept: Sequence[str] = (), force: bool = False
) -> None:
    """Make the folder a project of the database, unless it is one already.

    The URL's password goes into the environment of this process; the file names its variable.
    Raises UsageError for a URL that no adapter opens, and for a folder of another database.
    """
    if not (is_server_url(url) or is_sqlite_url(url)):
        raise UsageError(
            f"No adapter opens {mask_url(url)}",
            why="the scheme of the url is not known",
            tip="write it like postgresql://user@host/database or mysql://user@host/database",
        )
    written, password = hide_password(_to_absolute(url))
    if password:
        os.environ[PASSWORD] = quote(password, safe="")
    existing = find_settings(folder) if folder.is_dir() else None
    known = _read_accepted(existing)
    if existing is not None and not force:
        _check_same(existing, written, folder)
    same = existing is not None and _is_same(existing, written, folder)
    if same and set(accept) <= set(known):
        return
    rules = list(dict.fromkeys([*known, *accept]))
    path = existing or folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = _add_rules(path, rules) if same else _build(written, folder, rules)
        part = path.with_name(f"{path.name}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UsageError(
            f"The folder {folder} cannot be written",
            why=str(error),
            tip="give another folder with --to",
        ) from error


def hide_password(url: str) -> tuple[str, str]:
    """Return the URL with its password as a variable, and the password; empty without one."""
    found = _LOGIN.fullmatch(url)
    if found is None or found["password"].startswith("${"):
        return url, ""
    return f"{found['head']}:${{{PASSWORD}}}@{found['rest']}", unquote(found["password"])


def _to_absolute(url: str) -> str:
    """Return the path of a SQLite file as an absolute one: the project is another folder."""
    return str(find_sqlite_file(url, Path.cwd())) if is_sqlite_url(url) else url


def _is_same(existing: Path, written: str, folder: Path) -> bool:
    settings = parse_settings(existing)
    urls = [
        str(find_sqlite_file(d.url, folder)) if is_sqlite_url(d.url) else d.url
        for d in settings.databases
    ]
    return not settings.has_app and urls == [written]


def _add_rules(path: Path, rules: Sequence[str]) -> str:
    """Return the settings as the user has them, with the rules accepted."""
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    if "accept" not in document:
        document["accept"] = tomlkit.table()
    accepted: dict[str, object] = document["accept"]
    accepted["rules"] = list(rules)
    return tomlkit.dumps(document)


def _check_same(existing: Path, written: str, folder: Path) -> None:
    if not _is_same(existing, written, folder):
        settings = parse_settings(existing)
        urls = [database.url for database in settings.databases]
        raise UsageError(
            f"{existing} is about something else",
            why=f"it names {', '.join(map(mask_url, urls)) or 'no database'}"
            + (" and an app" if settings.has_app else ""),
            tip=f"give another folder with --to, or run: edgelift data {folder}",
        )


def _read_accepted(existing: Path | None) -> list[str]:
    return list(parse_settings(existing).accept.rules) if existing is not None else []


def _build(url: str, folder: Path, accept: Sequence[str]) -> str:
    document = tomlkit.document()
    for line in _HEAD.splitlines():
        document.add(tomlkit.comment(line))
    document.add("name", tomlkit.string(folder.absolute().name or "database"))
    document.add(tomlkit.nl())
    database = tomlkit.table()
    database.add("name", "main")
    database.add("url", url)
    tables = tomlkit.aot()
    tables.append(database)
    document.add("databases", tables)
    if accept:
        section = tomlkit.table()
        section.add("rules", list(accept))
        document.add("accept", section)
    return tomlkit.dumps(document).rstrip("\n") + "\n"
