"""The text of a table before and after: types, defaults, counters, references."""

from __future__ import annotations

import sqlite3

import pytest

from edgelift.stages.schema.sqlite.ddl import ColumnEdit, edit_table

TEXT = ColumnEdit(type="TEXT")
CASES = [
    ("CREATE TABLE t (a INTEGER, b)", {"a": TEXT}, "CREATE TABLE t (a TEXT, b)"),
    ("CREATE TABLE t (a, b)", {"a": TEXT}, "CREATE TABLE t (a TEXT, b)"),
    ("CREATE TABLE t (b, a)", {"A": TEXT}, "CREATE TABLE t (b, a TEXT)"),
    ("CREATE TABLE t (a DECIMAL(10, 2) NOT NULL)", {"a": TEXT}, "CREATE TABLE t (a TEXT NOT NULL)"),
    ("CREATE TABLE t (a LONG INT UNSIGNED)", {"a": TEXT}, "CREATE TABLE t (a TEXT)"),
    ('CREATE TABLE t ("a b"INT)', {"a b": TEXT}, 'CREATE TABLE t ("a b" TEXT)'),
    ("CREATE TABLE t ([a] INT /* x */)", {"a": TEXT}, "CREATE TABLE t ([a] TEXT /* x */)"),
    (
        "CREATE TABLE t (a INT -- the key, (really)\n PRIMARY KEY)",
        {"a": TEXT},
        "CREATE TABLE t (a TEXT -- the key, (really)\n PRIMARY KEY)",
    ),
    (
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, b)",
        {"id": ColumnEdit(type="TEXT", counts=False, filled=True, default="(hex(1))")},
        "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL DEFAULT (hex(1)), b)",
    ),
    (
        "CREATE TABLE t (a INT NOT NULL)",
        {"a": ColumnEdit(filled=True)},
        "CREATE TABLE t (a INT NOT NULL)",
    ),
    (
        "CREATE TABLE t (a DEFAULT 1)",
        {"a": ColumnEdit(default="2")},
        "CREATE TABLE t (a DEFAULT 2)",
    ),
    ("CREATE TABLE t (a DEFAULT -1)", {"a": ColumnEdit(default="")}, "CREATE TABLE t (a)"),
    (
        "CREATE TABLE t (a DEFAULT (x(1)) UNIQUE)",
        {"a": ColumnEdit(default="")},
        "CREATE TABLE t (a UNIQUE)",
    ),
    ("CREATE TABLE t (a DEFAULT 'x')", {"a": ColumnEdit(default="")}, "CREATE TABLE t (a)"),
    (
        "CREATE TABLE t (a CHECK (a DEFAULT))",
        {"a": ColumnEdit(default="")},
        "CREATE TABLE t (a CHECK (a DEFAULT))",
    ),
    (
        "CREATE TABLE t (b, a INT GENERATED ALWAYS AS (b + (1)) STORED NOT NULL)",
        {"a": ColumnEdit(plain=True)},
        "CREATE TABLE t (b, a INT NOT NULL)",
    ),
    ("CREATE TABLE t (b, a AS (b))", {"a": ColumnEdit(plain=True)}, "CREATE TABLE t (b, a)"),
    (
        "CREATE TABLE t (b, a AS (b) VIRTUAL)",
        {"a": ColumnEdit(plain=True)},
        "CREATE TABLE t (b, a)",
    ),
    (
        "CREATE TABLE t (a, check_ INT, CHECK (a > 0))",
        {"check_": TEXT},
        "CREATE TABLE t (a, check_ TEXT, CHECK (a > 0))",
    ),
    (
        "CREATE TABLE t (a INT) STRICT, WITHOUT ROWID",
        {},
        "CREATE TABLE t (a INT) STRICT, WITHOUT ROWID",
    ),
]
ORPHANS = [
    ("CREATE TABLE t (a REFERENCES gone, b)", "CREATE TABLE t (a, b)"),
    ("CREATE TABLE t (a REFERENCES kept, b)", "CREATE TABLE t (a REFERENCES kept, b)"),
    (
        (
            'CREATE TABLE t (a INT REFERENCES "GONE" (id) ON DELETE SET NULL ON UPDATE CASCADE MATCH '
            "FULL NOT DEFERRABLE INITIALLY IMMEDIATE NOT NULL)"
        ),
        "CREATE TABLE t (a INT NOT NULL)",
    ),
    (
        (
            "CREATE TABLE t (a CONSTRAINT fk REFERENCES gone ON DELETE NO ACTION DEFERRABLE INITIALLY "
            "DEFERRED UNIQUE)"
        ),
        "CREATE TABLE t (a UNIQUE)",
    ),
    ("CREATE TABLE t (a, FOREIGN KEY (a) REFERENCES gone (x))", "CREATE TABLE t (a)"),
    (
        "CREATE TABLE t (a, CONSTRAINT c FOREIGN KEY (a) REFERENCES gone, UNIQUE (a))",
        "CREATE TABLE t (a, UNIQUE (a))",
    ),
    (
        "CREATE TABLE t (a, FOREIGN KEY (a) REFERENCES kept, FOREIGN KEY (a) REFERENCES gone)",
        "CREATE TABLE t (a, FOREIGN KEY (a) REFERENCES kept)",
    ),
]


@pytest.mark.parametrize(("sql", "edits", "expected"), CASES)
def test_columns_change_and_all_else_stays(sql: str, edits: dict, expected: str) -> None:
    assert edit_table(sql, edits) == expected


@pytest.mark.parametrize(("sql", "expected"), ORPHANS)
def test_references_to_what_is_gone_go(sql: str, expected: str) -> None:
    made = edit_table(sql, {}, {"gone"})
    assert made == expected
    db = sqlite3.connect(":memory:")
    db.executescript(made)
    assert [row[2] for row in db.execute("PRAGMA foreign_key_list(t)") if row[2] == "gone"] == []
    db.close()


def test_a_statement_of_another_kind_stays() -> None:
    assert edit_table("CREATE VIEW v AS SELECT 1", {"a": TEXT}) == "CREATE VIEW v AS SELECT 1"
