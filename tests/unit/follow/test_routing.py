"""Net effects are divided among shards: each row where its key belongs, removed elsewhere, never guessed."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from edgelift.errors import TargetError
from edgelift.model.shard_map import Shard, ShardMap, ShardTable
from edgelift.sources.change_feed import Edit, Emptied, Shape
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.stages.follow.net import Net
from edgelift.stages.follow.routing import Router
from edgelift.targets.door.batches import Request

SCHEMA = """
CREATE TABLE country (code TEXT PRIMARY KEY, name TEXT);
CREATE TABLE account (id INTEGER PRIMARY KEY, tenant TEXT, note TEXT);
CREATE TABLE entry (id INTEGER PRIMARY KEY, account INTEGER REFERENCES account(id), n INTEGER);
CREATE TABLE line (entry INTEGER REFERENCES entry(id), text TEXT);
CREATE TABLE log (tenant TEXT, text TEXT);
"""
SHAPES = [
    Shape("line", ("entry", "text"), ()),
    Shape("entry", ("id", "account", "n"), ("id",)),
    Shape("account", ("id", "tenant", "note"), ("id",)),
    Shape("country", ("code", "name"), ("code",)),
    Shape("log", ("tenant", "text"), ()),
]
BIG = 2**60 + 1
MAP = ShardMap(
    database="main", by="tenant", key="tenant", form="text",
    shards=(
        Shard(name="main-0", rows=1, bytes=1, tenants=("a", "it's")),
        Shard(name="main-1", rows=1, bytes=1, tenants=("b",)),
    ),
    tables=(
        ShardTable(table="country", way="replicated"),
        ShardTable(table="account", way="column", detail="tenant"),
        ShardTable(table="entry", way="through", detail="account -> account -> tenant"),
        ShardTable(table="line", way="through", detail="entry -> entry -> account -> account -> tenant"),
        ShardTable(table="log", way="column", detail="tenant"),
    ),
)  # fmt: skip


class Shards:
    """Two shards in memory and the router between them."""

    def __init__(self, *, spread: bool = False) -> None:
        self.dbs = {name: sqlite3.connect(":memory:") for name in ("main-0", "main-1")}
        for db in self.dbs.values():
            db.executescript(SCHEMA)
        self.run("main-0", "INSERT INTO account VALUES (1, 'a', 'x'), (2, 'it''s', 'x')")
        self.run("main-1", f"INSERT INTO account VALUES (7, 'b', 'x'), ({BIG}, 'b', 'x')")
        self.run("main-0", "INSERT INTO entry VALUES (10, 1, 0)")
        self.run("main-1", "INSERT INTO entry VALUES (70, 7, 0)")
        self.asked = 0
        catalogue = read_catalogue(self.dbs["main-0"])
        self.router = Router(MAP, catalogue, self.read, spread=spread)

    def run(self, shard: str, sql: str) -> None:
        self.dbs[shard].execute(sql)
        self.dbs[shard].commit()

    def read(self, shard: str, request: Request) -> list[list[Any]]:
        self.asked += 1
        return [list(row) for row in self.dbs[shard].execute(request.sql, request.parameters)]

    def split(self, *changes: Edit | Emptied) -> list[dict[str, Any]]:
        """What each shard gets: rows by table and key, None for one that goes; loose rows counted."""
        net = Net(SHAPES)
        for change in changes:
            net.add(change)
        found = []
        for part in self.router.split(net).values():
            told: dict[str, Any] = {}
            for name, table in part.tables.items():
                told[name] = {k: None if r is None else r.values for k, r in table.rows.items()}
                told[name] |= dict(table.loose)
                if table.emptied:
                    told[name]["emptied"] = True
            found.append(told)
        return found


@pytest.fixture
def shards() -> Iterator[Shards]:
    made = Shards()
    with contextlib.ExitStack() as stack:
        for db in made.dbs.values():
            stack.callback(db.close)
        yield made


def account(key: int, tenant: str) -> dict[str, Any]:
    return {"id": key, "tenant": tenant, "note": "n"}


def test_a_row_comes_into_its_shard_and_goes_elsewhere(shards: Shards) -> None:
    new = account(5, "b")
    assert shards.split(Edit("account", None, new)) == [
        {"account": {(5,): None}}, {"account": {(5,): new}}
    ]  # fmt: skip
    quoted = account(6, "it's")
    assert shards.split(Edit("account", None, quoted))[0] == {"account": {(6,): quoted}}


def test_a_row_that_goes_goes_everywhere(shards: Shards) -> None:
    assert shards.split(Edit("entry", (10,), None)) == [{"entry": {(10,): None}}] * 2
    assert shards.split(Emptied("entry")) == [{"entry": {"emptied": True}}] * 2


def test_replicated_rows_go_into_every_shard(shards: Shards) -> None:
    row = {"code": "de", "name": "Germany"}
    assert shards.split(Edit("country", None, row)) == [{"country": {("de",): row}}] * 2


def test_a_child_follows_its_parent_wherever_that_is_known_from(shards: Shards) -> None:
    below = [
        Edit("entry", None, {"id": 100, "account": 7, "n": 1}),  # there already
        Edit("entry", None, {"id": 101, "account": BIG, "n": 1}),  # beyond a double's digits
        Edit("entry", None, {"id": 102, "account": 50, "n": 1}),  # of the same transaction
        Edit("account", None, account(50, "a")),
        Edit("line", None, {"entry": 102, "text": "t"}),
        Edit("line", None, {"entry": 70, "text": "t"}),
        Edit("log", None, {"tenant": "b", "text": "t"}),
    ]
    first, second = shards.split(*below)
    assert [key for key, row in first["entry"].items() if row] == [(102,)]
    assert [key for key, row in second["entry"].items() if row] == [(100,), (101,)]
    assert (first["line"], second["line"]) == ({(102, "t"): 1}, {(70, "t"): 1})
    assert ("log" in first, second["log"]) == (False, {("b", "t"): 1})
    asked = shards.asked
    shards.split(Edit("line", None, {"entry": 102, "text": "again"}))
    assert shards.asked == asked  # where it lies is remembered


def test_what_was_not_sent_is_looked_up(shards: Shards) -> None:
    first, second = shards.split(Edit("entry", (70,), {"id": 70, "n": 9}, full=False))
    assert first == {}
    assert second["entry"] == {(70,): {"id": 70, "n": 9}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Edit("account", None, account(9, "nobody")), ("belongs to no shard", "tenant is nobody")),
        (Edit("entry", None, {"id": 9, "account": 999, "n": 1}), ("belongs to no shard", "999")),
        (Edit("entry", None, {"id": 9, "account": None, "n": 1}), ("belongs to no shard", "None")),
        (Edit("account", (1,), account(1, "b")), ("moved to another shard", "main-0")),
    ],
)
def test_no_shard_is_ever_guessed(shards: Shards, change: Edit, words: tuple[str, ...]) -> None:
    with pytest.raises(TargetError) as raised:
        shards.split(change)
    assert len(raised.value.lines()) == 3
    for word in words:
        assert word in str(raised.value)


def test_keys_that_are_new_are_spread_where_that_is_said() -> None:
    made = Shards(spread=True)
    parts = made.split(*(Edit("account", None, account(n, f"new {n}")) for n in range(100, 140)))
    counts = [sum(row is not None for row in part["account"].values()) for part in parts]
    assert sum(counts) == 40
    assert min(counts) > 0


def test_a_map_whose_columns_the_copy_has_not_is_refused() -> None:
    made = Shards()
    made.dbs["main-0"].execute("ALTER TABLE account RENAME tenant TO firm")
    with pytest.raises(TargetError, match="cannot find their shard"):
        Router(MAP, read_catalogue(made.dbs["main-0"]), made.read)
