import shutil
import sqlite3

import pytest

from edgelift.sources.sqlite import SqliteSource
from edgelift.stages.verify.changes import cut_changes
from edgelift.stages.verify.state import EndStates, compare_states

SCHEMA = """
CREATE TABLE plain(id INTEGER PRIMARY KEY, v);
CREATE TABLE pair(a TEXT COLLATE NOCASE, b, v, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE loose(a TEXT, b TEXT PRIMARY KEY, c TEXT GENERATED ALWAYS AS (a || '!') STORED);
CREATE TABLE bag(a, b);
CREATE TABLE "odd (name)"("key col" TEXT PRIMARY KEY, v TEXT CHECK (length(v) < 9));
CREATE TABLE child(id INTEGER PRIMARY KEY AUTOINCREMENT, plain_id REFERENCES plain(id));
INSERT INTO plain VALUES (1, 1), (2, 'x'), (3, NULL);
INSERT INTO pair VALUES ('k', 1, 'v'), ('k', 2, 'w');
INSERT INTO loose(a, b) VALUES ('p', 'q'), ('r', NULL);
INSERT INTO "odd (name)" VALUES ('o', 'v');
INSERT INTO child(plain_id) VALUES (1);
CREATE TRIGGER t AFTER INSERT ON plain BEGIN INSERT INTO bag VALUES (new.id, 'trigger'); END;
"""
TABLES = ["bag", "child", "loose", "odd (name)", "pair", "plain"]


@pytest.fixture
def cut(tmp_path):
    """Return a function that applies SQL to the origin and cuts what changed out of both sides."""
    before = tmp_path / "before.sqlite"
    db = sqlite3.connect(before)
    db.executescript(SCHEMA)
    db.execute("PRAGMA journal_mode=WAL")
    db.close()
    catalogue = SqliteSource(before).read_catalogue()

    def run(sql):
        sides = {}
        for name in ("origin", "target"):
            sides[name] = tmp_path / f"{name}.sqlite"
            shutil.copyfile(before, sides[name])
        db = sqlite3.connect(sides["origin"])
        db.executescript(sql)
        db.close()
        return cut_changes(before, sides, catalogue, tmp_path)

    return run


def read(changes, side, table):
    db = sqlite3.connect(changes.files[side])
    rows = db.execute(f'SELECT * FROM "{table}" ORDER BY 1, 2').fetchall()
    db.close()
    return rows


def test_nothing_changed_leaves_empty_tables_and_no_trace_at_the_snapshot(cut, tmp_path):
    changes = cut("SELECT 1")
    assert changes.changed == {"origin": [], "target": []}
    assert read(changes, "origin", "plain") == []
    assert sum(changes.rows["target"].values()) == sum(changes.rows["origin"].values()) > 0
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("before")] == ["before.sqlite"]


@pytest.mark.parametrize(
    ("sql", "table", "origin", "target"),
    [
        ("UPDATE plain SET v=1.0 WHERE id=1", "plain", [(1, 1.0)], [(1, 1)]),
        ("UPDATE plain SET v='X' WHERE id=2", "plain", [(2, "X")], [(2, "x")]),
        ("UPDATE plain SET v=0 WHERE id=3", "plain", [(3, 0)], [(3, None)]),
        ("DELETE FROM plain WHERE id=3", "plain", [], [(3, None)]),
        ("UPDATE pair SET a='K' WHERE b=1", "pair", [("K", 1, "v")], [("k", 1, "v")]),
        ("DELETE FROM pair WHERE b=2", "pair", [], [("k", 2, "w")]),
        ("INSERT INTO pair VALUES ('z', 1, 1)", "pair", [("z", 1, 1)], []),
        ("UPDATE loose SET a='s' WHERE b IS NULL", "loose", [("s", None, "s!")], [("r", None, "r!")]),
        ("INSERT INTO bag VALUES (1, 2)", "bag", [(1, 2)], []),
        ("UPDATE \"odd (name)\" SET v='w'", "odd (name)", [("o", "w")], [("o", "v")]),
        ("INSERT INTO child(plain_id) VALUES (9)", "child", [(2, 9)], []),
    ],
)  # fmt: skip
def test_changed_rows_are_cut_out_on_both_sides(cut, sql, table, origin, target):
    changes = cut(sql)
    assert changes.changed == {"origin": [table], "target": []}
    assert (read(changes, "origin", table), read(changes, "target", table)) == (origin, target)
    for other in set(TABLES) - {table}:
        assert read(changes, "origin", other) == read(changes, "target", other) == []


def test_a_schema_that_changed_is_compared_whole(cut):
    assert cut("ALTER TABLE plain DROP COLUMN v") is None
    assert cut("CREATE VIRTUAL TABLE words USING fts5(w)") is None


def test_the_whole_comparison_and_the_cut_one_say_the_same(tmp_path, monkeypatch):
    before = tmp_path / "before.sqlite"
    db = sqlite3.connect(before)
    db.executescript(SCHEMA)
    db.close()
    files = {name: tmp_path / f"{name}.sqlite" for name in ("origin", "again", "target")}
    for name, file in files.items():
        shutil.copyfile(before, file)
        db = sqlite3.connect(file)
        db.execute("UPDATE plain SET v=? WHERE id=1", (name,))
        db.execute("INSERT INTO pair VALUES ('new', 1, ?)", ("t" if name == "target" else "o",))
        db.commit()
        db.close()
    catalogue = SqliteSource(before).read_catalogue()
    states = EndStates(before=before, **files)
    cut_out = compare_states("main", catalogue, states)
    monkeypatch.setattr("edgelift.stages.verify.state.cut_changes", lambda *_: None)
    whole = compare_states("main", catalogue, states)
    assert cut_out.differences == whole.differences
    assert [d.column for d in whole.differences] == ["v"]
    assert cut_out.noisy == whole.noisy == ("plain.v",)
    assert (cut_out.origin_rows, cut_out.tables) == (whole.origin_rows, whole.tables)
    assert cut_out.changed == ("plain", "pair")
