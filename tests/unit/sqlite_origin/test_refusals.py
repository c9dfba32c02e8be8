"""What an override breaks is refused by rule before anything moves, and left out when accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.model.findings import Status
from tests.unit.sqlite_origin.moving import NAMESPACE, judge, list_rules, look, make, start

USED, MEANS = "SCHEMA-OVERRIDE-USED", "SCHEMA-REWRITE-USED"
UUID = f'[[schema.rewrite]]\ntable = "t"\nas = "uuid5"\nnamespace = "{NAMESPACE}"'
RENAME = '[[schema.rename]]\ntable = "t"\ncolumn = "v"\nto = "w"'
GONE = '[schema]\nexclude = ["t.v"]'
T = "CREATE TABLE t (id INTEGER PRIMARY KEY, v, n INTEGER);"

# name -> (script, settings, errors, what is left when they are accepted)
CASES: dict[str, tuple[str, str, list[tuple[str, str, str]], set[str]]] = {
    "an index over an excluded column": (
        T + "CREATE INDEX i ON t (v); CREATE INDEX j ON t (n)", GONE,
        [(USED, "index", "i")], {"t", "j"},
    ),
    "a partial index over an excluded column": (
        T + "CREATE INDEX i ON t (n) WHERE v > 1", GONE, [(USED, "index", "i")], {"t"},
    ),
    "an expression index over an excluded column": (
        T + "CREATE INDEX i ON t (lower(v))", GONE, [(USED, "index", "i")], {"t"},
    ),
    "a view over an excluded column, and a view over that": (
        T + "CREATE VIEW a AS SELECT v FROM t; CREATE VIEW b AS SELECT * FROM a;"
        "CREATE VIEW c AS SELECT n FROM t", GONE,
        [(USED, "view", "a"), (USED, "view", "b")], {"t", "c"},
    ),
    "a trigger over an excluded column": (
        T + "CREATE TRIGGER g AFTER UPDATE OF v ON t BEGIN DELETE FROM t WHERE v = 1; END;"
        "CREATE TRIGGER h AFTER INSERT ON t BEGIN DELETE FROM t WHERE n = 1; END;", GONE,
        [(USED, "trigger", "g")], {"t", "h"},
    ),
    "a view over an excluded table": (
        T + "CREATE TABLE u (x); CREATE VIEW a AS SELECT 1 FROM t, u",
        '[schema]\nexclude = ["u"]', [(USED, "view", "a")], {"t"},
    ),
    "a trigger that writes an excluded table": (
        T + "CREATE TABLE u (x);"
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO u VALUES (NEW.v); END;",
        '[schema]\nexclude = ["u"]', [(USED, "trigger", "g")], {"t"},
    ),
    "a trigger instead of writing a view that goes": (
        T + "CREATE VIEW a AS SELECT v FROM t;"
        "CREATE TRIGGER g INSTEAD OF INSERT ON a BEGIN INSERT INTO t (n) VALUES (1); END;", GONE,
        [(USED, "trigger", "g"), (USED, "view", "a")], {"t"},
    ),
    "a key column": ("CREATE TABLE t (v PRIMARY KEY, n)", GONE, [(USED, "table", "t")], set()),
    "a unique column": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE)", GONE, [(USED, "table", "t")], set()
    ),
    "a column in a check": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v, CHECK (v > 1))", GONE,
        [(USED, "table", "t")], set(),
    ),
    "a column in a generated one": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v, w AS (v + 1))", GONE,
        [(USED, "table", "t")], set(),
    ),
    "a column in a foreign key": (
        ("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t (id INTEGER PRIMARY KEY, v, "
        "FOREIGN KEY (v) REFERENCES p)"), GONE, [(USED, "table", "t")], {"p"},
    ),
    "the parent of a foreign key": (
        ("CREATE TABLE p (id INTEGER PRIMARY KEY);"
        "CREATE TABLE t (id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE)"),
        '[schema]\nexclude = ["p"]', [("SCHEMA-FK-TARGET", "table", "t")], {"t"},
    ),
    "a check over a key that becomes a UUID": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY CHECK (id <> ''))", UUID,
        [(MEANS, "table", "t")], {"t"},
    ),
    "a generated column over a time": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v DATETIME, w AS (v))",
        '[[schema.cast]]\ntable = "t"\ncolumn = "v"\nas = "unix"', [(MEANS, "table", "t")], {"t"},
    ),
    "an expression over a key that becomes a UUID": (
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE INDEX i ON t (id + 1);"
        "CREATE INDEX j ON t (id, v); CREATE INDEX k ON t (v) WHERE id > 1"), UUID,
        [(MEANS, "index", "i"), (MEANS, "index", "k")], {"t", "i", "j", "k"},
    ),
    "a trigger over a key that becomes a UUID": (
        T + "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET v = 1 WHERE id = NEW.id; END;",
        UUID, [(MEANS, "trigger", "g")], {"t", "g"},
    ),
    "a search index over a renamed table": (
        T + "CREATE VIRTUAL TABLE f USING fts5(v, content='t', content_rowid='id')",
        '[[schema.rename]]\ntable = "t"\nto = "u"', [(USED, "virtual table", "f")], {"u"},
    ),
    "a search index over a renamed column": (
        T + "CREATE VIRTUAL TABLE f USING fts5(v, content='t')", RENAME,
        [(USED, "virtual table", "f")], {"t"},
    ),
    "a column of a search index": (
        T + "CREATE VIRTUAL TABLE f USING fts5(v)",
        '[[schema.rename]]\ntable = "f"\ncolumn = "v"\nto = "w"',
        [(USED, "virtual table", "f")], {"t"},
    ),
    "one side of a foreign key": (
        ("CREATE TABLE p (id INTEGER PRIMARY KEY);"
        "CREATE TABLE t (id INTEGER PRIMARY KEY, p REFERENCES p)"),
        '[[schema.cast]]\ntable = "t"\ncolumn = "p"\nas = "text"', [(USED, "table", "t")], {"p"},
    ),
    "a default that is no constant": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v DATETIME DEFAULT (date('now', '-1 day')))",
        '[[schema.cast]]\ntable = "t"\ncolumn = "v"\nas = "unix"',
        [("SCHEMA-DEFAULT", "table", "t")], {"t"},
    ),
    "a default that the form has not": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v DEFAULT 'never')",
        '[[schema.cast]]\ntable = "t"\ncolumn = "v"\nas = "unix"',
        [("SCHEMA-DEFAULT", "table", "t")], {"t"},
    ),
    "a type that STRICT has not": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT) STRICT",
        '[[schema.cast]]\ntable = "t"\ncolumn = "v"\nas = "numeric"',
        [("SCHEMA-CAST", "table", "t")], set(),
    ),
    "what is broken already and has nothing to do with it": (
        T + "CREATE VIEW b AS SELECT nope FROM nowhere;"
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO nowhere VALUES (1); END;"
        "CREATE VIEW c AS SELECT v FROM t", RENAME, [], {"t", "b", "g", "c"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_breaks_is_refused_and_left_out_when_accepted(tmp_path: Path, name: str) -> None:
    script, toml, errors, left = CASES[name]
    path = make(tmp_path / "a.sqlite", script)
    judgement = judge(path, toml)
    assert list_rules(judgement) == errors
    assert judgement.lost == ()
    for issue in judgement.issues:
        assert issue.message
        assert issue.tip or issue.level != "error"
    moving = start(path, toml, accepted={rule for rule, *_ in errors})
    moving.copy()
    hidden = "('f_data', 'f_idx', 'f_docsize', 'f_config', 'f_content')"
    query = (
        f"SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND name NOT IN {hidden}"
    )
    assert {n for (n,) in look(moving.part, query)} - {"_edgelift_chunks"} == left
    if "broken already" not in name:
        checks = moving.prove(sample=1.0)
        assert {c.status for c in checks.values()} <= {Status.PASS, Status.SKIPPED}


@pytest.mark.parametrize(
    ("default", "to", "expected"),
    [
        ("CURRENT_TIMESTAMP", "unix", "unixepoch()"),
        ("(datetime('now'))", "unix", "unixepoch()"),
        ("'2000-01-01 00:00:00'", "unix", "946684800"),
        ("NULL", "unix", "NULL"),
        ("5", "text", "'5'"),
        ("(-5)", "text", "'-5'"),
        ("'it''s'", "text", "'it''s'"),
        ("1.5", "scaled", "150"),
        ("x'00'", "blob", "x'00'"),
        ("'a'", "blob", "x'61'"),
        ("1.0", "real", "1.0"),
    ],
)
def test_defaults_get_the_form_of_their_column(
    tmp_path: Path, default: str, to: str, expected: str
) -> None:
    path = make(
        tmp_path / "a.sqlite", f"CREATE TABLE t (id INTEGER PRIMARY KEY, v DEFAULT {default})"
    )
    scale = "\nscale = 2" if to == "scaled" else ""
    moving = start(path, f'[[schema.cast]]\ntable = "t"\ncolumn = "v"\nas = "{to}"{scale}')
    assert list_rules(moving.judgement) == []
    moving.copy()
    query = "SELECT dflt_value FROM pragma_table_info('t') WHERE name = 'v'"
    assert look(moving.part, query) == [(expected,)]


def test_search_indexes_and_statistics_come_along(tmp_path: Path) -> None:
    path = make(
        tmp_path / "a.sqlite",
        T + "CREATE INDEX i ON t (n); CREATE TABLE other (x);"
        "CREATE VIRTUAL TABLE own USING fts5(a, b UNINDEXED);"
        "CREATE VIRTUAL TABLE behind USING fts5(v, content='t', content_rowid='id');"
        "CREATE VIRTUAL TABLE words USING fts5vocab('own', 'row');"
        "CREATE VIRTUAL TABLE places USING rtree(id, x0, x1);"
        "INSERT INTO t (v, n) VALUES ('quick fox', 1), ('lazy dog', 2);"
        "INSERT INTO own (rowid, a, b) VALUES (7, 'hello world', 1), (90, 'hello there', NULL);"
        "INSERT INTO behind (behind) VALUES ('rebuild'); INSERT INTO places VALUES (4, 0.1, 2.5);"
        "ANALYZE",
    )
    moving = start(
        path, '[schema]\nexclude = ["other"]\n[[schema.rename]]\ntable = "own"\nto = "own"'
    )
    assert list_rules(moving.judgement) == []
    moving.copy()
    checks = moving.prove(sample=1.0)
    assert {c.status for c in checks.values()} <= {Status.PASS, Status.SKIPPED}
    for query in (
        "SELECT rowid, a, b FROM own", "SELECT rowid FROM behind WHERE behind MATCH 'fox'",
        "SELECT term, cnt FROM words", "SELECT * FROM places",
        "SELECT rowid FROM own WHERE own MATCH 'hello'", "SELECT * FROM sqlite_stat1 WHERE tbl = 't'",
    ):  # fmt: skip
        assert look(moving.part, query) == look(path, query), query


@pytest.mark.parametrize(
    ("declared", "values", "to", "broken"),
    [
        ("v UNIQUE", ("2024-01-01 00:00:00", "2024-01-01T00:00:00"), "unix", True),
        ("v UNIQUE", ("2024-01-01 00:00:00", "2024-01-01 00:00:01"), "unix", False),
        ("v PRIMARY KEY", ("1", 1), "text", True),
        ("v PRIMARY KEY", ("1", 2), "text", False),
        ("v UNIQUE", (1, "01"), "text", False),
        ("v TEXT COLLATE NOCASE UNIQUE", ("a", "b"), "text", False),
        ("v, w, UNIQUE (v, w)", ("1.0", "1.00"), "numeric", False),  # NULLs in w
        ("v UNIQUE", ("1.0", "1.00"), "numeric", True),
        ("v UNIQUE", (None, None), "numeric", False),
    ],
)
def test_values_that_become_the_same_break_a_unique_key_before_anything_moves(
    tmp_path: Path, declared: str, values: tuple[object, object], to: str, broken: bool
) -> None:
    path = make(
        tmp_path / "a.sqlite",
        f"CREATE TABLE t ({declared}); CREATE TABLE other (x)",
        ("INSERT INTO t (v) VALUES (?)", [(value,) for value in values]),
    )
    toml = f'[[schema.cast]]\ntable = "t"\ncolumn = "v"\nas = "{to}"'
    rules = {rule for rule, *_ in list_rules(judge(path, toml))}
    assert rules == ({"SCHEMA-UNIQUE-BROKEN"} if broken else set())
    moving = start(path, toml, accepted={"SCHEMA-UNIQUE-BROKEN"})
    moving.copy()
    query = "SELECT name FROM sqlite_schema WHERE name IN ('t', 'other') ORDER BY 1"
    assert [n for (n,) in look(moving.part, query)] == (["other"] if broken else ["other", "t"])
