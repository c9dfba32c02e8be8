"""A database of the usual kind and size moves whole: every object, every cell, every answer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edgelift.model.findings import Status
from edgelift.stages.schema.issues import ERROR
from tests.contract.mover.moving import Moving, start_moving
from tests.servers.mariadb import MariaDb

SCRIPT = Path(__file__).with_name("library.sql")
# What Python's own SQLite and MariaDB answer alike, over views, joins and sums.
QUESTIONS = (
    "SELECT COUNT(*), SUM(n) FROM visits",
    "SELECT reader, n FROM busy ORDER BY n DESC, reader LIMIT 50",
    "SELECT language, ROUND(total, 2), most, marked FROM worth ORDER BY language",
    "SELECT COUNT(*), MIN(title), MAX(reader) FROM open_now",
    "SELECT c.code, COUNT(*) FROM countries c JOIN towns t ON t.country = c.code GROUP BY c.code ORDER BY c.code",
    "SELECT b.id, s.login FROM branches b JOIN staff s ON s.id = b.head ORDER BY b.id",
    "SELECT name, COUNT(*) FROM authors GROUP BY name ORDER BY COUNT(*) DESC, name LIMIT 20",
    "SELECT SUM(price_cents), COUNT(price_cents), SUM(pages) FROM books",
)


@pytest.fixture
def library(mariadb_server: MariaDb, tmp_path: Path) -> tuple[str, Moving]:
    name = mariadb_server.create_database("library", "CHARACTER SET utf8mb4")
    mariadb_server.run_script(SCRIPT.read_text(), name)
    return name, start_moving(mariadb_server.make_url(name), tmp_path, chunk_rows=700)


def as_sqlite(value: Any) -> Any:
    """Return a value of PyMySQL's in the form in which a test can compare it."""
    return float(value) if isinstance(value, int | float) or hasattr(value, "is_nan") else value


def test_every_object_and_row_arrives(library: tuple[str, Moving], mariadb_server: MariaDb) -> None:
    name, moving = library
    errors = [issue for issue in moving.judgement.issues if issue.level == ERROR]
    assert [(issue.rule, issue.name) for issue in errors] == []
    moving.copy()
    checks = moving.prove(sample=1.0)
    assert {key: check.status for key, check in checks.items()} == dict.fromkeys(
        checks, Status.PASS
    )
    with closing(sqlite3.connect(moving.part)) as db:
        kinds = dict(db.execute("SELECT type, COUNT(*) FROM sqlite_schema GROUP BY type"))
        assert kinds["view"] == 3
        for table in (
            "countries",
            "towns",
            "branches",
            "staff",
            "readers",
            "books",
            "authors",
            "loans",
        ):
            [(here,)] = db.execute(f"SELECT COUNT(*) FROM {table}")
            [(there,)] = mariadb_server.execute(f"SELECT COUNT(*) FROM {table}", database=name)
            assert here == there > 2, table
        for question in QUESTIONS:
            here = [tuple(map(as_sqlite, row)) for row in db.execute(question)]
            there = [
                tuple(map(as_sqlite, row))
                for row in mariadb_server.execute(question, database=name)
            ]
            assert here == there, question
            assert here
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        [(last,)] = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'books'")
        counter = "SELECT AUTO_INCREMENT - 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s"
        rows = mariadb_server.execute(f"{counter} AND TABLE_NAME = 'books'", name)
        assert last == rows[0][0] >= 6999  # ids that were given out and not used stay used


def test_a_row_lost_is_seen(library: tuple[str, Moving], tmp_path: Path) -> None:
    _, moving = library
    moving.copy()
    changed = moving.change(tmp_path, "DELETE FROM loans WHERE id = 4321")
    assert moving.prove(changed)["rows"].status == Status.FAIL
    changed = moving.change(tmp_path, "UPDATE readers SET name = name || ' ' WHERE id = 77")
    found = moving.prove(changed)["rows"]
    assert found.status == Status.FAIL
    assert "readers" in " ".join(found.detail)
