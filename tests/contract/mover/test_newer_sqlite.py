"""Views newer than the SQLite of this Python: the file stays usable, and it is said."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import apsw
import pytest

from edgelift.model.findings import Level
from edgelift.sources.sqlite import SqliteSource
from edgelift.sources.sqlite_newer import find_refusal, read_past_newer
from tests.contract.mover.moving import read_plainly, sort_rows, start_moving

SCRIPT = """
CREATE TABLE actor (id int PRIMARY KEY, name varchar(40));
INSERT INTO actor VALUES (1, 'Ann'), (2, 'Bob');
CREATE TABLE role (actor int, film varchar(40), year int);
INSERT INTO role VALUES (1, 'Up, and on', 2003), (1, 'Low', 2001), (1, 'Low', 2002), (2, 'Mid', 1999);
CREATE VIEW info AS SELECT a.name, group_concat(DISTINCT r.film ORDER BY r.film SEPARATOR '; ')
  AS films FROM actor a JOIN role r ON r.actor = a.id GROUP BY a.name;
"""
OLD = sqlite3.sqlite_version_info < (3, 44)


def test_a_view_that_joins_texts_in_order_moves(mariadb_server, tmp_path: Path) -> None:
    name = mariadb_server.create_database("newer")
    mariadb_server.run_script(SCRIPT, name)
    moving = start_moving(mariadb_server.make_url(name), tmp_path)
    moving.copy()
    with contextlib.closing(apsw.Connection(str(moving.part))) as db:
        rows = sort_rows(db.execute("SELECT * FROM info").fetchall())
    assert rows == read_plainly(moving.url, "SELECT * FROM info")
    assert ("Ann", "Low; Up, and on") in rows
    found = [i for i in moving.judgement.issues if i.rule == "SCHEMA-SQLITE-NEWER"]
    assert [(i.name, i.level) for i in found] == ([("info", Level.NOTE)] if OLD else [])
    with SqliteSource(moving.part).open() as db:
        assert db.execute("SELECT count(*) FROM role").fetchone() == (4,)


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    path = tmp_path / "newer.sqlite"
    with contextlib.closing(apsw.Connection(str(path))) as db:
        db.execute(
            "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2);"
            "CREATE VIEW v AS SELECT group_concat(a, ',' ORDER BY b) FROM t"
        )
    return path


@pytest.mark.skipif(not OLD, reason="this Python's SQLite reads such views")
def test_without_it_the_whole_file_is_refused(newer: Path) -> None:
    """The fault twin: what any reader of the target met before."""
    with contextlib.closing(sqlite3.connect(newer)) as db:
        with pytest.raises(sqlite3.DatabaseError, match="malformed"):
            db.execute("SELECT * FROM t")
        read_past_newer(db, newer)
        assert db.execute("SELECT * FROM t").fetchall() == [(1, 2)]


def test_a_file_that_is_damaged_for_all_stays_refused(newer: Path) -> None:
    with contextlib.closing(apsw.Connection(str(newer))) as db:
        db.execute("PRAGMA writable_schema=ON")
        db.execute("UPDATE sqlite_schema SET sql = 'CREATE VIEW v AS nonsense' WHERE name = 'v'")
    assert "malformed" in find_refusal(newer)
    with contextlib.closing(sqlite3.connect(newer)) as db:
        read_past_newer(db, newer)
        with pytest.raises(sqlite3.DatabaseError, match="malformed"):
            db.execute("SELECT * FROM t")
