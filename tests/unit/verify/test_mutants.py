import gzip
import sqlite3

import pytest

from edgelift.model.flows import Flow
from edgelift.sources.sqlite import SqliteSource
from edgelift.stages.verify import noise as noise_module
from edgelift.stages.verify.compare import Comparison
from edgelift.stages.verify.mutants import MUTATIONS, check_mutants, check_row_mutants, flip_value
from edgelift.stages.verify.noise import Judge, Noise, parse_ignore
from tests.unit.verify.replies import HTML, ask, say

BODY = {"n": 1, "f": 0.5, "whole": 2.0, "s": "x", "list": [3, 1], "none": None}
REPLIES = [
    say(BODY, ("X-A", "1"), ("Set-Cookie", "s=1")),
    say(gzip.compress(b"<p>\n"), HTML, ("Content-Encoding", "gzip")),
    say(b"\0\1\2", ("Content-Type", "image/png")),
]
FLOW = Flow(name="f", source="f", requests=tuple(ask(f"/{i}") for i in range(3)))


def check(noise=None, rules=(), **fields):
    outcomes = check_mutants(
        FLOW, REPLIES, lambda: Judge("f", noise or Noise(), parse_ignore(rules), **fields)
    )
    return {outcome.kind: outcome for outcome in outcomes}


def test_every_kind_is_made_and_caught():
    outcomes = check()
    assert set(outcomes) == set(MUTATIONS)
    assert [k for k, o in outcomes.items() if not o.made] == []
    assert [o.survivors for o in outcomes.values() if o.survivors] == []


def test_small_numbers_are_caught_beside_a_tolerance():
    assert check(tolerance=1e-3)["changed number"].survivors == ()


def test_a_comparison_that_sees_nothing_is_exposed(monkeypatch):
    monkeypatch.setattr(noise_module, "compare_replies", lambda *_: Comparison(()))
    outcomes = check()
    assert outcomes["renamed field"].survivors == ("renamed field: GET /0",)
    assert all(outcome.caught == 0 for outcome in outcomes.values())


def test_places_that_are_noise_are_not_altered():
    noise = Noise()
    for position, request in enumerate(FLOW.requests):
        noise.learn(request, f"f#{position}", say({"n": [1]}), say({"n": [1, 2]}))
    rules = [f"GET /0 body.{key}" for key in BODY if key != "n"]
    outcomes = check(noise, rules)
    assert outcomes["changed number"].made == 0
    assert outcomes["trailing space"].made == 0


def test_a_dropped_row_and_a_changed_cell_of_every_table_are_caught(tmp_path):
    file = tmp_path / "a.sqlite"
    db = sqlite3.connect(file)
    db.executescript(
        "CREATE TABLE a(id INTEGER PRIMARY KEY, v INT CHECK (v < 2) UNIQUE);"
        "INSERT INTO a VALUES (1, 0), (2, 1);"
        "CREATE TABLE b(k TEXT PRIMARY KEY, v REAL NOT NULL) WITHOUT ROWID;"
        "INSERT INTO b VALUES ('x', 0.5);"
        "CREATE TABLE keys(k TEXT PRIMARY KEY); INSERT INTO keys VALUES ('only');"
        "CREATE TABLE vacant(k TEXT);"
        "CREATE TABLE child(a_id REFERENCES a(id) ON DELETE CASCADE, blob BLOB, none TEXT);"
        "INSERT INTO child VALUES (1, x'00', NULL);"
        "CREATE TRIGGER undo AFTER DELETE ON a BEGIN INSERT INTO a VALUES (old.id, old.v); END;"
    )
    db.commit()
    db.close()
    rows, cells = check_row_mutants(file, SqliteSource(file).read_catalogue(), tmp_path)
    assert (rows.made, rows.caught) == (4, 4)
    # `keys` has no column beside its key, which is left alone.
    assert (cells.made, cells.caught) == (3, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.sqlite"]


@pytest.mark.parametrize("value", ["", "a", b"", b"\0", 0, -1, 2**62, 0.0, 1e300, None])
def test_a_flipped_value_differs_and_keeps_its_type(value):
    assert flip_value(value) != value
    assert value is None or type(flip_value(value)) is type(value)
