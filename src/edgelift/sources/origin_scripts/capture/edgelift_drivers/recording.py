"""Records each distinct statement with the line of the app that sent it: lines of JSON in a folder.

`{"engine", "sql", "bound", "kind", "path", "line"}`: `path` is relative to `EDGELIFT_RECORD_ROOT`,
the copy of the app, and empty where none of its lines was at work. `kind` is `raw` for SQL that the
app (or a library that is no ORM of ours) wrote for the driver, `text` for SQL of the app's own that
went through SQLAlchemy or Django, `orm` for what those have made up, which they make up otherwise
for another database.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from types import FrameType
from typing import Any, NamedTuple

from . import statements

_MOST = 20_000  # distinct statements of a process
_LONGEST = 100_000  # characters of one: SQLite's own limit in a Worker
_ROOT = os.path.join(os.path.realpath(os.environ.get("EDGELIFT_RECORD_ROOT", os.curdir)), "")
# Parts of Django through which its ORM and the app's own SQL go alike.
_NEUTRAL = (
    "django.db.backends.utils", "django.db.backends.postgresql.", "django.db.backends.mysql."
)  # fmt: skip
_KINDS = {"": "raw", "django": "orm", "django-raw": "text", "sqlalchemy": "built",
          "dialect": "orm"}  # fmt: skip
# Functions by which drivers look types up for themselves.
_LOOKUPS = frozenset({"get_oids", "_get_oids", "_from_db", "_fetch"})
_DRIVERS = ("psycopg2.", "psycopg.", "aiopg.")
_RAW_QUERY = ("django.db.models.sql.query", "_execute_query")
_lock = threading.Lock()
_known: set[tuple[object, ...]] = set()
_folder = ""


class Place(NamedTuple):
    """The line of the app at work, and through which ORM (empty: none) it came here."""

    path: str
    line: int
    through: str


def start(folder: str) -> None:
    """Record into a folder from now on."""
    global _folder
    _folder = folder
    statements.observers.append(note_statement)


def note_statement(seen: statements.Statement) -> None:
    """Record what a driver was given."""
    place = find_place(sys._getframe(2))
    write(seen, _KINDS[place.through], place)


def find_place(frame: FrameType | None) -> Place:
    """Return the innermost line of the app, and what lies between it and the driver."""
    through = ""
    at: FrameType | None = frame
    while at is not None:
        file = at.f_code.co_filename
        if file.startswith(_ROOT) and "site-packages" not in file:
            return Place(file[len(_ROOT) :], at.f_lineno, through)
        through = _pass_through(through, at)
        at = at.f_back or _parent_of(at)
    return Place("", 0, through)


def _pass_through(through: str, frame: FrameType) -> str:
    module, function = str(frame.f_globals.get("__name__", "")), frame.f_code.co_name
    if through in {"django-raw", "dialect"}:
        return through
    if module.startswith(_DRIVERS) and function in _LOOKUPS:
        return "dialect"
    if module.startswith("sqlalchemy."):
        own = module.startswith("sqlalchemy.dialects.")
        if own and not through:  # the adapter of an asynchronous driver
            return ""
        return "dialect" if own or function == "first_connect" else "sqlalchemy"
    return _pass_django(through, module, function)


def _pass_django(through: str, module: str, function: str) -> str:
    if (module, function) == _RAW_QUERY:
        return "django-raw"
    plain = module.startswith(_NEUTRAL) and not module.endswith((".schema", ".introspection"))
    return through if plain or not module.startswith("django.db.") else "django"


def _parent_of(frame: FrameType) -> FrameType | None:
    """Return the frame that waits for the greenlet in which this one is the outermost."""
    greenlets: Any = sys.modules.get("greenlet")
    if greenlets is None:
        return None
    current = greenlets.getcurrent()
    while current is not None:
        parent = current.parent
        if parent is None or parent.gr_frame is None:
            return None
        if parent.gr_frame is not frame:
            found: FrameType = parent.gr_frame
            return found
        current = parent
    return None


def write(seen: statements.Statement, kind: str, place: Place) -> None:
    """Append a record unless it is known."""
    key = (*seen[:3], kind, place.path, place.line)
    with _lock:
        if key in _known or len(_known) >= _MOST or len(seen.sql) > _LONGEST:
            return
        _known.add(key)
        record = {"engine": seen.engine, "sql": seen.sql, "bound": seen.bound, "kind": kind}
        line = json.dumps({**record, "path": place.path, "line": place.line})
        with open(os.path.join(_folder, f"{os.getpid()}.jsonl"), "a", encoding="utf-8") as file:
            file.write(line + "\n")
