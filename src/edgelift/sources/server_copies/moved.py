"""Writes what a copy of a moved database holds into SQLite, by the specs that the move obeyed.

So the end state that the origin left on its server is compared with the Worker's cell by cell, in
the form of the target.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import msgspec

from edgelift.model.move_plan import MovePlan
from edgelift.model.row_spec import RowSpec
from edgelift.model.server_url import find_engine, parse_server_url
from edgelift.model.target_schema import TargetSchema
from edgelift.rows.engine import load_chunk, open_target
from edgelift.sources.origin_database import open_origin

CHUNK_ROWS = 50_000


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """How a database was moved: the documents `move:<db>` and `schema:<db>`."""

    plan: MovePlan
    schema: TargetSchema


def export_moved(url: str, move: Move, file: Path) -> None:
    """Write all rows of the database at `url`, and where its counters stand, into a new file.

    Raises OriginError for a value that the conversions refuse, as the move itself would have.
    """
    part = file.with_name(f"{file.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.unlink(missing_ok=True)
    with contextlib.closing(open_target(part, durable=False)) as db:
        db.execute("PRAGMA foreign_keys=OFF; PRAGMA ignore_check_constraints=ON").fetchall()
        for statement in move.schema.tables:
            db.execute(statement.sql)
        with open_origin(url) as origin:
            reader = origin.open_snapshot()
            try:
                for table in move.plan.tables:
                    spec = _in_copy(table.spec, url)
                    for chunk in reader.plan_chunks(spec, CHUNK_ROWS):
                        load_chunk(db, spec, reader.stream_chunk(spec, chunk))
                sequences = origin.read_schema().sequences
            finally:
                reader.close()
    counters = {_in_schema(s.owner, url): s.last for s in sequences if s.owner}
    with contextlib.closing(sqlite3.connect(part)) as file_db:
        for table in move.plan.tables:
            last = counters.get(_in_schema(table.counter, url)) if table.counter else None
            if last:
                _raise_counter(file_db, table.spec.target, last)
        file_db.commit()
    part.replace(file)


def _in_copy(spec: RowSpec, url: str) -> RowSpec:
    """Return a spec for the copy: MySQL's schemas are databases, whose name the copy changes."""
    server = parse_server_url(url)
    if server is None or server.engine != "mysql":
        return spec
    return msgspec.structs.replace(spec, schema=server.database)


def _in_schema(owner: str, url: str) -> str:
    """Return `table.column` for MySQL, `schema.table.column` for PostgreSQL."""
    return owner.partition(".")[2] if find_engine(url) == "mysql" else owner


def _raise_counter(db: sqlite3.Connection, table: str, last: int) -> None:
    where = "sqlite_sequence WHERE name = ?"
    found = db.execute(f"SELECT seq FROM {where}", (table,)).fetchone()
    if found is None:
        db.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, last))
    elif last > int(found[0]):
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (last, table))
