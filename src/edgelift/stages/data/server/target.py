"""The file that rows are copied into: opened, closed, its errors explained, its parts found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import apsw

from edgelift.errors import OriginError, TargetError
from edgelift.model.move_plan import TableMove
from edgelift.rows.engine import open_target
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.data.server.ledger import Entry
from edgelift.stages.data.server.tasks import Parcel
from edgelift.targets.disk import explain_disk

_ALIASES = ("rowid", "_rowid_", "oid")


@contextlib.contextmanager
def open_part(path: Path) -> Iterator[apsw.Connection]:
    """Open the unfinished file for loading; raises TargetError for what the disk refuses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with target_errors(path):
        db = open_target(path, durable=True)
        try:
            # Parents may come after children, and the origin kept its own rules: both are checked
            # as a whole afterwards.
            db.execute("PRAGMA foreign_keys=OFF; PRAGMA ignore_check_constraints=ON").fetchall()
            yield db
        finally:
            db.close()


@contextlib.contextmanager
def target_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors of the block into a TargetError about `path`."""
    try:
        yield
    except apsw.ConstraintError as error:
        raise OriginError(
            f"Rows of {path.stem.removesuffix('.sqlite')} break a rule of the target",
            why=str(error),
            tip="mend these rows at the origin, or choose another form for the columns named",
        ) from error
    except (apsw.FullError, apsw.IOError) as error:
        raise explain_disk(path, error) from error
    except apsw.Error as error:
        raise TargetError(
            f"The file {path.name} cannot be written",
            why=str(error),
            tip="run again with --force to begin anew",
        ) from error


@contextlib.contextmanager
def transaction(db: apsw.Connection) -> Iterator[None]:
    """Commit the block as one, or nothing of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


@contextlib.contextmanager
def attach_parcel(db: apsw.Connection, parcel: Parcel) -> Iterator[str]:
    """Attach what a worker loaded, under the name that is yielded; its file is removed then."""
    db.execute("ATTACH ? AS parcel", (parcel.path or ":memory:",))
    try:
        if parcel.data:
            db.deserialize("parcel", parcel.data)
        yield "parcel"
    finally:
        db.execute("DETACH parcel")
        if parcel.path:
            Path(parcel.path).unlink(missing_ok=True)


def find_rowid(move: TableMove) -> str:
    """Return a name by which the target's row number can be read, empty when there is none."""
    if not move.numbered:
        return ""
    columns = (*move.spec.fields, *move.computed)
    taken = {field.column.lower() for field in columns}
    return next((alias for alias in _ALIASES if alias not in taken), "")


def read_last_rowid(db: apsw.Connection, move: TableMove) -> int:
    """Return the largest row number of a table, 0 for an empty one."""
    rowid = find_rowid(move)
    if not rowid:
        return 0
    query = f"SELECT max({rowid}) FROM main.{quote_identifier(move.spec.target)}"
    found = db.execute(query).fetchone()
    return int(found[0] or 0) if found else 0


def find_place(move: TableMove, entry: Entry, chunks: int) -> str | None:
    """Return the condition under which a chunk's rows lie in the target, None when unknown.

    Rows get numbers in the order of arrival; where the key itself is the number, it says the place.
    """
    if chunks == 1:
        return ""
    if move.rowid_column:
        name = quote_identifier(move.rowid_column)
        low, high = entry.chunk.low, entry.chunk.high
        if low is None and high is None:
            return None
        parts = [f"{name} >= {low}"] if low is not None else []
        parts += [f"{name} < {high}"] if high is not None else []
        return " AND ".join(parts)
    rowid = find_rowid(move)
    if not rowid or entry.result is None:
        return None
    return f"{rowid} > {entry.first} AND {rowid} <= {entry.last}"
