"""Views that SQLite cannot rename get their new names by their words, or are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.stages.schema.sqlite.words import replace_words
from tests.unit.sqlite_origin.moving import list_rules, look, make, start

TABLES = (
    "CREATE TABLE a (id INTEGER PRIMARY KEY, name); CREATE TABLE b (k INTEGER PRIMARY KEY, id, note);"
    "INSERT INTO a VALUES (1, 'x'), (2, 'y'); INSERT INTO b VALUES (10, 1, 'n'), (11, 3, 'id');"
)
BOTH = "".join(
    f'[[schema.rename]]\ntable = "{table}"\ncolumn = "id"\nto = "key id"\n' for table in "ab"
)
TABLE = '[[schema.rename]]\ntable = "a"\nto = "alpha"\n'


@pytest.mark.parametrize(
    ("view", "toml"),
    [
        ("SELECT a.name, b.note FROM a JOIN b USING (id)", BOTH),
        ("SELECT a.name, b.note FROM a JOIN b USING (id)", BOTH + TABLE),
        ("SELECT name, note, id FROM a NATURAL JOIN b", BOTH),
        ("SELECT name AS id, 'id' AS t, a.id FROM a JOIN b USING (id)", BOTH),
        ('SELECT "id", [name] FROM a LEFT JOIN b USING ("id") WHERE a.id > 0', BOTH + TABLE),
    ],
)
def test_a_join_of_renamed_columns_shows_the_same_rows(
    tmp_path: Path, view: str, toml: str
) -> None:
    path = make(tmp_path / "a.sqlite", f"{TABLES}CREATE VIEW v AS {view}")
    moving = start(path, toml)
    assert list_rules(moving.judgement) == []
    moving.copy()
    assert look(moving.part, "SELECT * FROM v") == look(path, "SELECT * FROM v")


def test_one_side_alone_is_refused(tmp_path: Path) -> None:
    path = make(
        tmp_path / "a.sqlite", f"{TABLES}CREATE VIEW v AS SELECT * FROM a JOIN b USING (id)"
    )
    toml = '[[schema.rename]]\ntable = "a"\ncolumn = "id"\nto = "other"\n'
    assert list_rules(start(path, toml).judgement) == [("SCHEMA-OVERRIDE-USED", "view", "v")]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT old FROM t", 'SELECT "new" FROM t'),
        ("SELECT t.old, old.x FROM t AS old", 'SELECT t."new", old.x FROM t AS old'),
        ("SELECT old(1), 'old', x AS old", "SELECT old(1), 'old', x AS old"),
        ("SELECT was.a FROM was", 'SELECT "is".a FROM "is"'),
        ("SELECT a.was FROM [was] /* was */", 'SELECT a.was FROM "is" /* was */'),
        ('SELECT "OLD" -- old', 'SELECT "new" -- old'),
    ],
)
def test_words_are_replaced_where_they_are_names(sql: str, expected: str) -> None:
    assert replace_words(sql, {"old": "new"}, {"was": "is"}) == expected
