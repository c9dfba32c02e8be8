"""Make the origin's sqlite3 fail on purpose; run by capture/sitecustomize.py in its Python.

The variable EDGELIFT_FAULTS names a folder: the file `armed` in it holds "<serial> <kind> <n>",
each fault that was raised adds a line to `fired`, `databases` lists the files that are meant. The
same faults as in the Worker: worker/sqlite3/faults.py.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

FOLDER = Path(os.environ["EDGELIFT_FAULTS"])
DATABASES = frozenset((FOLDER / "databases").read_text("utf-8").splitlines())
_WRITE = re.compile(
    r"\s*(?:(?:--[^\n]*\n|/\*.*?\*/)\s*)*(insert|update|delete|replace)\b",
    re.IGNORECASE | re.DOTALL,
)
_COMMIT = re.compile(r"\s*(commit|end)\b", re.IGNORECASE)
_lock = threading.Lock()
_seen: dict[str, int] = {}  # how often the armed place was met, by serial
_connect = sqlite3.connect


def meet(kind: str) -> None:
    """Raise sqlite3.OperationalError when this is the place that was armed."""
    try:
        serial, armed, number = (FOLDER / "armed").read_text("utf-8").split()
    except (OSError, ValueError):
        return
    if kind != armed:
        return
    with _lock:
        _seen[serial] = _seen.get(serial, 0) + 1
        if _seen[serial] != int(number):
            return
        with (FOLDER / "fired").open("a", encoding="utf-8") as file:
            file.write(f"{serial}\n")
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = 10, "SQLITE_IOERR"
    raise error


def failing_cursor(base: type[sqlite3.Cursor]) -> type[sqlite3.Cursor]:
    """Return a cursor class that meets faults at its writes and commits."""

    class Cursor(base):  # type: ignore[valid-type, misc]
        def execute(self, sql: str, *parameters: Any) -> Any:
            return run(sql, lambda: base.execute(self, sql, *parameters))

        def executemany(self, sql: str, *parameters: Any) -> Any:
            return run(sql, lambda: base.executemany(self, sql, *parameters))

    return Cursor


def run(sql: object, work: Any) -> Any:
    """Run a statement, with the faults before and after it."""
    text = sql if isinstance(sql, str) else ""
    if _COMMIT.match(text):
        meet("commit")
    writes = _WRITE.match(text)
    if writes:
        meet("write")
    result = work()
    if writes:
        meet("written")
    return result


def failing_connection(base: type[sqlite3.Connection]) -> type[sqlite3.Connection]:
    """Return a connection class whose cursors and commits meet faults."""
    cursors: dict[type, type] = {}

    class Connection(base):  # type: ignore[valid-type, misc]
        def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
            if isinstance(factory, type) and issubclass(factory, sqlite3.Cursor):
                factory = cursors.setdefault(factory, failing_cursor(factory))
            return base.cursor(self, factory)

        def execute(self, sql: str, *parameters: Any) -> Any:
            return self.cursor().execute(sql, *parameters)

        def executemany(self, sql: str, *parameters: Any) -> Any:
            return self.cursor().executemany(sql, *parameters)

        def commit(self) -> None:
            if self.in_transaction:
                meet("commit")
            base.commit(self)

        def __exit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            traceback: TracebackType | None,
        ) -> Any:
            if kind is None and self.in_transaction:
                try:
                    meet("commit")
                except sqlite3.OperationalError:
                    self.rollback()
                    raise
            return base.__exit__(self, kind, error, traceback)

    return Connection


_connections: dict[type, type] = {}


def connect(database: Any, *arguments: Any, **named: Any) -> Any:
    """Open a database, one of those that are meant so that it can fail."""
    path = os.fsdecode(database) if isinstance(database, (str, bytes, os.PathLike)) else ""
    path = path.partition("?")[0].removeprefix("file:") if named.get("uri") else path
    if os.path.realpath(path) in DATABASES and len(arguments) < 5:
        factory = named.get("factory", sqlite3.Connection)
        if isinstance(factory, type):
            named["factory"] = _connections.setdefault(factory, failing_connection(factory))
    return _connect(database, *arguments, **named)


sqlite3.connect = sqlite3.dbapi2.connect = connect
