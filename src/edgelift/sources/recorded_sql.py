"""SQL that the origin really sent to its server, with the line of the app: recorded, read, judged.

The records are written by origin_scripts/capture/edgelift_drivers in the origin's process, where
`recording_environment` puts it to work. Plan records while the origin's own tests run, verify while
flows do; build judges what they have found with the tables that moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from edgelift.sources.estimators import hooked_path
from edgelift.sources.server_sql import ENGINES, find_unknown, is_query

RAW, TEXT, BUILT, ORM = "raw", "text", "built", "orm"
# In the journal: what plan has recorded and read, and what verify's flows have sent.
DOCUMENT, SEEN_IN_FLOWS = "recorded-sql", "recorded-sql:flows"


class RecordedStatement(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A statement as the app gave it to its driver (`raw`), or to Django as a `text`.

    `built` is what SQLAlchemy made of the app's expressions and texts, as the Worker will run it;
    `orm` what Django made up, for this database only. `bound` tells that parameters came with
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
    """Yield the statements on rows that the Worker must have a form for: all but Django's own."""
    for one in recorded:
        if one.kind != ORM and is_query(one.sql):
            yield one


def judge(statement: RecordedStatement) -> str:
    """Return what of a statement the Worker could not run, empty for nothing.

    With its tables build judges it again (stages/build/driver_texts.py).
    """
    if statement.engine not in ENGINES:
        return ""
    sql = statement.sql if statement.bound else statement.sql.replace("%", "%%")
    return find_unknown(sql, statement.engine)
