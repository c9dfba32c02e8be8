"""Find the file behind a SQLite database URL, as SQLAlchemy, Django and plain paths write it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from edgelift.errors import UsageError
from edgelift.project import expand_variables
from edgelift.sources.origin_database import mask_url

_DRIVERS = ("sqlite:", "sqlite3:", "sqlite+pysqlite:", "sqlite+aiosqlite:", "file:")
_OTHER_SERVERS = ("postgres", "mysql", "mariadb", "mssql", "oracle", "mongodb", "redis")


def is_sqlite_url(url: str) -> bool:
    """Return whether a URL names a SQLite file: by its scheme, or as a path without one."""
    return url.startswith(_DRIVERS) or "://" not in url


def find_sqlite_file(url: str, root: Path) -> Path:
    """Return the absolute path of the file; relative ones start at the project's `root`.

    `sqlite:///a.db` is relative and `sqlite:////a.db` absolute, as in SQLAlchemy. Variables written
    `${NAME}` are taken from the environment. Raises UsageError for another kind of database.
    """
    expanded = expand_variables(url)
    if expanded.startswith(_OTHER_SERVERS) or not is_sqlite_url(expanded):
        raise UsageError(
            f"The database {mask_url(url)} is not SQLite",
            why="only a SQLite file can be opened here",
            tip="give the url of a SQLite file, for example sqlite:///instance/app.db",
        )
    scheme, _, path = expanded.partition(":")
    if not expanded.startswith(_DRIVERS):
        path = expanded
    else:
        path = unquote(path.split("?", 1)[0]) if scheme == "file" else path.split("?", 1)[0]
        if path.startswith("//"):
            path = "/" + path[2:].partition("/")[2]
            path = path if scheme == "file" else path[1:]
    if path in {"", ":memory:"}:
        raise UsageError(
            f"The database {url} lives in memory only",
            why="there is no file to move",
            tip="point the url in edgelift.toml at the file the app uses in production",
        )
    return (root / path).absolute()
