from __future__ import annotations

import sqlite3

import pytest

from edgelift.worker.sqlite3.errors import LostRollbackError, make_error, read_d1_error


@pytest.mark.parametrize(
    ("message", "kind", "text", "name"),
    [
        ("D1_ERROR: no such table: x: SQLITE_ERROR", sqlite3.OperationalError, "no such table: x", "SQLITE_ERROR"),
        ('D1_ERROR: near "selec": syntax error at offset 0: SQLITE_ERROR', sqlite3.OperationalError, 'near "selec": syntax error', "SQLITE_ERROR"),
        ("D1_ERROR: UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)", sqlite3.IntegrityError, "UNIQUE constraint failed: t.a", "SQLITE_CONSTRAINT_UNIQUE"),
        ("D1_ERROR: UNIQUE constraint failed: t.a, t.b: SQLITE_CONSTRAINT", sqlite3.IntegrityError, "UNIQUE constraint failed: t.a, t.b", "SQLITE_CONSTRAINT_UNIQUE"),
        ("D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT", sqlite3.IntegrityError, "FOREIGN KEY constraint failed", "SQLITE_CONSTRAINT_FOREIGNKEY"),
        ("D1_ERROR: datatype mismatch: SQLITE_MISMATCH", sqlite3.IntegrityError, "datatype mismatch", "SQLITE_MISMATCH"),
        ("D1_ERROR: string or blob too big: SQLITE_TOOBIG", sqlite3.DataError, "string or blob too big", "SQLITE_TOOBIG"),
        ("D1_ERROR: not authorized: SQLITE_AUTH", sqlite3.DatabaseError, "not authorized", "SQLITE_AUTH"),
        ("D1_ERROR: database disk image is malformed: SQLITE_CORRUPT", sqlite3.DatabaseError, "database disk image is malformed", "SQLITE_CORRUPT"),
        ("D1_ERROR: bad parameter: SQLITE_MISUSE", sqlite3.InterfaceError, "bad parameter", "SQLITE_MISUSE"),
        ("D1_ERROR: table a: SQLITE_x: SQLITE_ERROR", sqlite3.OperationalError, "table a: SQLITE_x", "SQLITE_ERROR"),
    ],
)  # fmt: skip
def test_known_messages(message: str, kind: type[Exception], text: str, name: str) -> None:
    error = read_d1_error(message)
    assert type(error) is kind
    assert str(error) == text
    assert error.sqlite_errorname == name  # type: ignore[attr-defined]
    assert error.sqlite_errorcode == getattr(sqlite3, name, None)  # type: ignore[attr-defined]


def test_refused_functions_are_missing_functions() -> None:
    error = read_d1_error(
        "D1_ERROR: not authorized to use function: power at offset 7: SQLITE_ERROR"
    )
    assert isinstance(error, sqlite3.OperationalError)
    assert str(error).startswith("no such function: power")


def test_unknown_messages_are_operational() -> None:
    error = read_d1_error("D1_ERROR: Network connection lost.")
    assert isinstance(error, sqlite3.OperationalError)
    assert "Network connection lost" in str(error)


def test_lost_rollback_is_operational() -> None:
    error = make_error("x", "SQLITE_ERROR", LostRollbackError)
    assert isinstance(error, sqlite3.OperationalError)
    assert error.sqlite_errorcode == 1
