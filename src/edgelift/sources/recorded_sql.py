"""SQL that the origin really sent to its server, with the line of the app: recorded, read, judged.

The records are written by origin_scripts/capture/edgelift_drivers in the origin's process, where
`recording_environment` puts it to work. Plan records while the origin's own tests run, verify while
flows do. Used by build too, which gives translations of texts made at run time to the Worker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from edgelift.sources.driver_sql import ENGINES, find_unknown
from edgelift.sources.estimators import hooked_path
from edgelift.sources.server_sql import Translation, is_query, translate_sql

RAW, TEXT, ORM = "raw", "text", "orm"
# In the journal: what plan has recorded and read, and what verify's flows have sent.
DOCUMENT, SEEN_IN_FLOWS = "recorded-sql", "recorded-sql:flows"
_FORMATTED = re.compile(r"%(?:\((?P<name>\w+)\)s|(?P<plain>s)|(?P<percent>%))")
_QUOTED = re.compile(r"'(?:[^']|'')*'")


class RecordedStatement(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A statement as the app gave it to its driver (`raw`), or to an ORM as a `text`.

    `orm` is what an ORM made up, for this database only. `bound` tells that parameters came with
    it, so that `%s` or `$1` in it are their places. `path` is relative to the project.
    """

    path: str
    line: int
    engine: str
    sql: str
    kind: str
    bound: bool


def recording_environment(folder: Path, root: Path) -> dict[str, str]:
    """Make a folder and return the variables that let an origin process record into it.

    `root` is the copy of the app that runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "EDGELIFT_RECORD": str(folder.absolute()),
        "EDGELIFT_RECORD_ROOT": str(root.resolve()),
        "PYTHONPATH": hooked_path(),
    }


def read_recorded(folder: Path) -> list[RecordedStatement]:
    """Return what was recorded, each once, in order of file and line; half a last line is none."""
    found = set()
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                found.add(msgspec.json.decode(line, type=RecordedStatement))
    return sorted(found)


def select_own(recorded: Iterable[RecordedStatement]) -> Iterator[RecordedStatement]:
    """Yield the statements on rows that the app itself wrote: they must have a form in SQLite."""
    for one in recorded:
        if one.kind != ORM and is_query(one.sql):
            yield one


def to_plain(statement: RecordedStatement) -> str:
    """Return the statement with `?` and `:name` for the places of `%s` and `%(name)s`.

    That is what sqlglot reads; other places are left as they are.
    """
    if not statement.bound or (statement.kind == TEXT and "%" not in statement.sql):
        return statement.sql
    parts, last = [], 0
    for quoted in _QUOTED.finditer(statement.sql):
        parts += [_replace(statement.sql[last : quoted.start()]), quoted[0].replace("%%", "%")]
        last = quoted.end()
    return "".join([*parts, _replace(statement.sql[last:])])


def _replace(text: str) -> str:
    def to_place(found: re.Match[str]) -> str:
        if found["percent"]:
            return "%"
        return f":{found['name']}" if found["name"] else "?"

    return _FORMATTED.sub(to_place, text)


def judge(statement: RecordedStatement) -> Translation:
    """Return what becomes of a statement in SQLite, or the problem that keeps it from that.

    What the app gives to its driver is translated in the Worker, with the tables that it names.
    """
    if statement.kind == RAW and statement.engine in ENGINES:
        return Translation(statement.sql, find_unknown(statement.sql, statement.engine))
    return translate_sql(to_plain(statement), statement.engine)
