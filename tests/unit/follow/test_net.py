"""Net effects, and both writers: what they leave is what the changes say, however they are cut."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path

import pytest

from edgelift.errors import OriginError, TargetError
from edgelift.sources.change_feed import Edit, Emptied, Shape
from edgelift.stages.follow.file_target import FileTarget
from edgelift.stages.follow.file_writer import (
    Checkpoint,
    FileWriter,
    create_file,
    read_checkpoint,
)
from edgelift.stages.follow.net import Net
from edgelift.stages.follow.request_writer import RequestWriter
from edgelift.stages.follow.table_rules import order_tables
from edgelift.targets.door.batches import (
    MOST_BATCH_BYTES,
    MOST_PARAMETERS,
    MOST_STATEMENTS,
    Request,
)

SHAPES = [
    Shape("child", ("id", "parent", "name"), ("id",)),
    Shape("parent", ("id", "name", "rank"), ("id",)),
    Shape("loose", ("kind", "n"), ()),
]
SCHEMA = """
CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT, rank INTEGER UNIQUE);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent ON DELETE CASCADE, name);
CREATE TABLE loose (kind TEXT, n INTEGER);
INSERT INTO parent VALUES (1, 'one', 10), (2, 'two', 20), (3, 'three', 30);
INSERT INTO child VALUES (1, 1, 'a'), (2, 2, 'b');
INSERT INTO loose VALUES ('x', 1), ('x', 1), ('y', 2);
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    copy = tmp_path / "copy.sqlite"
    with contextlib.closing(sqlite3.connect(copy)) as db:
        db.executescript(SCHEMA)
    create_file(copy, tmp_path / "followed.sqlite", "start")
    return tmp_path / "followed.sqlite"


def build(*changes: Edit | Emptied) -> Net:
    net = Net(SHAPES)
    for change in changes:
        net.add(change)
    return net


def apply(path: Path, *changes: Edit | Emptied, requests: bool = False) -> None:
    writer = RequestWriter(FileTarget(path)) if requests else FileWriter(path)
    with contextlib.closing(writer):
        writer.prepare(SHAPES, ())
        writer.apply(build(*changes))
        writer.commit(Checkpoint("start", "next", 1, len(changes), 5.0))


def read(path: Path, table: str) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return sorted(db.execute(f"SELECT * FROM {table}").fetchall())


BOTH = pytest.mark.parametrize("requests", [False, True])


@BOTH
def test_rows_come_change_and_go_with_the_position(path: Path, requests: bool) -> None:
    apply(
        path,
        Edit("parent", None, {"id": 4, "name": "four", "rank": 40}),
        Edit("parent", (1,), {"id": 1, "name": "ONE", "rank": 10}),
        Edit("parent", (3,), None),
        Edit("child", None, {"id": 9, "parent": 4, "name": None}),
        requests=requests,
    )
    assert read(path, "parent") == [(1, "ONE", 10), (2, "two", 20), (4, "four", 40)]
    assert read(path, "child") == [(1, 1, "a"), (2, 2, "b"), (9, 4, None)]
    assert read_checkpoint(path) == Checkpoint("start", "next", 1, 4, 5.0)


@BOTH
def test_what_was_not_sent_keeps_its_value(path: Path, requests: bool) -> None:
    apply(
        path,
        Edit("parent", (3,), {"id": 7, "rank": 11}, full=False),
        Edit("parent", (7,), {"id": 7, "rank": 12}, full=False),
        requests=requests,
    )
    assert read(path, "parent") == [(1, "one", 10), (2, "two", 20), (7, "three", 12)]


@BOTH
@pytest.mark.parametrize("full", [True, False])
def test_unique_values_pass_from_row_to_row(path: Path, requests: bool, full: bool) -> None:
    apply(
        path,
        Edit("parent", (1,), {"id": 1, "rank": 20, **({"name": "one"} if full else {})}, full),
        Edit("parent", (2,), {"id": 2, "rank": 10, **({"name": "two"} if full else {})}, full),
        requests=requests,
    )
    assert read(path, "child") == [(1, 1, "a"), (2, 2, "b")]
    assert read(path, "parent")[:2] == [(1, "one", 20), (2, "two", 10)]


def write_parts(path: Path, *parts: tuple[Edit | Emptied, ...]) -> None:
    """Apply one transaction that comes in parts."""
    with contextlib.closing(FileWriter(path)) as writer:
        for part in parts:
            writer.apply(build(*part))
        writer.commit(Checkpoint("start", "next"))


def test_a_part_that_does_not_fit_yet_waits_for_the_rest(path: Path) -> None:
    write_parts(
        path,
        (Edit("parent", (1,), {"id": 1, "name": "one", "rank": 20}),),
        (Edit("parent", (2,), {"id": 2, "name": "two", "rank": 10}),),
    )
    assert read(path, "parent") == [(1, "one", 20), (2, "two", 10), (3, "three", 30)]
    with pytest.raises(TargetError, match="does not fit"):
        write_parts(path, (Edit("parent", (3,), {"id": 3, "name": "", "rank": 10}),))
    assert read(path, "parent") == [(1, "one", 20), (2, "two", 10), (3, "three", 30)]


def rank(row: int, value: int, *, full: bool = True) -> Edit:
    """Give a row of `parent` another rank; without `full` its name is not sent."""
    named = {"name": f"row {row}"} if full else {}
    return Edit("parent", (row,), {"id": row, "rank": value, **named}, full)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("full", [True, False])
def test_unique_values_rotate_through_all_rows_in_parts_of_any_size(
    path: Path, size: int, full: bool
) -> None:
    """The largest transactions are like that: rank = rank + 1 over a whole table."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM child")
        db.execute("DELETE FROM parent")
        rows = [(n, f"row {n}", n) for n in range(1, 21)]
        db.executemany("INSERT INTO parent VALUES (?, ?, ?)", rows)
        db.commit()
    edits = [rank(n, n % 20 + 1, full=full) for n in range(1, 21)]
    random.Random(size).shuffle(edits)
    write_parts(path, *(tuple(edits[i : i + size]) for i in range(0, 20, size)))
    assert read(path, "parent") == [(n, f"row {n}", n % 20 + 1) for n in range(1, 21)]


def test_a_waiting_row_is_changed_moved_and_removed_again(path: Path) -> None:
    write_parts(
        path,
        (rank(1, 20), rank(3, 20 + 10)),
        (
            Edit("parent", (1,), {"id": 5, "rank": 20}, full=False),
        ),  # still taken: known by its base
        (rank(2, 21),),
    )
    assert read(path, "parent") == [(2, "row 2", 21), (3, "row 3", 30), (5, "row 1", 20)]
    write_parts(path, (rank(5, 21),), (Edit("parent", (5,), None),))
    assert read(path, "parent") == [(2, "row 2", 21), (3, "row 3", 30)]
    write_parts(path, (rank(3, 21),), (Emptied("parent"),), (rank(9, 21),))
    assert read(path, "parent") == [(9, "row 9", 21)]


def test_waiting_rows_are_forgotten_with_their_transaction(path: Path) -> None:
    with contextlib.closing(FileWriter(path)) as writer:
        writer.apply(build(rank(1, 20)))
        writer.roll_back()
        writer.apply(build(rank(2, 33)))
        writer.commit(Checkpoint("start", "next"))
    assert read(path, "parent") == [(1, "one", 10), (2, "row 2", 33), (3, "three", 30)]


def test_rows_without_key_wait_too_and_are_found_again(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE UNIQUE INDEX once ON loose (n) WHERE n > 100")
        db.execute("INSERT INTO loose VALUES ('a', 101), ('b', 102)")
        db.commit()
    write_parts(
        path,
        (Edit("loose", ("a", 101), {"kind": "a", "n": 102}),),
        (Edit("loose", ("a", 102), {"kind": "c", "n": 102}),),
        (Edit("loose", ("b", 102), {"kind": "b", "n": 101}),),
    )
    assert read(path, "loose") == [("b", 101), ("c", 102), ("x", 1), ("x", 1), ("y", 2)]


def test_a_row_without_key_that_is_missing_is_told(path: Path) -> None:
    apply(path, Edit("loose", ("x", 1), None))
    with pytest.raises(TargetError, match="missing in the target"):
        apply(path, Edit("loose", ("x", 1), None), Edit("loose", ("x", 1), None))
    assert read(path, "loose") == [("x", 1), ("y", 2)]


@pytest.mark.parametrize("full", [True, False])
def test_chains_and_swaps_of_keys_within_one_transaction(path: Path, full: bool) -> None:
    def move(old: int, new: int, name: str) -> Edit:
        values = {"id": new, "name": name, "rank": {"one": 10, "two": 20, "three": 30}[name]}
        return Edit("parent", (old,), values if full else {"id": new}, full)

    apply(
        path,
        *(move(1, 0, "one"), move(2, 1, "two"), move(0, 2, "one")),  # a swap
        *(move(3, 4, "three"), move(4, 5, "three"), move(5, 3, "three"), move(3, 9, "three")),
    )
    assert read(path, "parent") == [(1, "two", 20), (2, "one", 10), (9, "three", 30)]


def test_what_changes_hold_in_memory_is_measured() -> None:
    net = build(
        Edit("child", None, {"id": 1, "parent": None, "name": "x" * 500}),
        Edit("loose", ("y" * 20, 5), {"kind": "é", "n": 1}),
        Emptied("parent"),
    )
    assert (net.size, net.bytes) == (3, 521)
    net.clear()
    assert (net.size, net.bytes, net.tables) == (0, 0, {})


@BOTH
def test_an_emptied_table_keeps_what_came_after(path: Path, requests: bool) -> None:
    apply(
        path,
        Edit("child", None, {"id": 5, "parent": 1, "name": "lost"}),
        Emptied("child"),
        Edit("child", None, {"id": 6, "parent": 1, "name": "kept"}),
        requests=requests,
    )
    assert read(path, "child") == [(6, 1, "kept")]


@BOTH
def test_rows_without_key_are_counted(path: Path, requests: bool) -> None:
    apply(
        path,
        Edit("loose", ("x", 1), None),
        Edit("loose", ("y", 2), {"n": 3}, full=False),
        Edit("loose", None, {"kind": "z", "n": 1}),
        Edit("loose", ("z", 1), None),
        requests=requests,
    )
    assert read(path, "loose") == [("x", 1), ("y", 3)]


def test_rows_without_key_go_in_one_batch_with_the_position_or_not_at_all(path: Path) -> None:
    loose = [Edit("loose", None, {"kind": "x" * 20, "n": n}) for n in range(4000)]
    keyed = [Edit("child", None, {"id": n, "parent": 1, "name": "y"}) for n in range(100, 3000)]
    batches: list[list[Request]] = []
    target = FileTarget(path)
    send = target.send
    target.send = lambda batch: (batches.append(list(batch)), send(batch))[1]  # type: ignore[method-assign]
    with contextlib.closing(RequestWriter(target)) as writer:
        writer.prepare(SHAPES, ())
        writer.apply(build(*loose, *keyed))
        writer.commit(Checkpoint("start", "next", 1, 6900, 5.0))
    places = [n for n, batch in enumerate(batches) if any("loose" in r.sql for r in batch)]
    assert (places, len(batches) > 1) == ([len(batches) - 1], True)
    assert "_edgelift_follow" in batches[-1][-1].sql
    assert len(read(path, "loose")) == 4003
    large = [Edit("loose", None, {"kind": "x", "n": n}) for n in range(30_000)]
    with pytest.raises(TargetError, match="too large to be sent") as raised:
        apply(path, *large, requests=True)
    assert "primary key" in raised.value.tip
    assert len(read(path, "loose")) == 4003


def test_a_row_that_is_missing_is_told(path: Path) -> None:
    with pytest.raises(TargetError, match="missing in the target"):
        apply(path, Edit("parent", (99,), {"id": 99, "rank": 1}, full=False))


def test_a_table_that_is_not_followed_is_told() -> None:
    with pytest.raises(OriginError, match="not followed"):
        build(Edit("other", (1,), None))


@BOTH
def test_triggers_do_not_fire_and_are_there_afterwards(path: Path, requests: bool) -> None:
    trigger = "CREATE TRIGGER t AFTER DELETE ON parent BEGIN DELETE FROM child; END"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(trigger)
    apply(path, Edit("parent", (3,), None), requests=requests)
    assert len(read(path, "child")) == 2
    assert [row[4] for row in read(path, "sqlite_schema") if row[0] == "trigger"] == [trigger]


def test_more_triggers_than_a_batch_has_room_for_are_refused(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        for number in range(13):
            db.execute(f"CREATE TRIGGER t{number} AFTER DELETE ON child BEGIN SELECT 1; END")
    with pytest.raises(TargetError, match="cannot be followed by requests") as raised:
        apply(path, requests=True)
    assert "13 triggers" in raised.value.why


def test_what_was_not_committed_is_gone(path: Path) -> None:
    with contextlib.closing(FileWriter(path)) as writer:
        writer.apply(build(Edit("parent", (1,), None)))
    assert len(read(path, "parent")) == 3
    assert read_checkpoint(path).position == "start"


@BOTH
@pytest.mark.parametrize("value", [2**60, -(2**63), 1.0, -0.0, float("inf"), "", b"\0", None, 0.1])
def test_values_stay_exact(path: Path, value: object, requests: bool) -> None:
    apply(path, Edit("child", None, {"id": 8, "parent": None, "name": value}), requests=requests)
    with contextlib.closing(sqlite3.connect(path)) as db:
        (found,) = db.execute("SELECT name FROM child WHERE id = 8").fetchone()
    assert repr(found) == repr(value)


def test_batches_fit_the_limits_and_may_run_twice(path: Path) -> None:
    batches: list[list[Request]] = []
    generator = random.Random(1)
    edits = [
        Edit("child", None, {"id": n, "parent": 1, "name": "x" * generator.randrange(9000)})
        for n in range(100, 900)
    ]
    target = FileTarget(path)
    send = target.send
    target.send = lambda batch: (batches.append(list(batch)), send(batch), send(batch))  # type: ignore[method-assign]
    with contextlib.closing(RequestWriter(target)) as writer:
        writer.prepare(SHAPES, ())
        writer.apply(build(*edits, Edit("parent", (2,), None), Edit("child", (2,), None)))
        writer.commit(Checkpoint("start", "next", 1, 800, 5.0))
    assert len(batches) > 2
    for batch in batches:
        assert len(batch) <= MOST_STATEMENTS
        assert sum(request.size_bytes for request in batch) <= MOST_BATCH_BYTES + 1000
        assert all(len(request.parameters) <= MOST_PARAMETERS for request in batch)
    saving = ["_edgelift_follow" in request.sql for batch in batches for request in batch]
    assert saving.index(True) == len(saving) - 1
    assert len(read(path, "child")) == 801
    assert [row[0] for row in read(path, "parent")] == [1, 3]


def test_parents_come_first_and_circles_end() -> None:
    parents = {"child": {"parent", "child"}, "parent": {"loose"}, "loose": {"child"}}
    assert [s.table for s in order_tables(SHAPES, {"child": {"parent"}})][:2] == ["parent", "child"]
    assert {s.table for s in order_tables(SHAPES, parents)} == {"child", "parent", "loose"}
