"""Messages of a load: all rows once, in an order in which parents come first, within the sizes, the same each time."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.stages.data.upload import messages
from edgelift.stages.data.upload.messages import Messages, encode_row
from edgelift.targets.door.cells import hash_row
from edgelift.targets.door.loads import list_loads


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        yield opened


def cut(db: sqlite3.Connection) -> tuple[list[dict[str, Any]], Messages]:
    made = Messages(db, list_loads(read_catalogue(db)), "id")
    return [json.loads(text) for _number, _rows, text in made], made


def rows_of(told: list[dict[str, Any]], table: str) -> list[list[Any]]:
    return [
        row
        for message in told
        for part in message["parts"]
        if part["table"] == table
        for row in part["rows"]
    ]


def test_rows_come_with_rowids_and_kinds(db: sqlite3.Connection) -> None:
    db.executescript(
        "CREATE TABLE t(a, b TEXT, c GENERATED ALWAYS AS (a || b) VIRTUAL);"
        "INSERT INTO t VALUES(1, 'x'), (NULL, NULL), (2.5, x'00'), (3, 'y');"
    )
    told, made = cut(db)
    assert told == [{"identity": "id", "number": 1, "parts": [
        {"table": "t", "columns": ["rowid", "a", "b"], "kinds": "ii-", "rows": [["1", "1", "x"], ["2", None, None]]},
        {"table": "t", "columns": ["rowid", "a", "b"], "kinds": "i--", "rows": [["3", 2.5, {"blob": "AA=="}]]},
        {"table": "t", "columns": ["rowid", "a", "b"], "kinds": "ii-", "rows": [["4", "3", "y"]]},
    ]}]  # fmt: skip
    assert (made.sums["t"].rows, made.sums["t"].hash) == (
        4, sum(hash_row(row) for row in [(1, 1, "x"), (2, None, None), (3, 2.5, b"\0"), (4, 3, "y")]),
    )  # fmt: skip


def test_nulls_join_rows_of_any_kinds(db: sqlite3.Connection) -> None:
    db.executescript(
        "CREATE TABLE t(a PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO t VALUES(1, NULL), (2, 5), (3, NULL)"
    )
    [message], _ = cut(db)
    assert [(part["kinds"], len(part["rows"])) for part in message["parts"]] == [("ii", 3)]


def test_parents_come_first_and_circles_are_kept_aside(db: sqlite3.Connection) -> None:
    db.executescript(
        "CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES parent(id));"
        "CREATE TABLE parent(id INTEGER PRIMARY KEY);"
        "CREATE TABLE tree(id INTEGER PRIMARY KEY, up REFERENCES tree(id));"
        "CREATE TABLE one(id INTEGER PRIMARY KEY, o REFERENCES other(id));"
        "CREATE TABLE other(id INTEGER PRIMARY KEY, o REFERENCES one(id));"
    )
    loads = {load.table: load for load in list_loads(read_catalogue(db))}
    names = list(loads)
    assert names.index("parent") < names.index("child")
    assert loads["parent"].stage is None
    assert loads["child"].stage is None
    stages = [loads[name].stage for name in ("tree", "one", "other")]
    assert len(set(stages)) == 3
    assert None not in stages


def test_virtual_tables_are_loaded_where_they_hold_rows_of_their_own(
    db: sqlite3.Connection,
) -> None:
    db.executescript(
        "CREATE TABLE body(id INTEGER PRIMARY KEY, text);"
        "CREATE VIRTUAL TABLE own USING fts5(text);"
        "CREATE VIRTUAL TABLE shown USING fts5(text, content='body', content_rowid='id');"
        "CREATE VIRTUAL TABLE box USING rtree(id, low, high);"
        "INSERT INTO own VALUES('a b'); INSERT INTO box VALUES(1, 0, 2);"
    )
    loads = {load.table: load.columns for load in list_loads(read_catalogue(db))}
    assert set(loads) == {"body", "own", "box"}
    assert loads["box"] == ("id", "low", "high")
    assert rows_of(cut(db)[0], "own") == [["1", "a b"]]


def test_a_hundred_columns_leave_no_room_for_the_rowid(db: sqlite3.Connection) -> None:
    listed = ", ".join(f"c{number}" for number in range(100))
    db.execute(f"CREATE TABLE wide({listed})")
    db.execute(f"CREATE TABLE less({listed.rpartition(', ')[0]})")
    wide, less = sorted(list_loads(read_catalogue(db)), key=lambda load: load.table, reverse=True)
    assert (len(wide.columns), wide.columns[0]) == (100, "c0")
    assert (len(less.columns), less.columns[0]) == (100, "rowid")


def test_messages_stay_within_the_sizes_and_are_the_same_each_time(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MESSAGE_BYTES", 3_000)
    monkeypatch.setattr(messages, "MESSAGE_ROWS", 40)
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    db.execute("CREATE TABLE u(id INTEGER PRIMARY KEY, v)")
    values = [(n, "x" * (n % 90) if n % 3 else n) for n in range(500)]
    db.executemany("INSERT INTO t VALUES(?, ?)", values)
    db.execute("INSERT INTO u VALUES(1, ?)", (b"y" * 9_000,))
    first, made = cut(db)
    again, _ = cut(db)
    assert first == again
    assert [message["number"] for message in first] == list(range(1, len(first) + 1))
    for message in first:
        counted = sum(len(part["rows"]) for part in message["parts"])
        assert counted <= 40
        assert (
            counted == 1 or sum(len(json.dumps(part["rows"])) for part in message["parts"]) < 4_500
        )
    assert [row[0] for row in rows_of(first, "t")] == [str(n) for n in range(500)]
    assert base64.b64decode(rows_of(first, "u")[0][-1]["blob"]) == b"y" * 9_000
    assert (made.sums["t"].rows, made.sums["u"].rows) == (500, 1)


def test_an_empty_database_has_no_message(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE t(a)")
    told, made = cut(db)
    assert told == []
    assert made.sums["t"].rows == 0
    assert made.sums["t"].text == "0" * 32


def test_text_that_is_not_utf_8_keeps_its_bytes(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE t(a)")
    db.execute("INSERT INTO t VALUES(CAST(x'61ff00' AS TEXT))")
    [message], _ = cut(db)
    part = message["parts"][0]
    assert part["kinds"] == "it"
    assert base64.b64decode(part["rows"][0][1]["blob"]) == b"a\xff\0"


def test_kinds_of_a_row() -> None:
    assert encode_row((None, 1, "a")) == (["", "i", "-"], b'[null,"1","a"]')


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("CREATE TABLE t(id INTEGER PRIMARY KEY, a)", ("id", "a")),
        ("CREATE TABLE t(a, id integer primary key autoincrement)", ("a", "id")),
        ("CREATE TABLE t(id INTEGER PRIMARY KEY DESC, a)", ("rowid", "id", "a")),
        ("CREATE TABLE t(id INT PRIMARY KEY, a)", ("rowid", "id", "a")),
        ("CREATE TABLE t(id TEXT PRIMARY KEY, rowid)", ("_rowid_", "id", "rowid")),
        ("CREATE TABLE t(id TEXT PRIMARY KEY) WITHOUT ROWID", ("id",)),
    ],
)
def test_the_rowid_travels_where_no_column_is_it(
    db: sqlite3.Connection, sql: str, columns: tuple[str, ...]
) -> None:
    db.execute(sql)
    [load] = list_loads(read_catalogue(db))
    assert load.columns == columns
