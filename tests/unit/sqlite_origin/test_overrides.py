"""A SQLite file under [schema]: moved, proven by edgelift and by plain sqlite3 beside it."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edgelift.errors import UsageError
from edgelift.model.findings import Status
from edgelift.model.row_spec import RowSpec
from tests.unit.sqlite_origin.moving import NAMESPACE, judge, list_rules, look, make, start

SCHEMA = """
CREATE TABLE author (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL COLLATE NOCASE UNIQUE,
  born DATETIME DEFAULT CURRENT_TIMESTAMP, CHECK (length(name) > 0));
CREATE TABLE "Order Lines" (
  id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL REFERENCES author (id) ON DELETE CASCADE,
  title TEXT, price NUMERIC, twice GENERATED ALWAYS AS (price * 2) STORED,
  half AS (price / 2) VIRTUAL, scan BLOB, FOREIGN KEY (author_id) REFERENCES author);
CREATE TABLE pair (a, b TEXT, c, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE loose (x, y);
CREATE TABLE exact (i INTEGER PRIMARY KEY, r REAL, a ANY) STRICT;
CREATE INDEX by_title ON "Order Lines" (title) WHERE title IS NOT NULL;
CREATE UNIQUE INDEX by_lower ON "Order Lines" (lower(title), id);
CREATE VIEW shown AS SELECT a.name, l.title, l.price FROM author a
  JOIN "Order Lines" l ON l.author_id = a.id;
CREATE VIEW names AS SELECT name FROM shown;
CREATE TRIGGER counted AFTER INSERT ON "Order Lines" WHEN NEW.title IS NOT NULL
  BEGIN UPDATE author SET name = name || '' WHERE id = NEW.author_id; END;
"""
AUTHORS = [(i, f"n{i}", f"2024-01-{i:02d} 10:00:00") for i in range(1, 20)]
LINES = [(i, i % 19 + 1, None if i % 7 == 0 else f"t{i}", i / 4) for i in range(1, 1500)]
LOOSE = [
    (-0.0, 2**63 - 1), (float("inf"), "a\0b"), (None, b"\0x"), ("", b""), (1, 1.0), ("1", "1 "),
    (-(2**63), 5e-324), ("é😀", "x" * 5000), (1.5, -9007199254740993),
]  # fmt: skip


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    path = make(
        tmp_path / "origin with ?#% ü.sqlite",
        SCHEMA,
        ("INSERT INTO author VALUES (?, ?, ?)", AUTHORS),
        ('INSERT INTO "Order Lines" (id, author_id, title, price) VALUES (?, ?, ?, ?)', LINES),
        ("INSERT INTO pair VALUES (?, ?, ?)", [(i, str(i), -0.0) for i in range(700)]),
        ("INSERT INTO loose (rowid, x, y) VALUES (?, ?, ?)",
         [(n * 10**12 - 5, *row) for n, row in enumerate(LOOSE)]),
        ("INSERT INTO exact VALUES (?, ?, ?)",
         [(1, 1.0, "123"), (2, 0.1, 123), (3, None, b"1"), (4, 2.5, 1.0)]),
    )  # fmt: skip
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM author WHERE id = 19")  # the counter stays at 19
        db.execute("""DELETE FROM "Order Lines" WHERE author_id = 19""")
        db.commit()
    return path


def assert_proven(moving, sample: float = 1.0) -> None:
    checks = moving.prove(sample=sample)
    assert {name: c.status for name, c in checks.items() if c.status is Status.FAIL} == {}
    assert checks["rows"].status is Status.PASS


ALL = f"""
[schema]
exclude = ["Order Lines.scan"]
[[schema.rename]]
table = "Order Lines"
to = "line"
[[schema.rename]]
table = "Order Lines"
column = "title"
to = "heading"
[[schema.rename]]
table = "loose"
column = "x"
to = "y"
[[schema.rename]]
table = "loose"
column = "y"
to = "x"
[[schema.rewrite]]
table = "author"
as = "uuid5"
namespace = "{NAMESPACE}"
[[schema.rewrite]]
table = "author"
column = "born"
as = "unix"
"""
ACCEPTED = ("SCHEMA-REWRITE-USED",)


@pytest.mark.parametrize("engine", ["native", "python"])
def test_everything_at_once_arrives_and_is_proven(origin: Path, engine: str) -> None:
    moving = start(origin, ALL, ACCEPTED, engine=engine)
    assert {rule for rule, *_ in list_rules(moving.judgement)} == {"SCHEMA-REWRITE-USED"}
    assert moving.judgement.lost == ()
    moving.copy()
    assert_proven(moving)

    own = uuid.uuid5(uuid.UUID(NAMESPACE), "main.author.id")
    keys = {i: str(uuid.uuid5(own, str(i))) for i in range(1, 20)}
    seconds = [int(datetime(2024, 1, i, 10, tzinfo=UTC).timestamp()) for i in range(1, 19)]
    assert look(moving.part, "SELECT rowid, id, name, born FROM author ORDER BY rowid") == [
        (i, keys[i], f"n{i}", seconds[i - 1]) for i in range(1, 19)
    ]
    there = look(origin, 'SELECT id, author_id, title, price, twice, half FROM "Order Lines"')
    here = look(moving.part, "SELECT id, author_id, heading, price, twice, half FROM line")
    assert here == [(i, keys[key], *rest) for i, key, *rest in there]
    exact = "SELECT rowid, {}, {}, typeof(x), typeof(y), hex(x) FROM loose ORDER BY rowid"
    swapped = "SELECT rowid, y, x, typeof(y), typeof(x), hex(y) FROM loose ORDER BY rowid"
    assert look(moving.part, swapped) == look(origin, exact.format("x", "y"))
    assert repr(look(moving.part, "SELECT c FROM pair")) == repr(look(origin, "SELECT c FROM pair"))
    whole = "SELECT i, r, a, typeof(a) FROM exact"
    assert look(moving.part, whole) == look(origin, whole)
    assert look(moving.part, "SELECT * FROM shown ORDER BY 1, 2, 3") == look(
        origin, "SELECT * FROM shown ORDER BY 1, 2, 3"
    )
    assert look(moving.part, "PRAGMA foreign_key_check") == []


def test_the_converted_schema_works_like_the_old_one(origin: Path) -> None:
    moving = start(origin, ALL, ACCEPTED)
    moving.copy()
    with contextlib.closing(sqlite3.connect(moving.part)) as db:
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("INSERT INTO author (name) VALUES ('new')")
        key, born = db.execute("SELECT id, born FROM author WHERE name = 'new'").fetchone()
        assert uuid.UUID(key).version == 4
        assert abs(born - datetime.now(tz=UTC).timestamp()) < 86_400
        db.execute("INSERT INTO line (author_id, heading, price) VALUES (?, 'h', 3)", (key,))
        assert db.execute("SELECT twice FROM line WHERE heading = 'h'").fetchone() == (6,)
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            db.execute("INSERT INTO author (name) VALUES ('NEW')")
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            db.execute("INSERT INTO line (author_id) VALUES ('nobody')")
        db.execute("DELETE FROM author WHERE id = ?", (key,))
        assert db.execute("SELECT count(*) FROM line WHERE heading = 'h'").fetchone() == (0,)
        plan = db.execute("EXPLAIN QUERY PLAN SELECT 1 FROM line WHERE heading = 'x'").fetchall()
        assert "by_title" in plan[0][-1]


def test_the_mapping_names_every_object_under_its_old_name(origin: Path) -> None:
    judgement = judge(origin, ALL, ACCEPTED)
    entries = {name for (name,) in look(origin, "SELECT name FROM sqlite_schema")}
    named = {found.origin for found in judgement.mapping.objects}
    assert entries <= named
    columns = {
        column.origin: (column.name, column.op.split(" ")[0])
        for found in judgement.mapping.objects
        for column in found.columns
    }
    assert columns["Order Lines.title"] == ("heading", "keep")
    assert columns["Order Lines.author_id"] == ("author_id", "uuid5")
    assert columns["author.born"] == ("born", "timestamp")
    assert "Order Lines.scan" not in columns
    assert "Order Lines.scan" in named


def test_without_a_change_of_names_nothing_but_the_excluded_differs(origin: Path) -> None:
    moving = start(origin, '[schema]\nexclude = ["loose", "by_lower", "names", "counted"]')
    moving.copy()
    assert_proven(moving)
    left = {name for (name,) in look(moving.part, "SELECT name FROM sqlite_schema")}
    gone = {name for (name,) in look(origin, "SELECT name FROM sqlite_schema")} - left
    assert gone == {"loose", "by_lower", "names", "counted"}
    assert look(moving.part, "SELECT * FROM sqlite_sequence") == [("author", 19)]


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('[schema]\nexclude = ["nothing"]', ("nothing", "schema.exclude")),
        ('[schema]\nexclude = ["author.nothing"]', ("author.nothing",)),
        ('[schema]\nexclude = ["nothing.id"]', ("nothing",)),
        ('[[schema.rename]]\ntable = "nothing"\nto = "x"', ("nothing",)),
        ('[[schema.rename]]\ntable = "author"\ncolumn = "x"\nto = "y"', ("author.x",)),
        ('[[schema.rename]]\ntable = "shown"\nto = "x"', ("view 'shown'",)),
        ('[[schema.rename]]\ntable = "author"\nto = "PAIR"', ("PAIR", "two tables")),
        ('[[schema.rename]]\ntable = "author"\nto = "by_title"', ("by_title",)),
        ('[[schema.rename]]\ntable = "author"\ncolumn = "born"\nto = "NAME"', ("NAME", "columns")),
        ('[[schema.cast]]\ntable = "nothing"\ncolumn = "x"\nas = "text"', ("nothing",)),
        ('[[schema.cast]]\ntable = "author"\ncolumn = "x"\nas = "text"', ("author.x",)),
        (f'[[schema.rewrite]]\ntable = "pair"\nas = "uuid5"\nnamespace = "{NAMESPACE}"', ("pair",)),
        (
            (
                f'[[schema.rewrite]]\ntable = "author"\nas = "uuid5"\nnamespace = "{NAMESPACE}"\n'
                f'[[schema.rewrite]]\ntable = "Order Lines"\ncolumn = "author_id"\nas = "uuid7"\n'
                f'namespace = "{NAMESPACE}"'
            ),
            ("two rewrites meet",),
        ),
    ],
)
def test_settings_that_fit_nothing_are_told_in_three_lines(
    origin: Path, toml: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError) as caught:
        judge(origin, toml)
    assert caught.value.exit_code == 2
    assert caught.value.why
    assert caught.value.tip
    for word in words:
        assert word in str(caught.value)


def test_names_may_change_places(tmp_path: Path) -> None:
    path = make(
        tmp_path / "a.sqlite",
        "CREATE TABLE one (id INTEGER PRIMARY KEY, two REFERENCES two);"
        "CREATE TABLE two (id INTEGER PRIMARY KEY); CREATE VIEW v AS SELECT two FROM one;"
        "INSERT INTO two VALUES (7), (8); INSERT INTO one VALUES (1, 7);",
    )
    toml = (
        '[[schema.rename]]\ntable = "one"\nto = "two"\n[[schema.rename]]\ntable = "two"\n'
        'to = "one"\n[[schema.rename]]\ntable = "one"\ncolumn = "two"\nto = "ID2"\n'
    )
    moving = start(path, toml)
    moving.copy()
    assert_proven(moving)
    assert look(moving.part, "SELECT id, id2 FROM two") == [(1, 7)]
    assert look(moving.part, "SELECT id FROM one ORDER BY 1") == [(7,), (8,)]
    assert look(moving.part, "SELECT * FROM v") == [(7,)]
    assert look(moving.part, "PRAGMA foreign_key_list(two)")[0][2:5] == ("one", "ID2", None)


def test_every_row_has_a_way_back_to_its_old_key(tmp_path: Path) -> None:
    keys = [0, 1, 4095, 4096, 2**40, 2**59]
    path = make(
        tmp_path / "a.sqlite",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE c (t INTEGER REFERENCES t)",
        ("INSERT INTO t VALUES (?, NULL)", [(k,) for k in keys]),
        ("INSERT INTO c VALUES (?)", [(k,) for k in (*keys, None)]),
    )
    toml = f'[[schema.rewrite]]\ntable = "t"\nas = "uuid7"\nnamespace = "{NAMESPACE}"\nbase_ms = 7'
    moving = start(path, toml)
    moving.copy()
    assert_proven(moving)

    def undo(text: str) -> int:
        number = uuid.UUID(text).int
        return ((number >> 80) - 7 << 12) + (number >> 64 & 4095)

    assert [undo(k) for (k,) in look(moving.part, "SELECT id FROM t ORDER BY id")] == keys
    assert [k and undo(k) for (k,) in look(moving.part, "SELECT t FROM c ORDER BY rowid")] == [
        *keys, None,
    ]  # fmt: skip


def test_a_view_that_means_something_else_is_caught(origin: Path) -> None:
    from edgelift.stages.data.server.prove import Proof
    from edgelift.stages.data.server.views import check_views

    path = make(
        origin.with_name("b.sqlite"),
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE VIEW late AS SELECT v FROM t WHERE id > 1;"
        "CREATE VIEW all_t AS SELECT id, v FROM t; INSERT INTO t VALUES (1, 'a'), (2, 'b');",
    )
    toml = f'[[schema.rewrite]]\ntable = "t"\nas = "uuid5"\nnamespace = "{NAMESPACE}"'
    moving = start(path, toml)
    assert ("SCHEMA-REWRITE-USED", "late") in [(i.rule, i.name) for i in moving.judgement.issues]
    moving.copy()
    with moving.open() as copy:
        proof = Proof(db=copy.db, reader=copy.reader, plan=moving.plan, reproduce="x")
        check = check_views(proof, moving.judgement.schema, ())
    assert check is not None
    assert check.status is Status.FAIL
    assert [line.split(":")[0] for line in check.detail] == ["late"]
    assert isinstance(moving.plan.views[0], RowSpec)
