"""Prove a lifted database: every row by hash on both sides, structure, references, counters."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgelift.model.catalogue import Catalogue
from edgelift.model.comparison import TableComparison
from edgelift.model.data_document import DataDocument, TableRecord
from edgelift.model.findings import Check, Status
from edgelift.sources.sqlite import SqliteSource
from edgelift.sources.sqlite_catalogue import describe_orphan
from edgelift.sources.sqlite_compare import compare_databases
from edgelift.targets.workerd.sql_check import count_rows
from edgelift.toolchain import Toolchain

Progress = Callable[[str, int], None]
_MOST_DETAILS = 20
_MOST_FAULTS = 1000
_LARGEST_TRIAL_BYTES = 1 << 30


@dataclass(frozen=True)
class Proof:
    """What is compared: two files, what should be in them, and how to repeat it.

    For a server's database there is no file of the origin: `snapshot` is then the target itself.
    """

    database: str
    snapshot: Path
    target: Path
    catalogue: Catalogue
    reproduce: str

    def check(self, what: str, title: str, started: float, **fields: object) -> Check:
        """Return a check of this database, timed from `started`."""
        return Check(
            id=f"data.{what}:{self.database}",
            stage="data",
            title=title,
            reproduce=self.reproduce,
            duration_s=time.monotonic() - started,
            **fields,  # type: ignore[arg-type]
        )


def check_rows(proof: Proof, progress: Progress) -> tuple[Check, list[TableComparison]]:
    """Compare every row of every table; FAIL names table, key, column and both values."""
    started = time.monotonic()
    tables = compare_databases(
        proof.snapshot, proof.target, proof.catalogue, by_rowid=True, progress=progress
    )
    rows = sum(table.origin_rows for table in tables)
    equal = sum(table.equal for table in tables)
    differing = sum(table.differing_rows for table in tables)
    size = proof.target.stat().st_size
    details = [d.describe() for table in tables for d in table.differences]
    if all(table.equal for table in tables):
        evidence = (
            f"{equal} of {len(tables)} tables, {rows} of {rows} rows equal by hash on both sides, "
            f"{size} bytes of file, root hash {hash_root(tables)}"
        )
    else:
        at_least = "" if all(table.complete for table in tables) else "at least "
        evidence = (
            f"{len(tables) - equal} of {len(tables)} tables differ, in {at_least}{differing} of "
            f"{rows} rows"
        )
    check = proof.check(
        "rows", f"Every row of {proof.database} is the same on both sides", started,
        status=Status.FAIL if details else Status.PASS,
        evidence=evidence,
        detail=tuple(details[:_MOST_DETAILS]),
        counts={
            "tables": len(tables), "tables_equal": equal, "rows": rows,
            "rows_differing": differing, "bytes": size,
        },
    )  # fmt: skip
    return check, tables


def hash_root(tables: Iterable[TableComparison]) -> str:
    """Return one hash over names, counts and hashes of all tables, in the order of their names."""
    digest = hashlib.blake2b(digest_size=16)
    for table in sorted(tables, key=lambda table: table.table):
        digest.update(f"{table.table}\0{table.target_rows}\0{table.target_hash}\0".encode())
    return digest.hexdigest()


def build_document(tables: Sequence[TableComparison], target: Path) -> DataDocument:
    """Return the record of a proven database."""
    status = target.stat()
    return DataDocument(
        tables={t.table: TableRecord(rows=t.target_rows, hash=t.target_hash) for t in tables},
        root=hash_root(tables),
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
    )


def check_integrity(proof: Proof) -> Check:
    """Check the target's structure, and that it breaks no rule that the origin keeps."""
    started = time.monotonic()
    with SqliteSource(proof.target).open() as db:
        faults = _read_faults(db)
        missing = _find_missing(db, proof.catalogue)
    if faults:  # only then is the origin worth a second look
        with SqliteSource(proof.snapshot).open() as db:
            faults -= _read_faults(db)
    objects = len(_list_objects(proof.catalogue))
    return proof.check(
        "integrity", f"The file of {proof.database} is sound", started,
        status=Status.FAIL if faults or missing else Status.PASS,
        evidence=f"{objects - len(missing)} of {objects} tables, indexes, views and triggers "
        f"present; quick_check and foreign_key_check found {len(faults)} new faults",
        detail=(*(f"missing: {name}" for name in missing), *sorted(faults))[:_MOST_DETAILS],
        counts={"objects": objects, "missing": len(missing), "faults": len(faults)},
    )  # fmt: skip


def _read_faults(db: sqlite3.Connection) -> set[str]:
    rows = db.execute(f"PRAGMA quick_check({_MOST_FAULTS})").fetchall()
    structure = {f"quick_check: {row[0]}" for row in rows if row[0] != "ok"}
    return structure | _read_broken_references(db)


def _read_broken_references(db: sqlite3.Connection) -> set[str]:
    try:
        rows = db.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.OperationalError as error:
        return {str(error)}
    return {describe_orphan(*row[:3]) for row in rows}


def _list_objects(catalogue: Catalogue) -> list[str]:
    """Return the names of everything with a statement of its own; the rest comes with its table."""
    indexes = [index for index in catalogue.indexes if index.sql]
    kinds = (catalogue.tables, indexes, catalogue.views, catalogue.triggers)
    return [found.name for kind in kinds for found in kind]


def _find_missing(db: sqlite3.Connection, catalogue: Catalogue) -> list[str]:
    present = {row[0] for row in db.execute("SELECT name FROM sqlite_schema")}
    return [name for name in _list_objects(catalogue) if name not in present]


def check_sequences(proof: Proof) -> Check:
    """Check that AUTOINCREMENT goes on at the target where it stood at the origin."""
    started = time.monotonic()
    title = f"AUTOINCREMENT of {proof.database} continues where it stood"
    names = [table.name for table in proof.catalogue.tables if table.autoincrement]
    if not names:
        return proof.check(
            "sequences", title, started, status=Status.SKIPPED,
            evidence="no table of this database uses AUTOINCREMENT",
        )  # fmt: skip
    found = []
    for path in (proof.snapshot, proof.target):
        with SqliteSource(path).open() as db:
            rows = db.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
        found.append({name: seq for name, seq in rows if name in names})
    origin, target = found
    wrong = [
        f"{name}: origin {origin.get(name)}, target {target.get(name)}"
        for name in names
        if origin.get(name) != target.get(name)
    ]
    return proof.check(
        "sequences", title, started,
        status=Status.FAIL if wrong else Status.PASS,
        evidence=f"{len(names) - len(wrong)} of {len(names)} counters equal",
        detail=tuple(wrong),
        counts={"counters": len(names), "counters_equal": len(names) - len(wrong)},
    )  # fmt: skip


def check_runtime(proof: Proof, toolchain: Toolchain) -> Check:
    """Check that D1's engine opens the file as its own and counts the same rows.

    It gets a copy, since it keeps tables of its own in every database it opens.
    """
    started = time.monotonic()
    title = f"D1's engine opens the file of {proof.database}"
    size = proof.target.stat().st_size
    if size > _LARGEST_TRIAL_BYTES:
        return proof.check(
            "runtime", title, started, status=Status.SKIPPED,
            evidence=f"the file has {size} bytes; only up to {_LARGEST_TRIAL_BYTES} are copied "
            "for a trial",
        )  # fmt: skip
    tables = [table for table in proof.catalogue.tables if table.columns]
    counted = count_rows(proof.target, [table.name for table in tables], toolchain)
    wrong = [
        f"{table.name}: origin {table.rows} rows, D1's engine counts {counted[table.name]}"
        for table in tables
        if counted[table.name] != table.rows
    ]
    rows = sum(counted.values())
    return proof.check(
        "runtime", title, started,
        status=Status.FAIL if wrong else Status.PASS,
        evidence=f"workerd counted {rows} rows; {len(tables) - len(wrong)} of {len(tables)} "
        "tables as at the origin",
        detail=tuple(wrong),
        counts={"tables": len(tables), "tables_equal": len(tables) - len(wrong), "rows": rows},
    )  # fmt: skip
