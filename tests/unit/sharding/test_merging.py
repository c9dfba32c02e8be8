"""Shards put together again: what one whole database would hold, and what could be in none shows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from edgelift.model.shard_map import Shard, ShardMap, ShardTable, list_members
from edgelift.sources.shard_files import merge_members

SCHEMA = """
CREATE TABLE country (code TEXT PRIMARY KEY, name TEXT);
CREATE TABLE account (id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT, note TEXT,
  doubled TEXT GENERATED ALWAYS AS (note || note));
CREATE TABLE entry (id INTEGER PRIMARY KEY, account INTEGER REFERENCES account (id));
CREATE TRIGGER note AFTER INSERT ON entry BEGIN UPDATE account SET note = 'touched'; END;
"""
MAP = ShardMap(
    database="main",
    by="tenant",
    key="tenant",
    form="text",
    shards=(
        Shard(name="main-0", rows=0, bytes=0, tenants=("a",)),
        Shard(name="main-1", rows=0, bytes=0, tenants=("b",)),
    ),
    tables=(
        ShardTable(table="country", way="replicated"),
        ShardTable(table="account", way="column", detail="tenant"),
        ShardTable(table="entry", way="through", detail="account -> account -> tenant"),
    ),
    counters={"account": "id"},
)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = {m.name: tmp_path / f"{m.name}.sqlite" for m in list_members("main", "DB", "d1", MAP)}
    for name, file in made.items():
        with closing(sqlite3.connect(file)) as db:
            db.executescript(SCHEMA)
            if name == "main-counters":
                db.execute("INSERT INTO sqlite_sequence VALUES ('account', 40)")
            else:
                number, tenant = int(name[-1]), "ab"[int(name[-1])]
                db.execute("INSERT INTO country VALUES ('de', 'Germany'), ('fr', 'France')")
                sql = "INSERT INTO account (id, tenant, note) VALUES (?, ?, ?)"
                db.execute(sql, (10 + number, tenant, f"of {tenant}"))
                db.execute("DROP TRIGGER note")
                db.execute("INSERT INTO entry VALUES (?, ?)", (number, 10 + number))
                db.execute(SCHEMA.splitlines()[-1])
            db.commit()
    return made


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def merge(files: dict[str, Path], found: ShardMap = MAP) -> dict[str, list[tuple]]:
    target = next(iter(files.values())).with_name("whole.sqlite")
    before = {name: file.read_bytes() for name, file in files.items()}
    merge_members(files, found, target)
    assert {name: file.read_bytes() for name, file in files.items()} == before
    with closing(sqlite3.connect(target)) as db:
        tables = ("country", "account", "entry", "sqlite_sequence")
        return {t: sorted(db.execute(f"SELECT * FROM {t}").fetchall()) for t in tables}


def test_the_whole_holds_each_row_once(files: dict[str, Path]) -> None:
    assert merge(files) == {
        "country": [("de", "Germany"), ("fr", "France")],
        "account": [(10, "a", "of a", "of aof a"), (11, "b", "of b", "of bof b")],
        "entry": [(0, 10), (1, 11)],
        "sqlite_sequence": [("account", 40)],
    }


def test_it_can_be_done_again(files: dict[str, Path]) -> None:
    assert merge(files) == merge(files)


def test_a_row_in_the_shard_of_another_key_is_missing(files: dict[str, Path]) -> None:
    change(files["main-0"], "INSERT INTO account (id, tenant) VALUES (12, 'b')")
    change(files["main-1"], "INSERT INTO account (id, tenant) VALUES (13, 'a'), (14, 'nobody')")
    assert [row[0] for row in merge(files)["account"]] == [10, 11]
    formless = msgspec.structs.replace(MAP, form="")
    assert [row[0] for row in merge(files, formless)["account"]] == [10, 11, 12, 13, 14]


def test_two_rows_with_one_key_are_one(files: dict[str, Path]) -> None:
    change(
        files["main-1"], "INSERT INTO account (id, tenant, note) VALUES (10, 'b', 'same number')"
    )
    assert [row[2] for row in merge(files)["account"]] == ["same number", "of b"]


@pytest.mark.parametrize("name", ["main-0", "main-1"])
@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ("DELETE FROM country WHERE code = 'fr'", [("de", "Germany")]),
        ("UPDATE country SET name = 'x' WHERE code = 'fr'", [("de", "Germany")]),
        ("INSERT INTO country VALUES ('it', 'Italy')", [("de", "Germany"), ("fr", "France")]),
    ],
)
def test_of_a_replicated_table_only_what_all_hold_is_kept(
    files: dict[str, Path], name: str, statement: str, left: list[tuple]
) -> None:
    change(files[name], statement)
    assert merge(files)["country"] == left


def test_rows_that_wait_in_the_log_of_a_stopped_server_count(files: dict[str, Path]) -> None:
    kept = sqlite3.connect(files["main-1"])
    kept.execute("PRAGMA journal_mode=WAL")
    kept.execute("INSERT INTO account (id, tenant) VALUES (30, 'b')")
    kept.commit()
    assert files["main-1"].with_name("main-1.sqlite-wal").stat().st_size
    rows = merge(files)["account"]
    kept.close()
    assert [row[0] for row in rows] == [10, 11, 30]


def test_members_have_bindings_in_d1_and_names_as_objects() -> None:
    d1 = [(m.name, m.binding, m.object_name) for m in list_members("main", "DB", "d1", MAP)]
    assert d1 == [
        ("main-0", "DB_0", "DB_0"), ("main-1", "DB_1", "DB_1"), ("main-counters", "DB", "DB"),
    ]  # fmt: skip
    objects = [(m.binding, m.object_name) for m in list_members("main", "DB", "object", MAP)]
    assert objects == [("DB", "DB/main-0"), ("DB", "DB/main-1"), ("DB", "DB")]
    plain = msgspec.structs.replace(MAP, counters={})
    assert len(list_members("main", "DB", "object", plain)) == 2
    assert [m.object_name for m in list_members("main", "DB", "d1", None)] == ["DB"]
