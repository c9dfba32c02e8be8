"""Write offloaded values as files for R2, each under the SHA-256 of its bytes.

The rows hold that name, computed by the origin itself; the file's name is computed here from the
bytes that came over the wire, so a file that a row names proves its content.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from edgelift.model.findings import Check, Status
from edgelift.model.move_plan import TableMove
from edgelift.rows.engine import read_rows
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.data.server import ledger
from edgelift.stages.data.server.copy import Copy
from edgelift.stages.data.server.prove import Proof
from edgelift.targets.object_files import find_object, write_object

_MOST_DETAILS = 20


def write_objects(copy: Copy, folder: Path) -> int:
    """Write every offloaded value that has no file yet and return how many were written.

    Raises OriginError as the copy does, TargetError when the disk refuses.
    """
    written = 0
    for move in copy.plan.tables:
        for field in move.objects:
            spec = msgspec.structs.replace(move.spec, fields=(field,))
            for entry in ledger.read_entries(copy.db, move.spec.target):
                stream = copy.throttle.pass_bytes(copy.reader.stream_chunk(spec, entry.chunk))
                for (value,) in read_rows(spec, stream):
                    if value is not None:
                        written += write_object(folder, value)
                        copy.tell("objects written", written, written)
    return written


def check_objects(proof: Proof, folder: Path) -> Check | None:
    """Check that every value that a row names lies in its file; None when nothing is offloaded."""
    started = time.monotonic()
    moves = [move for move in proof.plan.tables if move.objects]
    if not moves:
        return None
    count = size = 0
    wrong = []
    for move in moves:
        for column, key in _list_keys(proof, move):
            count += 1
            path = find_object(folder, key)
            if not path.is_file():
                wrong.append(f"{move.spec.target}.{column}: {key} has no file")
                continue
            size += path.stat().st_size
            with path.open("rb") as handle:
                if hashlib.file_digest(handle, "sha256").hexdigest() != key:
                    wrong.append(
                        f"{move.spec.target}.{column}: the file of {key} holds something else"
                    )
    return proof.check(
        "objects", f"Every offloaded value of {proof.plan.database} lies in its file", started,
        status=Status.FAIL if wrong else Status.PASS,
        evidence=f"{count - len(wrong)} of {count} objects, {size} bytes, named by the SHA-256 of "
        "their content, which the origin computed too",
        detail=tuple(wrong[:_MOST_DETAILS]),
        counts={"objects": count, "objects_wrong": len(wrong), "object_bytes": size},
    )  # fmt: skip


def _list_keys(proof: Proof, move: TableMove) -> Iterator[tuple[str, str]]:
    for field in move.objects:
        name = quote_identifier(field.column)
        query = (
            f"SELECT DISTINCT {name} FROM main.{quote_identifier(move.spec.target)} "
            f"WHERE {name} IS NOT NULL"
        )
        for (key,) in proof.db.execute(query):
            yield field.column, str(key)
