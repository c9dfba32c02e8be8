"""Comparison of databases: every kind of corruption is caught and named; what is equal is equal."""

from __future__ import annotations

import math
import shutil
import sqlite3
import struct
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelift.errors import OriginError, TargetError
from edgelift.model.comparison import CellDifference
from edgelift.sources.sqlite import SqliteSource
from edgelift.sources.sqlite_compare import compare_databases
from edgelift.sources.sqlite_rows import hash_bytes, hash_rows, to_canonical, to_hex, to_shape
from edgelift.sources.sqlite_values import is_same, show_pair, show_value

SHOP = """
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price, note TEXT, raw BLOB);
CREATE TABLE pair (a TEXT, b TEXT, v INTEGER, w INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE log (at TEXT, what TEXT, n INTEGER);
INSERT INTO item WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
  SELECT i, 'item ' || i, i * 1.5, iif(i % 2, NULL, 'x'), zeroblob(3) FROM n;
INSERT INTO pair WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
  SELECT 'a' || (i % 5), 'b' || i, i, i * 2 FROM n;
INSERT INTO log WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
  SELECT 'today', 'same', i / 10 FROM n;
"""


@pytest.fixture
def both(make) -> tuple[Path, Path]:
    return make(SHOP), make(SHOP, "target.db")


def differences(origin: Path, target: Path, **options) -> list[CellDifference]:
    catalogue = SqliteSource(origin).read_catalogue()
    tables = compare_databases(origin, target, catalogue, **options)
    for table in tables:
        assert table.equal == (not table.differences)
        if not options and table.equal:
            assert table.origin_rows == table.target_rows
            assert table.origin_hash == table.target_hash
    return [difference for table in tables for difference in table.differences]


def test_equal_databases_are_equal_in_any_order(origin: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    shutil.copy(origin, other)
    assert differences(origin, other) == []
    assert differences(origin, other, by_rowid=True) == []


@pytest.mark.parametrize(
    ("change", "kind", "described"),
    [
        (
            "DELETE FROM item WHERE id = 7",
            "missing row",
            "item [id=7]: missing row, origin has id=7, name='item 7'",
        ),
        (
            "INSERT INTO item (id) VALUES (999)",
            "extra row",
            "item [id=999]: extra row, target has id=999, name=NULL",
        ),
        (
            "UPDATE item SET name = 'item 8x' WHERE id = 8",
            "value",
            "item [id=8].name: origin 'item 8', target 'item 8x' (value)",
        ),
        (
            "UPDATE item SET name = 'item 8 ' WHERE id = 8",
            "white space",
            "item [id=8].name: origin 'item 8', target 'item 8 ' (white space)",
        ),
        (
            "UPDATE item SET name = 'Item 8' WHERE id = 8",
            "letter case",
            "item [id=8].name: origin 'item 8', target 'Item 8' (letter case)",
        ),
        (
            "UPDATE item SET price = 3 WHERE id = 2",
            "type",
            "item [id=2].price: origin 3.0, target 3 (type)",
        ),
        (
            "UPDATE item SET price = '3.0' WHERE id = 2",
            "type",
            "item [id=2].price: origin 3.0, target '3.0' (type)",
        ),
        (
            "UPDATE item SET price = 3.0000000000000004 WHERE id = 2",
            "value",
            "item [id=2].price: origin 3.0, target 3.0000000000000004 (value)",
        ),
        (
            "UPDATE item SET note = '' WHERE id = 1",
            "null",
            "item [id=1].note: origin NULL, target '' (null)",
        ),
        (
            "UPDATE item SET raw = x'000100' WHERE id = 1",
            "value",
            "item [id=1].raw: origin x'000000', target x'000100' (value)",
        ),
        (
            "UPDATE item SET raw = CAST(raw AS TEXT) WHERE id = 1",
            "type",
            "item [id=1].raw: origin x'000000', target '\\x00\\x00\\x00' (type)",
        ),
        (
            "UPDATE pair SET v = w, w = v WHERE b = 'b4'",
            "swapped columns",
            "pair [a='a4', b='b4'].v: origin 4, target 8 (swapped columns)",
        ),
        (
            "UPDATE pair SET b = 'B4' WHERE b = 'b4'",
            "letter case",
            "pair [a='a4', b='b4'].b: origin 'b4', target 'B4' (letter case)",
        ),
        (
            "UPDATE log SET n = 77 WHERE rowid = 1",
            "value",
            "log [at='today', what='same', n=0].n: origin 0, target 77 (value)",
        ),
        (
            "DELETE FROM log WHERE rowid = 1",
            "missing row",
            "log [at='today', what='same', n=0]: missing row",
        ),
        (
            "INSERT INTO log VALUES ('today', 'same', 5)",
            "extra row",
            "log [at='today', what='same', n=5]: extra row",
        ),
        ("DROP TABLE log", "missing table", "log: missing table"),
        ("CREATE TABLE more (a)", "extra table", "more: extra table"),
        ("ALTER TABLE log DROP COLUMN what", "missing column", "log.what: missing column"),
        ("ALTER TABLE log ADD COLUMN plus", "extra column", "log.plus: extra column"),
    ],
)
def test_corruption_is_named(both, change, kind: str, described: str) -> None:
    origin, target = both
    run(target, change)
    found = differences(origin, target)
    assert kind in [difference.kind for difference in found]
    assert found[0].describe().startswith(described)
    assert len(found) <= 2


def run(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()


def test_a_flipped_byte_of_the_file_is_named(both) -> None:
    origin, target = both
    raw = target.read_bytes()
    place = raw.index(b"item 123") + 7
    target.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
    (found,) = differences(origin, target)
    assert (found.table, found.key, found.column) == ("item", "id=123", "name")
    assert (found.origin, found.target) == ("'item 123'", "'item 122'")


def test_rowids_name_rows_without_a_key(both) -> None:
    origin, target = both
    run(target, "UPDATE log SET what = 'other' WHERE rowid = 31")
    (found,) = differences(origin, target, by_rowid=True)
    assert found.describe() == "log [rowid=31].what: origin 'same', target 'other' (value)"
    run(target, "UPDATE log SET rowid = 1000 WHERE rowid = 60")
    kinds = {(d.key, d.kind) for d in differences(origin, target, by_rowid=True)}
    assert kinds == {
        ("rowid=31", "value"),
        ("rowid=60", "missing row"),
        ("rowid=1000", "extra row"),
    }
    run(target, "UPDATE log SET what = 'same' WHERE rowid = 31")
    assert len(differences(origin, target, by_rowid=True)) == 2
    assert differences(origin, target) == []


def test_the_number_of_duplicates_counts(make) -> None:
    origin = make("CREATE TABLE t (a); INSERT INTO t VALUES (1), (1), (2);")
    target = make("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (2);", "target.db")
    assert sorted(d.kind for d in differences(origin, target)) == ["extra row", "missing row"]


def test_swapped_columns_of_a_whole_table_stop_at_the_limit(both) -> None:
    origin, target = both
    run(target, "UPDATE pair SET v = w, w = v")
    catalogue = SqliteSource(origin).read_catalogue()
    tables = {t.table: t for t in compare_databases(origin, target, catalogue, limit=5)}
    assert len(tables["pair"].differences) == 5
    assert {d.kind for d in tables["pair"].differences} == {"swapped columns"}


def test_many_differences_are_searched_in_groups(make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgelift.sources.sqlite_compare._GROUP_ROWS", 16)
    origin, target = make(SHOP), make(SHOP, "target.db")
    run(target, "UPDATE item SET note = 'changed' WHERE id % 3 = 0")
    catalogue = SqliteSource(origin).read_catalogue()
    (found, *_) = compare_databases(origin, target, catalogue, limit=10_000)
    assert (found.differing_rows, len(found.differences), found.complete) == (100, 100, True)
    (found, *_) = compare_databases(origin, target, catalogue, limit=3)
    assert (len(found.differences), found.complete) == (3, False)


def test_ignored_columns_and_tables(both) -> None:
    origin, target = both
    run(target, "UPDATE item SET note = 'n'", "DELETE FROM log", "CREATE TABLE more (a)")
    ignored = {("item", "note"), ("log", "*"), ("more", "*")}
    assert differences(origin, target, ignore=frozenset(ignored)) == []
    assert differences(origin, target, ignore=frozenset(ignored - {("log", "*")}))
    run(target, "UPDATE item SET raw = NULL WHERE id = 1")
    (found,) = differences(origin, target, ignore=frozenset(ignored))
    assert found.column == "raw"


def test_an_ignored_key_makes_a_multiset(both) -> None:
    origin, target = both
    run(target, "UPDATE item SET id = id + 1000")
    assert differences(origin, target, ignore=frozenset({("item", "id")})) == []


def test_tolerance(make) -> None:
    sql = "CREATE TABLE k (id INTEGER PRIMARY KEY, f); CREATE TABLE n (a, f);"
    rows = "INSERT INTO k VALUES (1, 1.0), (2, 2.0), (3, 0.0); INSERT INTO n VALUES ('a', 1.0), ('a', 1.0);"
    origin, target = make(sql + rows), make(sql + rows, "target.db")
    run(target, "UPDATE k SET f = f + 1e-10", "UPDATE n SET f = f - 1e-10 WHERE rowid = 1")
    assert differences(origin, target)
    assert differences(origin, target, tolerance=1e-9) == []
    run(target, "UPDATE k SET f = 2.1 WHERE id = 2", "UPDATE k SET f = 1 WHERE id = 1")
    found = differences(origin, target, tolerance=1e-9)
    assert {(d.key, d.kind) for d in found} == {("id=1", "type"), ("id=2", "value")}


def test_runtime_tables_do_not_count(both) -> None:
    origin, target = both
    run(target, "CREATE TABLE _cf_METADATA (a)", "CREATE TABLE _edgelift_x (a)")
    assert differences(origin, target) == []


def test_unreadable_sides_are_told_apart(both, tmp_path: Path) -> None:
    origin, _ = both
    catalogue = SqliteSource(origin).read_catalogue()
    with pytest.raises(TargetError, match="does not exist"):
        compare_databases(origin, tmp_path / "no.db", catalogue)
    with pytest.raises(OriginError, match="does not exist"):
        compare_databases(tmp_path / "no.db", origin, catalogue)


def test_text_that_is_not_utf8_is_compared_by_its_bytes(make) -> None:
    sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, a);"
    origin = make(sql + "INSERT INTO t VALUES (1, CAST(x'ff41' AS TEXT)), (2, 'ok');")
    target = make(sql + "INSERT INTO t VALUES (1, CAST(x'ff41' AS TEXT)), (2, 'ok');", "target.db")
    assert differences(origin, target) == []
    run(target, "UPDATE t SET a = CAST(x'fe41' AS TEXT) WHERE id = 1")
    (found,) = differences(origin, target)
    assert (found.key, found.kind) == ("id=1", "value")


values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
)


@given(st.lists(values, min_size=1, max_size=5), st.lists(values, min_size=1, max_size=5))
def test_canonical_bytes_tell_apart_exactly_what_differs(row: list, other: list) -> None:
    def identity(values: list) -> list:
        return [(type(v), struct.pack(">d", v) if isinstance(v, float) else v) for v in values]

    same = to_canonical(tuple(row)) == to_canonical(tuple(other))
    assert same == (identity(row) == identity(other))
    assert msgspec.msgpack.decode(to_canonical(tuple(row))) == row


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (None, ""),
        (1, 1.0),
        (1, "1"),
        ("a", b"a"),
        (0.0, -0.0),
        ("a", "a "),
        (b"", ""),
        (2**53, 2**53 + 1),
        (math.inf, 1e308),
        (None, 0),
    ],
)
def test_pairs_that_must_never_be_taken_for_equal(value, other) -> None:
    assert to_canonical((value,)) != to_canonical((other,))
    assert not is_same(value, other)
    assert is_same(value, value)


@given(st.binary(max_size=70_000))
def test_any_bytes_of_text_have_one_canonical_form(raw: bytes) -> None:
    text = raw.decode("utf-8", "surrogateescape")
    encoded = to_canonical((text,))
    assert encoded.endswith(raw)
    assert encoded != to_canonical((raw,))


@given(st.lists(st.tuples(values, values), max_size=8))
def test_hash_of_a_table_is_the_sum_of_its_rows(rows: list) -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE t (a, b)")
    db.executemany("INSERT INTO t VALUES (?, ?)", rows)
    catalogue_table = _table_of(db)
    count, total = hash_rows(db, to_shape(catalogue_table))
    db.close()
    assert count == len(rows)
    expected = sum(hash_bytes(to_canonical(row)) for row in reversed(rows))
    assert to_hex(total) == to_hex(expected)


def _table_of(db: sqlite3.Connection):
    from edgelift.sources.sqlite_catalogue import read_catalogue

    db.commit()
    db.isolation_level = None
    return read_catalogue(db).tables[0]


def test_long_values_are_shown_where_they_differ() -> None:
    origin, target = show_pair("x" * 500 + "a" + "y" * 50, "x" * 500 + "b" + "y" * 50)
    assert "xa" in origin
    assert "xb" in target
    assert len(origin) < 130
    assert show_value(b"\1" * 100).endswith("(100 bytes, from 0)")
    assert show_value("it's\x00\n") == "'it''s\\x00\\n'"
