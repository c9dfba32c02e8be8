"""Open a snapshot of a SQLite file for streaming: read-only, with the functions that casts use."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw

from edgelift.errors import OriginError

Value = None | int | float | str | bytes


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what SQLite says of a snapshot into an OriginError."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise OriginError(
            f"A text of {path.stem} is not UTF-8",
            why=f"the form that its column is given needs text, and it is none from byte "
            f"{error.start} on",
            tip="give the column another form: [[schema.cast]] as = 'blob'",
        ) from error
    except apsw.Error as error:
        raise OriginError(
            f"The snapshot of {path.stem} cannot be read",
            why=str(error),
            tip="run the same command with --force: the snapshot is then taken anew",
        ) from error


def open_snapshot(path: Path) -> apsw.Connection:
    """Return a connection that cannot write; raises apsw.Error."""
    uri = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    db = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    add_functions(db)
    return db


def add_functions(db: apsw.Connection) -> None:
    """Give a connection the functions that the expressions of casts call."""
    functions: dict[str, Any] = {"edgelift_text": write_text, "edgelift_sha256": hash_value}
    for name, function in functions.items():
        db.create_scalar_function(name, function, 1, deterministic=True)


def write_text(value: Value) -> Value:
    """Return a number as the shortest text that reads back as the same number; others as they are.

    SQLite's own CAST(x AS TEXT) keeps 15 digits of a REAL only.
    """
    if isinstance(value, float):
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return repr(value)
    return str(value) if isinstance(value, int) else value


def hash_value(value: Value) -> Value:
    """Return the SHA-256 of bytes or of a text's UTF-8 in hexadecimal; numbers as they are."""
    if isinstance(value, str):
        value = value.encode()
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value
