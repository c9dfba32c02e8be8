"""What foreign keys do at an origin that does not log it: the target ends as SQLite itself would."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path

import pytest

from edgelift.sources.change_feed import Action, Cascade, Edit, Shape
from edgelift.stages.follow.file_target import FileTarget
from edgelift.stages.follow.file_writer import Checkpoint, FileWriter, create_file
from edgelift.stages.follow.net import Net
from edgelift.stages.follow.request_writer import RequestWriter

SCHEMA = """
CREATE TABLE a (id INTEGER PRIMARY KEY, code TEXT UNIQUE);
CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE c (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b ON DELETE SET NULL ON UPDATE CASCADE);
CREATE TABLE d (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b ON DELETE CASCADE,
  code TEXT REFERENCES a (code) ON DELETE SET NULL ON UPDATE CASCADE);
CREATE TABLE e (a INTEGER, n INTEGER, up_a INTEGER, up_n INTEGER, PRIMARY KEY (a, n),
  FOREIGN KEY (up_a, up_n) REFERENCES e (a, n) ON DELETE CASCADE ON UPDATE CASCADE);
WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 40)
  INSERT INTO a SELECT n, 'code ' || n FROM s;
INSERT INTO b SELECT id, id % 13 + 1 FROM a;
INSERT INTO c SELECT id, id % 17 + 1 FROM a;
INSERT INTO d SELECT id, id % 19 + 1, 'code ' || (id % 11 + 1) FROM a;
INSERT INTO e SELECT id, id % 3, NULLIF(id / 3, 0), CASE WHEN id / 3 > 0 THEN (id / 3) % 3 END FROM a;
"""
ACTIONS = [
    Action("a", ("id",), "b", ("a",), "CASCADE", "CASCADE"),
    Action("b", ("id",), "c", ("b",), "SET NULL", "CASCADE"),
    Action("b", ("id",), "d", ("b",), "CASCADE", "NO ACTION"),
    Action("a", ("code",), "d", ("code",), "SET NULL", "CASCADE"),
    Action("e", ("a", "n"), "e", ("up_a", "up_n"), "CASCADE", "CASCADE"),
]
KEYS = {"a": ("id",), "b": ("id",), "c": ("id",), "d": ("id",), "e": ("a", "n")}
COLUMNS = {
    "a": ("id", "code"), "b": ("id", "a"), "c": ("id", "b"), "d": ("id", "b", "code"),
    "e": ("a", "n", "up_a", "up_n"),
}  # fmt: skip
SHAPES = [Shape(table, COLUMNS[table], KEYS[table]) for table in KEYS]


class Sides:
    """An origin that logs the statement's own rows only, and the file that follows it."""

    def __init__(self, folder: Path, *, requests: bool = False) -> None:
        copy = folder / "copy.sqlite"
        with contextlib.closing(sqlite3.connect(copy)) as db:
            db.executescript(SCHEMA)
        self.target = folder / "followed.sqlite"
        create_file(copy, self.target, "start")
        self.origin = sqlite3.connect(copy, isolation_level=None)
        self.origin.execute("PRAGMA foreign_keys = ON")
        self.writer: FileWriter | RequestWriter = (
            RequestWriter(FileTarget(self.target)) if requests else FileWriter(self.target)
        )
        self.writer.prepare(SHAPES, ACTIONS)

    def close(self) -> None:
        self.origin.close()
        self.writer.close()

    def change(self, table: str, key: tuple, new: dict[str, object] | None) -> bool:
        """Change or remove one row on both sides; returns whether the origin allowed it."""
        where = " AND ".join(f"{name} = ?" for name in KEYS[table])
        row = self.origin.execute(f"SELECT * FROM {table} WHERE {where}", key).fetchone()
        if row is None:
            return False
        old = dict(zip(COLUMNS[table], row, strict=True))
        try:
            if new is None:
                self.origin.execute(f"DELETE FROM {table} WHERE {where}", key)
            else:
                sets = ", ".join(f"{name} = ?" for name in new)
                self.origin.execute(
                    f"UPDATE {table} SET {sets} WHERE {where}", (*new.values(), *key)
                )
        except sqlite3.IntegrityError:
            return False
        self.follow(table, key, old, None if new is None else {**old, **new})
        return True

    def follow(self, table: str, key: tuple, old: dict, new: dict | None) -> None:
        net = Net(SHAPES)
        net.add(Edit(table, key, new))
        cascades = []
        for action in ACTIONS:
            if action.parent == table:
                before = tuple(old[name] for name in action.parent_columns)
                after = None if new is None else tuple(new[name] for name in action.parent_columns)
                acts = action.on_delete if after is None else action.on_update
                if before != after and acts != "NO ACTION":
                    cascades.append(Cascade(action, before, after))
        self.writer.apply(net, cascades)

    def compare(self) -> None:
        self.writer.commit(Checkpoint("start", "next"))
        with self.writer.open_file() as file, contextlib.closing(sqlite3.connect(file)) as db:
            for table in KEYS:
                query = f"SELECT * FROM {table} ORDER BY 1, 2"
                assert db.execute(query).fetchall() == self.origin.execute(query).fetchall(), table


@pytest.fixture(params=["file", "requests"])
def sides(request, tmp_path: Path):
    with contextlib.closing(Sides(tmp_path, requests=request.param == "requests")) as found:
        yield found


@pytest.mark.parametrize(
    ("table", "key", "new"),
    [
        ("a", (3,), None),
        ("a", (3,), {"id": 300}),
        ("a", (3,), {"code": "other"}),
        ("a", (3,), {"id": 300, "code": "other"}),
        ("b", (5,), None),
        ("b", (25,), {"id": 500}),
        ("e", (1, 1), None),
        ("e", (2, 2), {"a": 90}),
    ],
)
def test_children_go_and_follow_with_theirs(sides: Sides, table: str, key: tuple, new) -> None:
    before = sides.origin.execute("SELECT count(*), sum(b) FROM c").fetchone()
    assert sides.change(table, key, new)
    sides.compare()
    assert before is not None


@pytest.mark.parametrize("seed", range(6))
def test_random_changes_end_as_sqlite_itself_would(sides: Sides, seed: int) -> None:
    dice = random.Random(seed)
    done = 0
    for number in range(60):
        table = dice.choice("aabbcde")
        key = (dice.randrange(1, 41),)
        if table == "e":
            key = (*key, key[0] % 3)
            new = dice.choice([None, {"n": dice.randrange(3)}, {"a": 100 + number}])
        else:
            new = dice.choice([None, {"id": 1000 + number}, {COLUMNS[table][1]: None}])
        done += sides.change(table, key, new)
    assert done > 10
    sides.compare()


def test_without_its_cascade_a_child_would_stay(tmp_path: Path) -> None:
    with contextlib.closing(Sides(tmp_path)) as sides:
        assert sides.change("b", (5,), {"a": None})
        sides.origin.execute("DELETE FROM a WHERE id = 3")
        net = Net(SHAPES)
        net.add(Edit("a", (3,), None))
        sides.writer.apply(net)
        with pytest.raises(AssertionError):
            sides.compare()


def test_children_of_a_row_that_came_again_are_gone_by_requests_too(tmp_path: Path) -> None:
    with contextlib.closing(Sides(tmp_path, requests=True)) as sides:
        sides.origin.execute("DELETE FROM a WHERE id = 3")
        sides.origin.execute("INSERT INTO a VALUES (3, 'again')")
        net = Net(SHAPES)
        net.add(Edit("a", (3,), None))
        net.add(Edit("a", None, {"id": 3, "code": "again"}))
        gone = [Cascade(ACTIONS[0], (3,), None), Cascade(ACTIONS[3], ("code 3",), None)]
        sides.writer.apply(net, gone)
        sides.compare()
