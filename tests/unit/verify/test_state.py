import shutil
import sqlite3

import pytest

from edgelift.sources.sqlite import SqliteSource
from edgelift.stages.verify.state import EndStates, compare_states


@pytest.fixture
def state(tmp_path):
    """Return a function that applies SQL to the three sides and compares their end states."""
    start = tmp_path / "start.sqlite"
    db = sqlite3.connect(start)
    db.executescript(
        "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT, at TEXT);"
        "CREATE TABLE orders(id TEXT PRIMARY KEY, token TEXT, total REAL);"
        "INSERT INTO items VALUES (1,'a','t0'),(2,'b','t0');"
    )
    db.close()
    catalogue = SqliteSource(start).read_catalogue()

    def run(origin, again, target, tolerance=0.0):
        files = {}
        for name, sql in (("origin", origin), ("again", again), ("target", target)):
            files[name] = tmp_path / f"{name}.sqlite"
            shutil.copyfile(start, files[name])
            side = sqlite3.connect(files[name])
            side.executescript(sql)
            side.close()
        return compare_states("main", catalogue, EndStates(before=start, **files), tolerance)

    return run


def told(outcome):
    return [(d.table, d.column, d.kind) for d in outcome.differences]


def test_equal_ends_are_equal_and_what_was_written_is_told(state):
    sql = "INSERT INTO items VALUES (3,'c','t1')"
    outcome = state(sql, sql, sql)
    assert (told(outcome), outcome.changed, outcome.noisy) == ([], ("items",), ())
    assert (outcome.origin_rows, outcome.target_rows, outcome.tables) == (3, 3, 2)


def test_a_column_of_times_is_noise_and_the_others_are_still_compared(state):
    sql = "UPDATE items SET at='{}'; UPDATE items SET name='{}' WHERE id=1"
    same = state(sql.format("t1", "n"), sql.format("t2", "n"), sql.format("t3", "n"))
    assert (told(same), same.noisy) == ([], ("items.at",))
    other = state(sql.format("t1", "n"), sql.format("t2", "n"), sql.format("t3", "N"))
    assert told(other) == [("items", "name", "letter case")]


def test_keys_made_anew_do_not_hide_the_rest_of_the_row(state):
    sql = "INSERT INTO orders VALUES ('{}','{}',{})"
    same = state(sql.format("k1", "x", 5.5), sql.format("k2", "y", 5.5), sql.format("k3", "z", 5.5))
    assert (told(same), same.noisy) == ([], ("orders.id", "orders.token"))
    other = state(sql.format("k1", "x", 5.5), sql.format("k2", "y", 5.5), sql.format("k3", "z", 6))
    assert [d.table for d in other.differences] == ["orders", "orders"]


def test_a_lost_row_is_found_even_where_every_column_is_noise(state):
    sql = "INSERT INTO orders VALUES ('{0}','{0}',{0})"
    outcome = state(sql.format(1), sql.format(2), "SELECT 1")
    assert told(outcome) == [("orders", "count(*)", "value")]


def test_a_table_whose_row_count_changes_by_itself_is_left_out(state):
    outcome = state("DELETE FROM items WHERE id=2", "SELECT 1", "DELETE FROM items")
    assert (told(outcome), outcome.noisy) == ([], ("items.*",))


def test_a_table_that_only_the_target_has_is_told_beside_noise(state):
    outcome = state(
        "UPDATE items SET at='1'", "UPDATE items SET at='2'",
        "UPDATE items SET at='3'; CREATE TABLE more(a)",
    )  # fmt: skip
    assert told(outcome) == [("more", "", "extra table")]


def test_floats_within_the_tolerance_are_equal(state):
    sql = "INSERT INTO orders VALUES ('k','t',{})"
    outcome = state(sql.format(0.1), sql.format(0.1), sql.format(0.1 + 1e-12), tolerance=1e-9)
    assert told(outcome) == []
