"""Savepoints of the app become as few of SQLite's as there must be, and undo the same."""

from __future__ import annotations

import itertools
import random
import sqlite3

import pytest

from edgelift.worker.moved.savepoints import Savepoints


def test_those_that_nothing_was_written_between_are_one() -> None:
    points = Savepoints()
    points.save("a")
    points.save("b")
    assert points.begin() == ["SAVEPOINT edgelift_1"]
    assert points.begin() == []
    assert points.undo("b") == ["ROLLBACK TO edgelift_1", "RELEASE edgelift_1"]
    points.save("c")
    assert points.begin() == ["SAVEPOINT edgelift_2"]
    assert points.undo("a") == ["ROLLBACK TO edgelift_2", "RELEASE edgelift_2"]
    assert not points.has("c")


def test_drivers_that_leave_savepoints_behind_do_not_nest_them() -> None:
    points = Savepoints()
    depth = deepest = 0
    for number in range(100):
        points.save(f"s{number}")
        for sql in points.begin() + points.undo(f"s{number}"):
            depth += {"SAVEPOINT": 1, "RELEASE": -1}.get(sql.split()[0], 0)
            deepest = max(deepest, depth)
    assert deepest == 1


def test_unknown_names() -> None:
    with pytest.raises(LookupError):
        Savepoints().undo("x")


@pytest.mark.parametrize("seed", range(30))
def test_any_sequence_ends_as_plain_sqlite_does(seed: int) -> None:
    rng = random.Random(seed)
    plain = sqlite3.connect(":memory:", isolation_level=None)
    grouped = sqlite3.connect(":memory:", isolation_level=None)
    for db in (plain, grouped):
        db.execute("CREATE TABLE t (a)")
        db.execute("BEGIN")
    points = Savepoints()
    numbers = itertools.count()
    for _ in range(60):
        name = rng.choice("abc")
        action = rng.choice(["write", "write", "save", "undo", "release"])
        if action == "write":
            value = next(numbers)
            plain.execute("INSERT INTO t VALUES (?)", (value,))
            for sql in points.begin():
                grouped.execute(sql)
            grouped.execute("INSERT INTO t VALUES (?)", (value,))
        elif action == "save":
            plain.execute(f"SAVEPOINT {name}")
            points.save(name)
        elif points.has(name):
            plain.execute(f"{'ROLLBACK TO' if action == 'undo' else 'RELEASE'} {name}")
            for sql in points.undo(name) if action == "undo" else points.release(name):
                grouped.execute(sql)
        rows = [db.execute("SELECT a FROM t ORDER BY a").fetchall() for db in (plain, grouped)]
        assert rows[0] == rows[1]
    for db in (plain, grouped):
        db.close()
